package mailbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"poststelle/internal/account"
	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/tenant"
)

// view names a ready-made selection of the inbox.
type view string

const (
	viewOpen   view = "offen"
	viewNew    view = "neu"
	viewMine   view = "meine"
	viewFree   view = "frei"
	viewLate   view = "ueberfaellig"
	viewLong   view = "lange" // open for longer than openLong (B70)
	viewClosed view = "erledigt"
)

func views() []view {
	return []view{viewOpen, viewNew, viewMine, viewFree, viewLate, viewLong, viewClosed}
}

// openLong is how many days a matter may be open before it is reported: data is
// kept until a matter is closed, so none may be forgotten (B70).
const openLong = 90

// longSince is before when a matter came in that is open for too long.
func longSince(now time.Time) time.Time { return tenant.StartOfDay(now).AddDate(0, 0, -openLong) }

// order is how the inbox is sorted. Sorting by sender or subject does not
// exist: both are sealed.
type order string

const (
	newestFirst order = "neu"
	oldestFirst order = "alt"
	dueFirst    order = "frist"
)

// filter is the state of the inbox page; it is the query of its address.
type filter struct {
	View     view
	Mailbox  tenant.MailboxID // "" = all of the person's
	State    state            // "" = as the view says
	Topic    string
	Assignee string // "", "ich", "frei" or a person
	Number   string // a case number, found whatever else is set
	Way      string // "email": letters that came by plain e-mail; "" = all
	Order    order
	After    cursor // page after this row
	Before   cursor // page before this row
	Size     int
}

// wayMail is the word of an address for letters that came by plain e-mail.
const wayMail = "email"

// cursor is the sort key and id of a row at the edge of a page.
type cursor struct {
	Key int64
	ID  string
}

func (c cursor) zero() bool { return c.ID == "" }

func (c cursor) String() string {
	if c.zero() {
		return ""
	}
	return strconv.FormatInt(c.Key, 36) + "-" + c.ID
}

func parseCursor(s string) cursor {
	key, id, ok := strings.Cut(s, "-")
	n, err := strconv.ParseInt(key, 36, 64)
	if !ok || err != nil || id == "" || len(id) > 40 || !textual(id) {
		return cursor{}
	}
	return cursor{n, id}
}

// inboxPage is one page of the inbox with its cards opened.
type inboxPage struct {
	Rows         []inboxRow
	Newer, Older cursor // zero where there is no such page
	Counts       count
}

type inboxRow struct {
	thread
	card
	Sealed bool // the card is not open yet: the letter is on its way to the vault
}

// undated is what the sort key of a matter that nobody waits for is above its
// date: it has none to show, and stands behind all that have one.
const undated = 1 << 52

// dueKey is order.key of dueFirst for the database; mailbox_threads_due is an
// index on the same words.
const dueKey = "(due_at + case when state in ('new', 'open') then 0 else 4503599627370496 end)"

// key is what a row is sorted by.
func (o order) key(t thread) int64 {
	switch {
	case o != dueFirst:
		return db.Millis(t.Received)
	case t.owed():
		return db.Millis(t.Due)
	}
	return db.Millis(t.Due) + undated
}

// owed reports whether the office owes an answer: then the matter has a date.
func (t thread) owed() bool { return t.State == stateNew || t.State == stateOpen }

// inbox returns a page of threads from the person's mailboxes. Each mailbox is
// read by its own index and the pages are merged, so that the cost does not
// grow with the number of letters.
func (s *Service) inbox(ctx context.Context, who account.Actor, f filter) (inboxPage, error) {
	boxes := who.Mailboxes
	if f.Mailbox != "" {
		if !slices.Contains(boxes, f.Mailbox) {
			return inboxPage{}, fmt.Errorf("mailbox: inbox of %s: %w", f.Mailbox, fault.NotFound)
		}
		boxes = []tenant.MailboxID{f.Mailbox}
	}
	var rows []thread
	err := s.DB.View(ctx, func(tx *db.Tx) (err error) {
		rows, err = s.selectPage(ctx, tx, who, boxes, f)
		return err
	})
	if err != nil {
		return inboxPage{}, fmt.Errorf("mailbox: inbox: %w", err)
	}
	page := cutPage(rows, f)
	if page.Counts, err = s.countAll(ctx, who, boxes); err != nil {
		return inboxPage{}, fmt.Errorf("mailbox: inbox: %w", err)
	}
	if err := s.openCards(ctx, who, page.Rows); err != nil {
		return inboxPage{}, fmt.Errorf("mailbox: inbox: %w", paused(err))
	}
	return page, nil
}

