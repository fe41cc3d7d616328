package vault

import (
	"context"
	"errors"

	"poststelle/internal/db"
	"poststelle/internal/fault"
)

// installationName is the row of the mark that Installation reads.
const installationName = "installation"

// Installation returns the mark of the installation to which this vault belongs, "" when it has none yet, and whether the vault
// holds keys of any tenant. The mark is no secret: database and files carry the same one, so that a start can tell a vault that
// was exchanged.
func (v *Vault) Installation(ctx context.Context) (id string, used bool, err error) {
	err = v.view(ctx, "installation", func(tx *db.Tx) error {
		raw, err := getMeta(ctx, tx, installationName)
		if err != nil && !errors.Is(err, fault.NotFound) {
			return err
		}
		id = string(raw)
		var tenants int
		err = tx.QueryRow(ctx, `select count(*) from vault_tenants`).Scan(&tenants)
		used = tenants > 0
		return err
	})
	return id, used, err
}

// SetInstallation writes the mark; fault.Conflict when the vault has another one.
func (v *Vault) SetInstallation(ctx context.Context, id string) error {
	return v.update(ctx, "set installation", func(tx *db.Tx) error {
		raw, err := getMeta(ctx, tx, installationName)
		switch {
		case errors.Is(err, fault.NotFound):
			return putMeta(ctx, tx, installationName, []byte(id))
		case err == nil && string(raw) != id:
			return fault.Conflict
		}
		return err
	})
}
