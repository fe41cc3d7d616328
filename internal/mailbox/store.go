package mailbox

import (
	"cmp"
	"context"
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"poststelle/internal/db"
	"poststelle/internal/fault"
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
	return db.Migrations{Name: "mailbox", FS: dir}
}

// insertThread stores a new thread and reports false when a letter with the
// same submit id is already there: the same check page sent twice. Such a letter
// has the same thread id as well, and which of the two indexes notices first is
// PostgreSQL's choice.
func insertThread(ctx context.Context, tx *db.Tx, t thread, submit []byte) (bool, error) {
	n, err := tx.Exec(ctx, `
insert into mailbox_threads (id, tenant_id, mailbox_id, topic_id, number, submit_id, state, unread, assignee, reply_way,
  notice, files, size_class, withdrawal, deleting, registered, first_id, received_at, changed_at, due_at, closed_at, version)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $14, $15, $16, $17, $17, $18, 0, 1)
on conflict do nothing`,
		t.ID, string(t.Tenant), string(t.Mailbox), t.Topic, t.Number, submit, string(t.State), t.Unread, t.Assignee, string(t.Reply),
		t.Notice, t.Files, t.SizeClass, false, t.Registered, t.First, db.Millis(tx.Now), db.Millis(t.Due))
	return n == 1, err
}

const threadColumns = `id, tenant_id, mailbox_id, topic_id, number, state, unread, assignee, reply_way, notice, files,
  size_class, withdrawal, deleting, registered, first_id, received_at, changed_at, due_at, closed_at, version`

func scanThread(r db.Scanner) (thread, error) {
	var t thread
	var received, changed, due, closed int64
	err := r.Scan(&t.ID, &t.Tenant, &t.Mailbox, &t.Topic, &t.Number, &t.State, &t.Unread, &t.Assignee, &t.Reply, &t.Notice,
		&t.Files, &t.SizeClass, &t.Withdrawal, &t.Deleting, &t.Registered, &t.First, &received, &changed, &due, &closed, &t.Version)
	t.Received, t.Changed, t.Due = db.Time(received), db.Time(changed), db.Time(due)
	if closed != 0 {
		t.Closed = db.Time(closed)
	}
	return t, err
}

func selectThread(ctx context.Context, tx *db.Tx, of tenant.ID, id string) (thread, error) {
	if !textual(id) { // from an address that somebody made up
		return thread{}, fault.NotFound
	}
	return scanThread(tx.QueryRow(ctx, `
select `+threadColumns+`
from mailbox_threads
where tenant_id = $1 and id = $2`, string(of), id))
}

// selectReceiving is selectThread for who wants to add something. A thread that
// is being deleted is NotFound, as it will be in a moment: what came in now
// would be destroyed unread.
func selectReceiving(ctx context.Context, tx *db.Tx, of tenant.ID, id string) (thread, error) {
	t, err := selectThread(ctx, tx, of, id)
	if err == nil && t.Deleting {
		return thread{}, fmt.Errorf("thread %s is being deleted: %w", id, fault.NotFound)
	}
	return t, err
}

// selectThreads returns threads by id, beginning after one.
func selectThreads(ctx context.Context, tx *db.Tx, of tenant.ID, after string, limit int) ([]thread, error) {
	return db.Collect(ctx, tx, scanThread, `
select `+threadColumns+`
from mailbox_threads
where tenant_id = $1 and id > $2
order by id
limit $3`, string(of), after, limit)
}

func selectThreadByNumber(ctx context.Context, tx *db.Tx, of tenant.ID, number string) (thread, error) {
	return scanThread(tx.QueryRow(ctx, `
select `+threadColumns+`
from mailbox_threads
where tenant_id = $1 and number = $2`, string(of), number))
}

func selectThreadBySubmit(ctx context.Context, tx *db.Tx, of tenant.ID, submit []byte) (thread, error) {
	return scanThread(tx.QueryRow(ctx, `
select `+threadColumns+`
from mailbox_threads
where tenant_id = $1 and submit_id = $2`, string(of), submit))
}

