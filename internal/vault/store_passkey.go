package vault

import (
	"context"

	"poststelle/internal/db"
)

func insertPasskey(ctx context.Context, tx *db.Tx, id, owner string, find, sealed []byte) error {
	_, err := tx.Exec(ctx, `
		insert into vault_passkeys (id, owner, find_key, sealed, created_at, used_at)
		values ($1, $2, $3, $4, $5, 0)`, id, owner, find, sealed, db.Millis(tx.Now))
	return err
}

func scanPasskey(s db.Scanner) (r passkeyRow, err error) {
	return r, s.Scan(&r.id, &r.owner, &r.sealed, &r.created, &r.used)
}

func selectPasskeys(ctx context.Context, tx *db.Tx, owner string) ([]passkeyRow, error) {
	return db.Collect(ctx, tx, scanPasskey, `
		select id, owner, sealed, created_at, used_at from vault_passkeys
		where owner = $1
		order by created_at, id
		limit 100`, owner)
}

func selectPasskey(ctx context.Context, tx *db.Tx, find []byte) (passkeyRow, error) {
	return scanPasskey(tx.QueryRow(ctx, `select id, owner, sealed, created_at, used_at from vault_passkeys where find_key = $1`, find))
}

func selectPasskeyID(ctx context.Context, tx *db.Tx, id string) (passkeyRow, error) {
	return scanPasskey(tx.QueryRow(ctx, `select id, owner, sealed, created_at, used_at from vault_passkeys where id = $1`, id))
}

func updatePasskey(ctx context.Context, tx *db.Tx, id string, sealed []byte) error {
	_, err := tx.Exec(ctx, `update vault_passkeys set sealed = $2, used_at = $3 where id = $1`, id, sealed, db.Millis(tx.Now))
	return err
}

func deletePasskey(ctx context.Context, tx *db.Tx, owner, id string) (int64, error) {
	return tx.Exec(ctx, `delete from vault_passkeys where owner = $1 and id = $2`, owner, id)
}

// dropPasskeys removes all passkeys of an owner.
func dropPasskeys(ctx context.Context, tx *db.Tx, owner string) error {
	_, err := tx.Exec(ctx, `delete from vault_passkeys where owner = $1`, owner)
	return err
}

// countPasskeys is how many passkeys the staff of a tenant have; who has none is left out.
func countPasskeys(ctx context.Context, tx *db.Tx, tenant string) (map[string]int, error) {
	out := map[string]int{}
	_, err := db.Collect(ctx, tx, func(s db.Scanner) (struct{}, error) {
		var person string
		var n int
		err := s.Scan(&person, &n)
		out[person] = n
		return struct{}{}, err
	}, `
		select s.id, count(*) from vault_staff s
		join vault_passkeys k on k.owner = 'staff:' || s.tenant || ':' || s.id
		where s.tenant = $1
		group by s.id`, tenant)
	return out, err
}

// waysIn is how an account can be entered.
type waysIn struct {
	password bool
	passkeys int
}

func selectWaysIn(ctx context.Context, tx *db.Tx, account, owner string) (w waysIn, err error) {
	var length int
	err = tx.QueryRow(ctx, `
		select length(password_sealed), (select count(*) from vault_passkeys where owner = $2) from vault_accounts
		where id = $1`, account, owner).Scan(&length, &w.passkeys)
	w.password = length > 0
	return w, err
}

func selectRealm(ctx context.Context, tx *db.Tx, account string) (realm string, err error) {
	err = tx.QueryRow(ctx, `select realm from vault_accounts where id = $1`, account).Scan(&realm)
	return realm, err
}

func selectActive(ctx context.Context, tx *db.Tx, tenant, person string) (login []byte, role string, err error) {
	err = tx.QueryRow(ctx, `select login_sealed, role from vault_staff where tenant = $1 and id = $2 and active`, tenant, person).Scan(&login, &role)
	return login, role, err
}
