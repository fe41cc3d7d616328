package mailbox

import (
	"context"
	"errors"

	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/i18n"
	"poststelle/internal/personal"
	"poststelle/internal/tenant"
)

// selectOver returns closed threads of a mailbox that may be over by its rule,
// those closed first, beginning after a row. Fate decides about each.
func selectOver(ctx context.Context, tx *db.Tx, box tenant.Mailbox, after cursor, limit int) ([]thread, error) {
	before := tenant.StartOfDay(tx.Now).AddDate(0, 0, -box.Retention)
	return db.Collect(ctx, tx, scanThread, `
select `+threadColumns+`
from mailbox_threads
where tenant_id = $1 and mailbox_id = $2 and state = 'closed' and deleting = $3 and closed_at > 0 and closed_at < $4
  and (closed_at, id) > ($5, $6)
  and not exists (
    select 1 from mailbox_exceptions e
    where e.tenant_id = mailbox_threads.tenant_id and e.thread_id = mailbox_threads.id and e.until_at >= $7)
order by closed_at, id
limit $8`, string(box.Tenant), string(box.ID), false, db.Millis(before), after.Key, after.ID, db.Millis(tenant.StartOfDay(tx.Now)), limit)
}

// selectException returns the exception of a thread, the zero one when it has
// none.
func selectException(ctx context.Context, tx *db.Tx, of tenant.ID, threadID string) (e exception, err error) {
	var until int64
	err = tx.QueryRow(ctx, `
select norm, until_at
from mailbox_exceptions
where tenant_id = $1 and thread_id = $2`, string(of), threadID).Scan(&e.Norm, &until)
	if errors.Is(err, fault.NotFound) {
		return exception{}, nil
	}
	e.Until = db.Time(until).In(i18n.Zone())
	return e, err
}

// putException replaces the exception of a thread; the zero one removes it.
func putException(ctx context.Context, tx *db.Tx, t thread, e exception) error {
	if _, err := tx.Exec(ctx, `delete from mailbox_exceptions where tenant_id = $1 and thread_id = $2`, string(t.Tenant), t.ID); err != nil {
		return err
	}
	if e == (exception{}) {
		return nil
	}
	_, err := tx.Exec(ctx, `
insert into mailbox_exceptions (tenant_id, thread_id, norm, until_at, created_at)
values ($1, $2, $3, $4, $5)`, string(t.Tenant), t.ID, e.Norm, db.Millis(e.Until), db.Millis(tx.Now))
	return err
}

func exceptions() personal.Store {
	s := ofThread(personal.Table, "mailbox_exceptions", "tenant_id = $1 and thread_id = $2", []personal.Column{
		{Name: "thread_id", Category: personal.Identifier},
		{Name: "created_at", Category: personal.Behaviour},
	}, "tenant_id", "norm", "until_at")
	s.Purpose = "mailbox.privacy.except"
	return s
}