// saveThread writes the changeable columns if the row still has the version
// that was read; a lost race is a Conflict.
func saveThread(ctx context.Context, tx *db.Tx, t thread) error {
	closed := int64(0)
	if !t.Closed.IsZero() {
		closed = db.Millis(t.Closed)
	}
	n, err := tx.Exec(ctx, `
update mailbox_threads
set mailbox_id = $3, topic_id = $4, state = $5, unread = $6, assignee = $7, notice = $8, files = $9, size_class = $10,
  withdrawal = $11, due_at = $12, closed_at = $13, changed_at = $14, deleting = $16, version = version + 1
where tenant_id = $1 and id = $2 and version = $15`,
		string(t.Tenant), t.ID, string(t.Mailbox), t.Topic, string(t.State), t.Unread, t.Assignee, t.Notice, t.Files,
		t.SizeClass, t.Withdrawal, db.Millis(t.Due), closed, db.Millis(tx.Now), t.Version, t.Deleting)
	if err != nil {
		return err
	}
	if n == 0 {
		return fmt.Errorf("thread %s changed meanwhile: %w", t.ID, fault.Conflict)
	}
	return nil
}

// insertMessage reports false when the message id is stored already.
func insertMessage(ctx context.Context, tx *db.Tx, m message) (bool, error) {
	n, err := tx.Exec(ctx, `
insert into mailbox_messages (id, tenant_id, thread_id, kind, author, by_mail, undelivered, created_at, card, body, contact, receipt)
values ($1, $2, $3, $4, $5, $6, $12, $7, $8, $9, $10, $11)
on conflict (id) do nothing`,
		m.ID, string(m.Tenant), m.Thread, string(m.Kind), m.Author, m.ByMail, db.Millis(tx.Now),
		some(m.card), some(m.body), some(m.contact), some(m.receipt), false)
	if err != nil || n == 0 {
		return false, err
	}
	for i, f := range m.files {
		_, err := tx.Exec(ctx, `
insert into mailbox_files (message_id, part, tenant_id, thread_id, position, blob_id, card)
values ($1, $2, $3, $4, $5, $6, $7)`, m.ID, f.part, string(m.Tenant), m.Thread, i, string(f.blob), f.card)
		if err != nil {
			return false, err
		}
	}
	return true, nil
}

// some turns nil into the empty value that a not-null column takes.
func some(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// shownMessages is how many messages of a thread are read at once.
const shownMessages = 1000

// selectMessages returns the messages of a thread with their files, oldest
// first: of a very long one the first letter, which says who writes and about
// what, and the newest.
func selectMessages(ctx context.Context, tx *db.Tx, of tenant.ID, threadID string) ([]message, error) {
	list, err := db.Collect(ctx, tx, scanMessage, `
select id, tenant_id, thread_id, kind, author, by_mail, created_at, card, body, contact, receipt
from mailbox_messages
where tenant_id = $1 and thread_id = $2
order by case when id = (select first_id from mailbox_threads where tenant_id = $1 and id = $2) then 0 else 1 end, created_at desc, id desc
limit $3`, string(of), threadID, shownMessages)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(a, b message) int {
		return cmp.Or(a.Created.Compare(b.Created), strings.Compare(a.ID, b.ID))
	})
	files, err := db.Collect(ctx, tx, func(r db.Scanner) (f storedFile, err error) {
		err = r.Scan(&f.message, &f.part, &f.blob, &f.card)
		return f, err
	}, `
select message_id, part, blob_id, card
from mailbox_files
where tenant_id = $1 and thread_id = $2
order by message_id, position
limit 100000`, string(of), threadID)
	if err != nil {
		return nil, err
	}
	failed, err := db.Collect(ctx, tx, scanText, `
select id
from mailbox_messages
where tenant_id = $1 and thread_id = $2 and undelivered = $3
order by created_at desc, id
limit 1000`, string(of), threadID, true)
	if err != nil {
		return nil, err
	}
	at := make(map[string]int, len(list))
	for i, m := range list {
		at[m.ID] = i
	}
	for _, id := range failed {
		if i, ok := at[id]; ok {
			list[i].Undelivered = true
		}
	}
	for _, f := range files {
		if i, ok := at[f.message]; ok {
			list[i].files = append(list[i].files, f)
		}
	}
	return list, nil
}

