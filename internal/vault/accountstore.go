package vault

import (
	"context"
	"errors"

	"poststelle/internal/db"
	"poststelle/internal/fault"
)

func accountExists(ctx context.Context, tx *db.Tx, account string) (bool, error) {
	var at int64
	err := tx.QueryRow(ctx, `select created_at from vault_accounts where id = $1`, account).Scan(&at)
	if errors.Is(err, fault.NotFound) {
		return false, nil
	}
	return err == nil, err
}
