package account

import (
	"context"
	"embed"
	"io/fs"

	"poststelle/internal/db"
	"poststelle/internal/tenant"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations are the tables of this package.
func Migrations() db.Migrations {
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the directory is embedded
	}
	return db.Migrations{Name: "account", FS: dir}
}

func insertStaff(ctx context.Context, tx *db.Tx, n NewStaff, person string) error {
	_, err := tx.Exec(ctx, `
insert into account_staff (tenant_id, id, name, role, created_at, disabled_at, start_until)
values ($1, $2, $3, $4, $5, 0, $6)`,
		string(n.Tenant), person, n.Name, string(n.Role), db.Millis(tx.Now), startUntil(n, tx.Now))
	return err
}

func deleteStaff(ctx context.Context, tx *db.Tx, of tenant.ID, person string) error {
	if err := deleteNotices(ctx, tx, of, person); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `delete from account_staff where tenant_id = $1 and id = $2`, string(of), person)
	return err
}

func disableStaff(ctx context.Context, tx *db.Tx, of tenant.ID, person string) error {
	_, err := tx.Exec(ctx, `
update account_staff
set disabled_at = $3
where tenant_id = $1 and id = $2 and disabled_at = 0`, string(of), person, db.Millis(tx.Now))
	if err != nil {
		return err
	}
	return deleteNotices(ctx, tx, of, person)
}

func selectStaff(ctx context.Context, tx *db.Tx, of tenant.ID) ([]Staff, error) {
	return db.Collect(ctx, tx, func(r db.Scanner) (Staff, error) {
		var s Staff
		var created, disabled int64
		err := r.Scan(&s.Person, &s.Name, &s.Role, &created, &disabled)
		s.Created, s.Disabled = db.Time(created), disabled != 0
		return s, err
	}, `
select id, name, role, created_at, disabled_at
from account_staff
where tenant_id = $1
order by id
limit 5000`, string(of))
}

func insertNotice(ctx context.Context, tx *db.Tx, of tenant.ID, box tenant.MailboxID, person string) error {
	_, err := tx.Exec(ctx, `
insert into account_notices (tenant_id, mailbox_id, person, created_at)
values ($1, $2, $3, $4)
on conflict (tenant_id, mailbox_id, person) do nothing`, string(of), string(box), person, db.Millis(tx.Now))
	return err
}

func deleteNotice(ctx context.Context, tx *db.Tx, of tenant.ID, box tenant.MailboxID, person string) error {
	_, err := tx.Exec(ctx, `
delete from account_notices
where tenant_id = $1 and mailbox_id = $2 and person = $3`, string(of), string(box), person)
	return err
}

func deleteNotices(ctx context.Context, tx *db.Tx, of tenant.ID, person string) error {
	_, err := tx.Exec(ctx, `delete from account_notices where tenant_id = $1 and person = $2`, string(of), person)
	return err
}

func selectNotices(ctx context.Context, tx *db.Tx, of tenant.ID, box tenant.MailboxID, limit int) ([]string, error) {
	return db.Collect(ctx, tx, scanText, `
select person
from account_notices
where tenant_id = $1 and mailbox_id = $2
order by person
limit $3`, string(of), string(box), limit)
}

func selectNoticesOf(ctx context.Context, tx *db.Tx, of tenant.ID, person string) ([]string, error) {
	return db.Collect(ctx, tx, scanText, `
select mailbox_id
from account_notices
where tenant_id = $1 and person = $2
order by mailbox_id
limit 500`, string(of), person)
}

func scanText(r db.Scanner) (string, error) {
	var s string
	err := r.Scan(&s)
	return s, err
}