func scanMessage(r db.Scanner) (message, error) {
	var m message
	var created int64
	err := r.Scan(&m.ID, &m.Tenant, &m.Thread, &m.Kind, &m.Author, &m.ByMail, &created, &m.card, &m.body, &m.contact, &m.receipt)
	m.Created = db.Time(created)
	return m, err
}

func selectFile(ctx context.Context, tx *db.Tx, of tenant.ID, threadID, messageID, part string) (storedFile, error) {
	var f storedFile
	if !textual(messageID) || !textual(part) {
		return f, fault.NotFound
	}
	err := tx.QueryRow(ctx, `
select message_id, part, blob_id, card
from mailbox_files
where tenant_id = $1 and thread_id = $2 and message_id = $3 and part = $4`, string(of), threadID, messageID, part).
		Scan(&f.message, &f.part, &f.blob, &f.card)
	return f, err
}

// selectCards returns the sealed cards of the first messages of threads.
func selectCards(ctx context.Context, tx *db.Tx, of tenant.ID, firsts []string) (map[string][]byte, error) {
	if len(firsts) == 0 {
		return nil, nil
	}
	args := make([]any, 0, len(firsts)+1)
	args = append(args, string(of))
	for _, id := range firsts {
		args = append(args, id)
	}
	type row struct {
		id   string
		card []byte
	}
	rows, err := db.Collect(ctx, tx, func(r db.Scanner) (c row, err error) {
		err = r.Scan(&c.id, &c.card)
		return c, err
	}, `
select id, card
from mailbox_messages
where tenant_id = $1 and id in (`+db.In(2, len(firsts))+`)`, args...)
	if err != nil {
		return nil, err
	}
	cards := make(map[string][]byte, len(rows))
	for _, r := range rows {
		cards[r.id] = r.card
	}
	return cards, nil
}

// markUndelivered notes whether the mail with an answer was given up, and reports
// whether that is new.
func markUndelivered(ctx context.Context, tx *db.Tx, messageID string, undelivered bool) (bool, error) {
	n, err := tx.Exec(ctx, `
update mailbox_messages
set undelivered = $2
where id = $1 and undelivered <> $2`, messageID, undelivered)
	return n == 1, err
}

func updateContact(ctx context.Context, tx *db.Tx, of tenant.ID, messageID string, contact []byte) error {
	_, err := tx.Exec(ctx, `
update mailbox_messages
set contact = $3
where tenant_id = $1 and id = $2`, string(of), messageID, some(contact))
	return err
}

// removeThread deletes all rows of a thread and returns the blobs that they
// pointed at. Removing what is gone already is no error.
func removeThread(ctx context.Context, tx *db.Tx, of tenant.ID, id string) ([]string, error) {
	blobs, err := db.Collect(ctx, tx, scanText,
		`select blob_id from mailbox_files where tenant_id = $1 and thread_id = $2 order by blob_id limit 100000`, string(of), id)
	if err != nil {
		return nil, err
	}
	for _, q := range []string{
		`delete from mailbox_holdings where tenant_id = $1 and thread_id = $2`,
		`delete from mailbox_exceptions where tenant_id = $1 and thread_id = $2`,
		`delete from mailbox_mail where tenant_id = $1 and thread_id = $2`,
		`delete from mailbox_files where tenant_id = $1 and thread_id = $2`,
		`delete from mailbox_messages where tenant_id = $1 and thread_id = $2`,
		`delete from mailbox_intake where tenant_id = $1 and thread_id = $2`,
		`delete from mailbox_threads where tenant_id = $1 and id = $2`,
	} {
		if _, err := tx.Exec(ctx, q, string(of), id); err != nil {
			return nil, err
		}
	}
	return blobs, nil
}

