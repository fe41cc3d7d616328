package mailbox

import (
	"context"

	"poststelle/internal/db"
	"poststelle/internal/tenant"
)

// selectMessage returns one message of a thread with its files in order.
func selectMessage(ctx context.Context, tx *db.Tx, of tenant.ID, threadID, id string) (message, error) {
	m, err := scanMessage(tx.QueryRow(ctx, `
select id, tenant_id, thread_id, kind, author, by_mail, created_at, card, body, contact, receipt
from mailbox_messages
where tenant_id = $1 and thread_id = $2 and id = $3`, string(of), threadID, id))
	if err != nil {
		return message{}, err
	}
	m.files, err = db.Collect(ctx, tx, func(r db.Scanner) (f storedFile, err error) {
		err = r.Scan(&f.message, &f.part, &f.blob, &f.card)
		return f, err
	}, `
select message_id, part, blob_id, card
from mailbox_files
where tenant_id = $1 and thread_id = $2 and message_id = $3
order by position
limit 1000`, string(of), threadID, id)
	return m, err
}

// countMessages returns how many messages a thread has, notes and events
// included.
func countMessages(ctx context.Context, tx *db.Tx, of tenant.ID, threadID string) (n int, err error) {
	err = tx.QueryRow(ctx, `
select count(*)
from mailbox_messages
where tenant_id = $1 and thread_id = $2`, string(of), threadID).Scan(&n)
	return n, err
}
