package mailbox

import (
	"context"
	"math"
	"time"

	"poststelle/internal/db"
	"poststelle/internal/tenant"
)

// holding is a row of mailbox_holdings: a thread that a person with an account
// has in their mailbox. Whether they may read it is decided by the vault, which
// has the thread's key under the key of the account.
type holding struct {
	Account string
	Tenant  tenant.ID
	Thread  string
	Unread  bool
	Notice  bool   // tell them by mail that there is something new
	Last    string // newest message of the office, whose card holds the excerpt
	Changed time.Time
	Told    time.Time
}

const holdingColumns = `account_id, tenant_id, thread_id, unread, notice, last_id, changed_at, told_at`

func scanHolding(r db.Scanner) (holding, error) {
	var h holding
	var changed, told int64
	err := r.Scan(&h.Account, &h.Tenant, &h.Thread, &h.Unread, &h.Notice, &h.Last, &changed, &told)
	h.Changed, h.Told = db.Time(changed), db.Time(told)
	return h, err
}

// insertHolding puts a thread into a mailbox and reports whether it was not
// there yet.
func insertHolding(ctx context.Context, tx *db.Tx, h holding) (bool, error) {
	n, err := tx.Exec(ctx, `
insert into mailbox_holdings (account_id, tenant_id, thread_id, unread, notice, last_id, created_at, changed_at, told_at)
values ($1, $2, $3, $4, $5, $6, $7, $7, 0)
on conflict (account_id, tenant_id, thread_id) do nothing`,
		h.Account, string(h.Tenant), h.Thread, h.Unread, true, h.Last, db.Millis(tx.Now))
	return n == 1, err
}

func selectHolding(ctx context.Context, tx *db.Tx, account string, of tenant.ID, threadID string) (holding, error) {
	return scanHolding(tx.QueryRow(ctx, `
select `+holdingColumns+`
from mailbox_holdings
where account_id = $1 and tenant_id = $2 and thread_id = $3`, account, string(of), threadID))
}

// maxHolders bounds how many mailboxes one thread may be in: a code may be used
// by several people of a household.
const maxHolders = 20

// selectHolders returns who has a thread in their mailbox.
func selectHolders(ctx context.Context, tx *db.Tx, of tenant.ID, threadID string) ([]holding, error) {
	return db.Collect(ctx, tx, scanHolding, `
select `+holdingColumns+`
from mailbox_holdings
where tenant_id = $1 and thread_id = $2
order by created_at, account_id
limit $3`, string(of), threadID, maxHolders)
}

// touchHoldings moves a thread to the top of the mailboxes that have it. With
// last it is unread there: the office has written.
func touchHoldings(ctx context.Context, tx *db.Tx, of tenant.ID, threadID, last string) error {
	_, err := tx.Exec(ctx, `
update mailbox_holdings
set changed_at = $3, unread = $4, last_id = case when $5 = '' then last_id else $5 end, told_at = case when $5 = '' then 0 else told_at end
where tenant_id = $1 and thread_id = $2`, string(of), threadID, db.Millis(tx.Now), last != "", last)
	return err
}

func updateHolding(ctx context.Context, tx *db.Tx, h holding) error {
	// Whoever has read it may be told anew.
	_, err := tx.Exec(ctx, `
update mailbox_holdings
set unread = $4, notice = $5, told_at = case when $4 then told_at else 0 end
where account_id = $1 and tenant_id = $2 and thread_id = $3`, h.Account, string(h.Tenant), h.Thread, h.Unread, h.Notice)
	return err
}

// toldLately reports whether the person was told after since that something is
// new, and has not looked at it: then nothing more needs to be said.
func toldLately(ctx context.Context, tx *db.Tx, h holding, since time.Time) (bool, error) {
	var n int
	err := tx.QueryRow(ctx, `
select count(*)
from mailbox_holdings
where account_id = $1 and tenant_id = $2 and unread = $3 and told_at > $4`, h.Account, string(h.Tenant), true, db.Millis(since)).Scan(&n)
	return n > 0, err
}

func markTold(ctx context.Context, tx *db.Tx, h holding) error {
	_, err := tx.Exec(ctx, `
update mailbox_holdings
set told_at = $4
where account_id = $1 and tenant_id = $2 and thread_id = $3`, h.Account, string(h.Tenant), h.Thread, db.Millis(tx.Now))
	return err
}

func deleteHolding(ctx context.Context, tx *db.Tx, account string, of tenant.ID, threadID string) (bool, error) {
	n, err := tx.Exec(ctx, `
delete from mailbox_holdings
where account_id = $1 and tenant_id = $2 and thread_id = $3`, account, string(of), threadID)
	return n == 1, err
}

// deleteHoldingsOf empties the mailbox of an account with all authorities: the
// one deletion that crosses tenants, because the account does.
func deleteHoldingsOf(ctx context.Context, tx *db.Tx, account string) error {
	_, err := tx.Exec(ctx, `delete from mailbox_holdings where account_id = $1`, account)
	return err
}

// lastAnswer returns the id of the newest message of the office, "" without one.
func lastAnswer(ctx context.Context, tx *db.Tx, of tenant.ID, threadID string) (string, error) {
	ids, err := db.Collect(ctx, tx, scanText, `
select id
from mailbox_messages
where tenant_id = $1 and thread_id = $2 and kind = 'office'
order by created_at desc, id desc
limit 1`, string(of), threadID)
	if err != nil || len(ids) == 0 {
		return "", err
	}
	return ids[0], nil
}

