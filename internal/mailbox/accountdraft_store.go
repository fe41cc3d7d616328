package mailbox

import (
	"context"
	"time"

	"poststelle/internal/blob"
	"poststelle/internal/db"
	"poststelle/internal/tenant"
)

// savedRow is a row of mailbox_saved_drafts: a letter that somebody with an
// account has saved and not sent.
type savedRow struct {
	ID      string
	Account string
	Tenant  tenant.ID
	Sealed  []byte
	Updated time.Time
	Expires time.Time
}

const savedColumns = `id, account_id, tenant_id, sealed, updated_at, expires_at`

func scanSaved(r db.Scanner) (savedRow, error) {
	var x savedRow
	var updated, expires int64
	err := r.Scan(&x.ID, &x.Account, &x.Tenant, &x.Sealed, &updated, &expires)
	x.Updated, x.Expires = db.Time(updated), db.Time(expires)
	return x, err
}

// upsertSaved stores a draft, or a newer version of it; false says that the id
// belongs to somebody else.
func upsertSaved(ctx context.Context, tx *db.Tx, x savedRow) (bool, error) {
	n, err := tx.Exec(ctx, `
insert into mailbox_saved_drafts (id, account_id, tenant_id, sealed, updated_at, expires_at)
values ($1, $2, $3, $4, $5, $6)
on conflict (id) do update set sealed = excluded.sealed, updated_at = excluded.updated_at, expires_at = excluded.expires_at
where mailbox_saved_drafts.account_id = excluded.account_id and mailbox_saved_drafts.tenant_id = excluded.tenant_id`,
		x.ID, x.Account, string(x.Tenant), x.Sealed, db.Millis(x.Updated), db.Millis(x.Expires))
	return n == 1, err
}

func selectSaved(ctx context.Context, tx *db.Tx, account string, of tenant.ID, id string) (savedRow, error) {
	return scanSaved(tx.QueryRow(ctx, `
select `+savedColumns+`
from mailbox_saved_drafts
where account_id = $1 and tenant_id = $2 and id = $3`, account, string(of), id))
}

// selectSavedAt returns the drafts of a person to the given authorities, the
// newest first.
func selectSavedAt(ctx context.Context, tx *db.Tx, account string, of []tenant.ID, limit int) ([]savedRow, error) {
	return db.Collect(ctx, tx, scanSaved, `
select `+savedColumns+`
from mailbox_saved_drafts
where account_id = $1 and tenant_id in (`+db.In(3, len(of))+`)
order by updated_at desc, id
limit $2`, append([]any{account, limit}, texts(of)...)...)
}

// selectSavedOf returns drafts of an account with all authorities, for its
// deletion.
func selectSavedOf(ctx context.Context, tx *db.Tx, account string, limit int) ([]savedRow, error) {
	return db.Collect(ctx, tx, scanSaved, `
select `+savedColumns+`
from mailbox_saved_drafts
where account_id = $1
order by id
limit $2`, account, limit)
}

// selectExpired returns drafts of all tenants whose time is over.
func selectExpired(ctx context.Context, tx *db.Tx, limit int) ([]savedRow, error) {
	return db.Collect(ctx, tx, scanSaved, `
select `+savedColumns+`
from mailbox_saved_drafts
where expires_at <= $1
order by expires_at, id
limit $2`, db.Millis(tx.Now), limit)
}

// countSaved returns how many drafts an account has, and how many of them have
// the id: one or none.
func countSaved(ctx context.Context, tx *db.Tx, account, id string) (all, mine int, err error) {
	err = tx.QueryRow(ctx, `
select count(*), coalesce(sum(case when id = $2 then 1 else 0 end), 0)
from mailbox_saved_drafts
where account_id = $1`, account, id).Scan(&all, &mine)
	return all, mine, err
}

// savedFiles returns the files that a saved draft keeps.
func savedFiles(ctx context.Context, tx *db.Tx, of tenant.ID, id string) ([]blob.ID, error) {
	return db.Collect(ctx, tx, func(r db.Scanner) (b blob.ID, err error) {
		err = r.Scan(&b)
		return b, err
	}, `
select blob_id
from mailbox_saved_files
where tenant_id = $1 and draft_id = $2
order by blob_id
limit 1000`, string(of), id)
}

func insertSavedFile(ctx context.Context, tx *db.Tx, of tenant.ID, id string, b blob.ID) error {
	_, err := tx.Exec(ctx, `
insert into mailbox_saved_files (draft_id, tenant_id, blob_id)
values ($1, $2, $3)`, id, string(of), string(b))
	return err
}

func deleteSavedFile(ctx context.Context, tx *db.Tx, of tenant.ID, id string, b blob.ID) error {
	_, err := tx.Exec(ctx, `
delete from mailbox_saved_files
where tenant_id = $1 and draft_id = $2 and blob_id = $3`, string(of), id, string(b))
	return err
}

func deleteSaved(ctx context.Context, tx *db.Tx, of tenant.ID, id string) error {
	for _, q := range []string{
		`delete from mailbox_saved_files where tenant_id = $1 and draft_id = $2`,
		`delete from mailbox_saved_drafts where tenant_id = $1 and id = $2`,
	} {
		if _, err := tx.Exec(ctx, q, string(of), id); err != nil {
			return err
		}
	}
	return nil
}
