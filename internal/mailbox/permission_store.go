package mailbox

import (
	"context"
	"math"
	"time"

	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/tenant"
)

// permission is a row of mailbox_permissions: a person with an account lets one
// mailbox write to them first. Who may open its card, and begin a thread from it,
// is decided by the vault, where it is a thread with one message.
type permission struct {
	ID      string // also of the thread in the vault
	Tenant  tenant.ID
	Mailbox tenant.MailboxID
	Account string
	Message string // whose key seals the card
	Created time.Time
	card    []byte
}

const permissionColumns = `id, tenant_id, mailbox_id, account_id, message_id, card, created_at`

func scanPermission(r db.Scanner) (permission, error) {
	var p permission
	var created int64
	err := r.Scan(&p.ID, &p.Tenant, &p.Mailbox, &p.Account, &p.Message, &p.card, &created)
	p.Created = db.Time(created)
	return p, err
}

// insertPermission reports false when the person has allowed this mailbox
// already.
func insertPermission(ctx context.Context, tx *db.Tx, p permission) (bool, error) {
	n, err := tx.Exec(ctx, `
insert into mailbox_permissions (id, tenant_id, mailbox_id, account_id, message_id, card, created_at)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict do nothing`,
		p.ID, string(p.Tenant), string(p.Mailbox), p.Account, p.Message, p.card, db.Millis(tx.Now))
	return n == 1, err
}

func selectPermission(ctx context.Context, tx *db.Tx, of tenant.ID, id string) (permission, error) {
	if !textual(id) || len(id) > 40 {
		return permission{}, fault.NotFound
	}
	return scanPermission(tx.QueryRow(ctx, `
select `+permissionColumns+`
from mailbox_permissions
where tenant_id = $1 and id = $2`, string(of), id))
}

// selectPermissionOf returns what a person has allowed a mailbox.
func selectPermissionOf(ctx context.Context, tx *db.Tx, account string, of tenant.ID, box tenant.MailboxID) (permission, error) {
	return scanPermission(tx.QueryRow(ctx, `
select `+permissionColumns+`
from mailbox_permissions
where account_id = $1 and tenant_id = $2 and mailbox_id = $3`, account, string(of), string(box)))
}

// selectPermissionsAt returns what a person has allowed at some tenants: one for
// each mailbox at most.
func selectPermissionsAt(ctx context.Context, tx *db.Tx, account string, of []tenant.ID) ([]permission, error) {
	return db.Collect(ctx, tx, scanPermission, `
select `+permissionColumns+`
from mailbox_permissions
where account_id = $1 and tenant_id in (`+db.In(2, len(of))+`)
order by created_at desc, id
limit 500`, append([]any{account}, texts(of)...)...)
}

// selectPermissionsBy returns permissions of an account at any tenant.
func selectPermissionsBy(ctx context.Context, tx *db.Tx, account string, limit int) ([]permission, error) {
	return db.Collect(ctx, tx, scanPermission, `
select `+permissionColumns+`
from mailbox_permissions
where account_id = $1
order by id
limit $2`, account, limit)
}

// selectPermissionsFor returns the permissions of a mailbox, newest first,
// beginning after a row.
func selectPermissionsFor(ctx context.Context, tx *db.Tx, of tenant.ID, box tenant.MailboxID, after cursor, limit int) ([]permission, error) {
	if after.zero() {
		after = cursor{math.MaxInt64, ""}
	}
	return db.Collect(ctx, tx, scanPermission, `
select `+permissionColumns+`
from mailbox_permissions
where tenant_id = $1 and mailbox_id = $2 and (created_at, id) < ($3, $4)
order by created_at desc, id desc
limit $5`, string(of), string(box), after.Key, after.ID, limit)
}

// selectPermissions returns the permissions of a tenant in the order of their
// ids, beginning after one.
func selectPermissions(ctx context.Context, tx *db.Tx, of tenant.ID, after string, limit int) ([]permission, error) {
	return db.Collect(ctx, tx, scanPermission, `
select `+permissionColumns+`
from mailbox_permissions
where tenant_id = $1 and id > $2
order by id
limit $3`, string(of), after, limit)
}

// markPermitted notes that a thread began by a permission.
func markPermitted(ctx context.Context, tx *db.Tx, of tenant.ID, threadID string) error {
	_, err := tx.Exec(ctx, `update mailbox_threads set permitted = $3 where tenant_id = $1 and id = $2`, string(of), threadID, true)
	return err
}

// isUnanswered tells whether a thread began by a permission and the person has
// not written in it.
func isUnanswered(ctx context.Context, tx *db.Tx, of tenant.ID, threadID string) (bool, error) {
	var n int
	err := tx.QueryRow(ctx, `
select count(*)
from mailbox_threads t
where t.tenant_id = $1 and t.id = $2 and t.permitted = $3
and not exists (select 1 from mailbox_messages m where m.thread_id = t.id and m.kind = $4)`,
		string(of), threadID, true, string(fromCitizen)).Scan(&n)
	return n > 0, err
}

// updatePermission reports false when it was taken back meanwhile.
func updatePermission(ctx context.Context, tx *db.Tx, p permission) (bool, error) {
	n, err := tx.Exec(ctx, `
update mailbox_permissions
set card = $3
where tenant_id = $1 and id = $2`, string(p.Tenant), p.ID, p.card)
	return n == 1, err
}

// deletePermission removes the row and the box that may still wait for the vault,
// and reports whether there was one.
func deletePermission(ctx context.Context, tx *db.Tx, p permission) (bool, error) {
	if _, err := tx.Exec(ctx, `delete from mailbox_intake where tenant_id = $1 and thread_id = $2`, string(p.Tenant), p.ID); err != nil {
		return false, err
	}
	n, err := tx.Exec(ctx, `delete from mailbox_permissions where tenant_id = $1 and id = $2`, string(p.Tenant), p.ID)
	return n > 0, err
}
