package account

import (
	"context"

	"poststelle/internal/db"
	"poststelle/internal/tenant"
)

// insertCitizen keeps a row for an account that the vault has; it may be
// repeated. A notice is wanted until the person says no.
func insertCitizen(ctx context.Context, tx *db.Tx, realm tenant.Realm, account string) error {
	_, err := tx.Exec(ctx, `
insert into account_citizens (id, realm, created_at, notice)
values ($1, $2, $3, $4)
on conflict (id) do nothing`, account, string(realm), db.Millis(tx.Now), true)
	return err
}

func selectCitizenNotice(ctx context.Context, tx *db.Tx, account string) (bool, error) {
	var notice bool
	err := tx.QueryRow(ctx, `select notice from account_citizens where id = $1`, account).Scan(&notice)
	return notice, err
}

func setCitizenNotice(ctx context.Context, tx *db.Tx, account string, notice bool) error {
	_, err := tx.Exec(ctx, `update account_citizens set notice = $2 where id = $1`, account, notice)
	return err
}

func deleteCitizen(ctx context.Context, tx *db.Tx, account string) (int64, error) {
	return tx.Exec(ctx, `delete from account_citizens where id = $1`, account)
}

// selectCitizens returns ids in their order, those after one.
func selectCitizens(ctx context.Context, tx *db.Tx, after string, limit int) ([]string, error) {
	return db.Collect(ctx, tx, scanText, `
select id
from account_citizens
where id > $1
order by id
limit $2`, after, limit)
}