func (s *Service) selectPage(ctx context.Context, tx *db.Tx, who account.Actor, boxes []tenant.MailboxID, f filter) ([]thread, error) {
	if f.Number != "" {
		t, err := selectThreadByNumber(ctx, tx, who.Tenant, f.Number)
		if errors.Is(err, fault.NotFound) || err == nil && (t.Deleting || !slices.Contains(who.Mailboxes, t.Mailbox)) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		return []thread{t}, nil
	}
	var all []thread
	for _, b := range boxes {
		part, err := selectInbox(ctx, tx, who, b, f)
		if err != nil {
			return nil, err
		}
		all = append(all, part...)
	}
	ascending := f.ascending()
	slices.SortFunc(all, func(a, b thread) int {
		c := cmp.Or(cmp.Compare(f.Order.key(a), f.Order.key(b)), cmp.Compare(a.ID, b.ID))
		if !ascending {
			c = -c
		}
		return c
	})
	return all[:min(len(all), f.Size+1)], nil
}

// ascending says in which direction rows are read: that of the order, turned
// round when the page before a row is wanted.
func (f filter) ascending() bool {
	asc := f.Order == oldestFirst || f.Order == dueFirst
	if !f.Before.zero() {
		return !asc
	}
	return asc
}

// cutPage takes the one row too many that tells whether there is a further
// page, and brings a page that was read backwards into order.
func cutPage(rows []thread, f filter) inboxPage {
	more := len(rows) > f.Size
	rows = rows[:min(len(rows), f.Size)]
	backwards := !f.Before.zero()
	if backwards {
		slices.Reverse(rows)
	}
	page := inboxPage{Rows: make([]inboxRow, len(rows))}
	for i, t := range rows {
		page.Rows[i] = inboxRow{thread: t, Sealed: true}
	}
	if len(rows) == 0 {
		return page
	}
	first, last := rows[0], rows[len(rows)-1]
	if backwards && more || !backwards && !f.After.zero() {
		page.Newer = cursor{f.Order.key(first), first.ID}
	}
	if !backwards && more || backwards {
		page.Older = cursor{f.Order.key(last), last.ID}
	}
	return page
}

// openCards unseals subject and sender of the rows. A row whose letter has not
// reached the vault yet stays sealed.
func (s *Service) openCards(ctx context.Context, who account.Actor, rows []inboxRow) error {
	firsts := make([]string, len(rows))
	for i, r := range rows {
		firsts[i] = r.First
	}
	if len(firsts) == 0 {
		return nil
	}
	var cards map[string][]byte
	err := s.DB.View(ctx, func(tx *db.Tx) (err error) {
		cards, err = selectCards(ctx, tx, who.Tenant, firsts)
		return err
	})
	if err != nil {
		return err
	}
	keys, err := s.Vault.CardKeys(ctx, who.Grant, string(who.Tenant), firsts)
	if err != nil {
		return err
	}
	for i := range rows {
		k, ok := keys[rows[i].First]
		if !ok || len(cards[rows[i].First]) == 0 {
			continue
		}
		c, err := openCard(k, who.Tenant, rows[i].First, cards[rows[i].First])
		if err != nil {
			return fmt.Errorf("card of %s: %w", rows[i].First, err)
		}
		rows[i].card, rows[i].Sealed = c, false
	}
	return nil
}

// selectInbox reads one page's worth of a mailbox and one row more.
func selectInbox(ctx context.Context, tx *db.Tx, who account.Actor, box tenant.MailboxID, f filter) ([]thread, error) {
	key := "received_at"
	if f.Order == dueFirst {
		key = dueKey
	}
	where := []string{"tenant_id = $1", "mailbox_id = $2", "deleting = $3"}
	args := []any{string(who.Tenant), string(box), false}
	add := func(cond string, v any) {
		args = append(args, v)
		where = append(where, strings.ReplaceAll(cond, "?", "$"+strconv.Itoa(len(args))))
	}
	switch {
	case f.State != "":
		add("state = ?", string(f.State))
	case f.View == viewClosed:
		where = append(where, "state = 'closed'")
	case f.View == viewNew:
		where = append(where, "state <> 'closed'")
		add("unread = ?", true)
	default:
		where = append(where, "state <> 'closed'")
	}
	if f.View == viewLate {
		add("due_at < ?", db.Millis(tenant.StartOfDay(tx.Now)))
		where = append(where, "state <> 'waiting'")
	}
	if f.View == viewLong {
		add("received_at < ?", db.Millis(longSince(tx.Now)))
	}
	if f.Topic != "" {
		add("topic_id = ?", f.Topic)
	}
	if f.Way == wayMail {
		where = append(where, "reply_way in ('mail', 'none')")
	}
	switch assignee := f.assignee(who); {
	case assignee == "frei":
		where = append(where, "assignee = ''")
	case assignee != "":
		add("assignee = ?", assignee)
	}
	dir, op, edge := "desc", "<", f.After
	if f.ascending() {
		dir, op = "asc", ">"
	}
	if !f.Before.zero() {
		edge = f.Before
	}
	if !edge.zero() {
		// Said twice: SQLite begins to read at an expression only for the first form.
		add(key+" "+op+"= ?", edge.Key)
		args = append(args, edge.Key, edge.ID)
		where = append(where, "("+key+", id) "+op+" ($"+strconv.Itoa(len(args)-1)+", $"+strconv.Itoa(len(args))+")")
	}
	args = append(args, f.Size+1)
	return db.Collect(ctx, tx, scanThread, `
select `+threadColumns+`
from mailbox_threads
where `+strings.Join(where, " and ")+`
order by `+key+` `+dir+`, id `+dir+`
limit $`+strconv.Itoa(len(args)), args...)
}