func scanText(r db.Scanner) (s string, err error) {
	err = r.Scan(&s)
	return s, err
}

// held is a thread in a mailbox, as the list shows it.
type held struct {
	thread
	holding
}

const heldColumns = `t.id, t.tenant_id, t.mailbox_id, t.topic_id, t.number, t.state, t.files, t.first_id, t.due_at, t.closed_at,
  h.unread, h.last_id, h.changed_at`

func scanHeld(r db.Scanner) (held, error) {
	var x held
	var due, closed, changed int64
	t := &x.thread
	err := r.Scan(&t.ID, &t.Tenant, &t.Mailbox, &t.Topic, &t.Number, &t.State, &t.Files, &t.First, &due, &closed,
		&x.holding.Unread, &x.Last, &changed)
	t.Due, x.holding.Changed = db.Time(due), db.Time(changed)
	if closed != 0 {
		t.Closed = db.Time(closed)
	}
	return x, err
}

// heldWhere selects the threads of one folder and chip; $1 is the account, $2 to
// $6 the filter. What is closed with an answer that nobody has read yet stays
// among the messages.
const heldWhere = `
from mailbox_holdings h
join mailbox_threads t on t.id = h.thread_id and t.tenant_id = h.tenant_id
where h.account_id = $1 and t.deleting = $2 and (t.state = 'closed' and h.unread <> $5) = $3
  and ($4 <> 'ungelesen' or h.unread = $5) and ($4 <> 'beantwortet' or t.state = 'waiting') and ($4 <> 'anhang' or t.files > 0)`

// selectHeld returns a page of a mailbox with the given authorities, and one row
// more, by the time of the last change.
func selectHeld(ctx context.Context, tx *db.Tx, account string, of []tenant.ID, f heldFilter) ([]held, error) {
	args := []any{account, false, f.Folder == folderClosed, string(f.Chip), true, f.Size + 1}
	if !f.Before.zero() {
		args = append(args, f.Before.Key, f.Before.ID)
		return db.Collect(ctx, tx, scanHeld, `
select `+heldColumns+heldWhere+`
  and (h.changed_at, h.thread_id) > ($7, $8) and h.tenant_id in (`+db.In(9, len(of))+`)
order by h.changed_at, h.thread_id
limit $6`, append(args, texts(of)...)...)
	}
	edge := f.After
	if edge.zero() {
		edge = cursor{math.MaxInt64, ""}
	}
	args = append(args, edge.Key, edge.ID)
	return db.Collect(ctx, tx, scanHeld, `
select `+heldColumns+heldWhere+`
  and (h.changed_at, h.thread_id) < ($7, $8) and h.tenant_id in (`+db.In(9, len(of))+`)
order by h.changed_at desc, h.thread_id desc
limit $6`, append(args, texts(of)...)...)
}

func texts(of []tenant.ID) []any {
	out := make([]any, len(of))
	for i, id := range of {
		out[i] = string(id)
	}
	return out
}

// countUnread returns how many threads of a mailbox have something new. Every
// page asks.
func countUnread(ctx context.Context, tx *db.Tx, account string, of []tenant.ID) (n int, err error) {
	err = tx.QueryRow(ctx, `
select count(*)
from mailbox_holdings h
join mailbox_threads t on t.id = h.thread_id and t.tenant_id = h.tenant_id
where h.account_id = $1 and t.deleting = $2 and h.unread = $3 and h.tenant_id in (`+db.In(4, len(of))+`)`,
		append([]any{account, false, true}, texts(of)...)...).Scan(&n)
	return n, err
}

// heldCounts are the numbers beside the folders and chips.
type heldCounts struct{ Open, Unread, Answered, Files, Closed, Drafts int }

func countHeld(ctx context.Context, tx *db.Tx, account string, of []tenant.ID) (c heldCounts, err error) {
	args := append([]any{account, false, true}, texts(of)...)
	err = tx.QueryRow(ctx, `
select coalesce(sum(case when t.state <> 'closed' or h.unread = $3 then 1 else 0 end), 0),
  coalesce(sum(case when h.unread = $3 then 1 else 0 end), 0),
  coalesce(sum(case when t.state = 'waiting' then 1 else 0 end), 0),
  coalesce(sum(case when t.files > 0 and (t.state <> 'closed' or h.unread = $3) then 1 else 0 end), 0),
  coalesce(sum(case when t.state = 'closed' and h.unread <> $3 then 1 else 0 end), 0)
from mailbox_holdings h
join mailbox_threads t on t.id = h.thread_id and t.tenant_id = h.tenant_id
where h.account_id = $1 and t.deleting = $2 and h.tenant_id in (`+db.In(4, len(of))+`)`, args...).
		Scan(&c.Open, &c.Unread, &c.Answered, &c.Files, &c.Closed)
	if err != nil {
		return c, err
	}
	err = tx.QueryRow(ctx, `
select count(*)
from mailbox_saved_drafts
where account_id = $1 and tenant_id in (`+db.In(2, len(of))+`)`, append([]any{account}, texts(of)...)...).Scan(&c.Drafts)
	return c, err
}
