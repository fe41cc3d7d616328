package mailbox

import (
	"context"
	"errors"
	"time"

	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/seal"
	"poststelle/internal/tenant"
)

// insertMark reports false when the same mail is stored already.
func insertMark(ctx context.Context, tx *db.Tx, of tenant.ID, mark []byte) (bool, error) {
	n, err := tx.Exec(ctx, `
insert into mailbox_mail_marks (tenant_id, mark, created_at)
values ($1, $2, $3)
on conflict (tenant_id, mark) do nothing`, string(of), mark, db.Millis(tx.Now))
	return n == 1, err
}

func hasMark(ctx context.Context, tx *db.Tx, of tenant.ID, mark []byte) (bool, error) {
	var n int
	err := tx.QueryRow(ctx, `
select count(*)
from mailbox_mail_marks
where tenant_id = $1 and mark = $2`, string(of), mark).Scan(&n)
	return n > 0, err
}

func dropMarks(ctx context.Context, tx *db.Tx, before time.Time) error {
	_, err := tx.Exec(ctx, `delete from mailbox_mail_marks where created_at < $1`, db.Millis(before))
	return err
}

func insertFacts(ctx context.Context, tx *db.Tx, m message, sealed []byte) error {
	_, err := tx.Exec(ctx, `
insert into mailbox_mail (message_id, tenant_id, thread_id, facts)
values ($1, $2, $3, $4)`, m.ID, string(m.Tenant), m.Thread, sealed)
	return err
}

func selectFacts(ctx context.Context, tx *db.Tx, of tenant.ID, messageID string) (sealed []byte, err error) {
	err = tx.QueryRow(ctx, `
select facts
from mailbox_mail
where tenant_id = $1 and message_id = $2`, string(of), messageID).Scan(&sealed)
	if errors.Is(err, fault.NotFound) {
		return nil, nil
	}
	return sealed, err
}

func openFacts(k seal.Key, of tenant.ID, messageID string, sealed []byte) (*mailFacts, error) {
	if len(sealed) == 0 {
		return nil, nil
	}
	f := new(mailFacts)
	return f, openJSON(k.Derive("mail"), of, messageID, "mail", sealed, f)
}