// late reports whether the office owes an answer since yesterday or longer.
func (t thread) late(now time.Time) bool {
	return t.owed() && t.Due.Before(tenant.StartOfDay(now))
}

func (f filter) assignee(who account.Actor) string {
	switch {
	case f.View == viewMine, f.Assignee == "ich":
		return who.Person
	case f.View == viewFree:
		return "frei"
	}
	return f.Assignee
}

// count holds the numbers beside the views.
type count struct {
	Open, New, Mine, Free, Late, Long int
}

func (c count) of(v view) int {
	switch v {
	case viewOpen:
		return c.Open
	case viewNew:
		return c.New
	case viewMine:
		return c.Mine
	case viewFree:
		return c.Free
	case viewLate:
		return c.Late
	case viewLong:
		return c.Long
	}
	return 0
}

// counts remembers the numbers of a mailbox for a few seconds: they are the
// only part of the page whose cost grows with the letters kept. An action in
// this process makes them new at once.
type counts struct {
	mu   sync.Mutex
	kept map[countKey]boxCount
}

type countKey struct {
	of  tenant.ID
	box tenant.MailboxID
}

type boxCount struct {
	count
	byPerson map[string]int
	at       time.Time
}

const countsFresh = 5 * time.Second

func (c *counts) forget(of tenant.ID, box tenant.MailboxID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.kept, countKey{of, box})
}

func (c *counts) get(of tenant.ID, box tenant.MailboxID, now time.Time) (boxCount, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b, ok := c.kept[countKey{of, box}]
	return b, ok && now.Sub(b.at) < countsFresh
}

func (c *counts) put(of tenant.ID, box tenant.MailboxID, b boxCount) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kept == nil {
		c.kept = map[countKey]boxCount{}
	}
	c.kept[countKey{of, box}] = b
}

func (s *Service) countAll(ctx context.Context, who account.Actor, boxes []tenant.MailboxID) (count, error) {
	var sum count
	for _, box := range boxes {
		b, ok := s.counts.get(who.Tenant, box, s.Now())
		if !ok {
			err := s.DB.View(ctx, func(tx *db.Tx) (err error) {
				b, err = countBox(ctx, tx, who.Tenant, box)
				return err
			})
			if err != nil {
				return count{}, err
			}
			b.at = s.Now()
			s.counts.put(who.Tenant, box, b)
		}
		sum.Open += b.Open
		sum.New += b.New
		sum.Free += b.Free
		sum.Late += b.Late
		sum.Long += b.Long
		sum.Mine += b.byPerson[who.Person]
	}
	return sum, nil
}

// NewCount returns how many open letters of the person's mailboxes nobody has
// looked at, for the navigation; it may be a few seconds old.
func (s *Service) NewCount(ctx context.Context, who account.Actor) (int, error) {
	c, err := s.countAll(ctx, who, who.Mailboxes)
	return c.New, err
}

func countBox(ctx context.Context, tx *db.Tx, of tenant.ID, box tenant.MailboxID) (boxCount, error) {
	type row struct {
		assignee          string
		open, fresh, late int
		long              int
	}
	rows, err := db.Collect(ctx, tx, func(r db.Scanner) (x row, err error) {
		err = r.Scan(&x.assignee, &x.open, &x.fresh, &x.late, &x.long)
		return x, err
	}, `
select assignee, count(*), sum(case when unread = $3 then 1 else 0 end), sum(case when due_at < $4 and state <> 'waiting' then 1 else 0 end),
  sum(case when received_at < $6 then 1 else 0 end)
from mailbox_threads
where tenant_id = $1 and mailbox_id = $2 and state <> 'closed' and deleting = $5
group by assignee
order by assignee`, string(of), string(box), true, db.Millis(tenant.StartOfDay(tx.Now)), false, db.Millis(longSince(tx.Now)))
	b := boxCount{byPerson: map[string]int{}}
	for _, r := range rows {
		b.Open += r.open
		b.New += r.fresh
		b.Late += r.late
		b.Long += r.long
		b.byPerson[r.assignee] = r.open
		if r.assignee == "" {
			b.Free = r.open
		}
	}
	return b, err
}