func insertIntake(ctx context.Context, tx *db.Tx, b intakeRow) error {
	_, err := tx.Exec(ctx, `
insert into mailbox_intake (message_id, tenant_id, mailbox_id, thread_id, day, box, state, created_at)
values ($1, $2, $3, $4, $5, $6, 'queued', $7)`,
		b.Message, b.Tenant, b.Mailbox, b.Thread, b.Day, b.Sealed, db.Millis(tx.Now))
	return err
}

func selectQueued(ctx context.Context, tx *db.Tx, limit int) ([]intakeRow, error) {
	return db.Collect(ctx, tx, func(r db.Scanner) (b intakeRow, err error) {
		err = r.Scan(&b.Message, &b.Tenant, &b.Mailbox, &b.Thread, &b.Day, &b.Sealed)
		return b, err
	}, `
select message_id, tenant_id, mailbox_id, thread_id, day, box
from mailbox_intake
where state = 'queued'
order by created_at, message_id
limit $1`, limit)
}

func markIntake(ctx context.Context, tx *db.Tx, state string, messages []string) error {
	if len(messages) == 0 {
		return nil
	}
	args := make([]any, 0, len(messages)+1)
	args = append(args, state)
	for _, id := range messages {
		args = append(args, id)
	}
	_, err := tx.Exec(ctx, `
update mailbox_intake
set state = $1
where message_id in (`+db.In(2, len(messages))+`)`, args...)
	return err
}

// takenRow is a box that the vault has said it has.
type takenRow struct{ Message, Tenant, Thread string }

// selectTaken returns taken boxes that are still kept, in order, beginning
// after one.
func selectTaken(ctx context.Context, tx *db.Tx, after string, limit int) ([]takenRow, error) {
	return db.Collect(ctx, tx, func(r db.Scanner) (b takenRow, err error) {
		err = r.Scan(&b.Message, &b.Tenant, &b.Thread)
		return b, err
	}, `
select message_id, tenant_id, thread_id
from mailbox_intake
where state = 'taken' and message_id > $1
order by message_id
limit $2`, after, limit)
}

// requeueRefused offers the vault once more what it has refused.
func requeueRefused(ctx context.Context, tx *db.Tx) (int64, error) {
	return tx.Exec(ctx, `update mailbox_intake set state = 'queued' where state = 'refused'`)
}

func countRefused(ctx context.Context, tx *db.Tx) (n int, err error) {
	err = tx.QueryRow(ctx, `select count(*) from mailbox_intake where state = 'refused'`).Scan(&n)
	return n, err
}

// waitingDays returns the days before today whose boxes the vault has not all
// taken in. A refused box waits too: without its day key its letter is lost.
func waitingDays(ctx context.Context, tx *db.Tx, today string) ([]string, error) {
	return db.Collect(ctx, tx, func(r db.Scanner) (d string, err error) {
		err = r.Scan(&d)
		return d, err
	}, `
select distinct day
from mailbox_intake
where state in ('queued', 'refused') and day < $1
order by day
limit 1000`, today)
}

// dropIntake drops the boxes of old days, except those that the vault does not
// have.
func dropIntake(ctx context.Context, tx *db.Tx, before string) (int64, error) {
	return tx.Exec(ctx, `delete from mailbox_intake where day < $1 and state in ('taken', 'deleted')`, before)
}

// takeNumbers reserves n consecutive case numbers of a year and returns the
// first.
func takeNumbers(ctx context.Context, tx *db.Tx, of tenant.ID, year, n int) (int, error) {
	var next int
	err := tx.QueryRow(ctx, `
insert into mailbox_numbers (tenant_id, year, next)
values ($1, $2, $3)
on conflict (tenant_id, year) do update set next = mailbox_numbers.next + $4
returning next`, string(of), year, 1+n, n).Scan(&next)
	return next - n, err
}

func selectMessageThread(ctx context.Context, tx *db.Tx, messageID string) (message, error) {
	return scanMessage(tx.QueryRow(ctx, `
select id, tenant_id, thread_id, kind, author, by_mail, created_at, card, body, contact, receipt
from mailbox_messages
where id = $1`, messageID))
}
