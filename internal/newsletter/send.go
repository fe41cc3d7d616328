package newsletter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/mail"
	"poststelle/internal/tenant"
)

const (
	batchSize = 500
	// recheck is how old what was read of a batch may be before it is read again.
	recheck = time.Second
	// giveUp is how often a recipient is tried whose side says "later": about
	// three days.
	giveUp = 24
)

// sending is an issue on its way.
type sending struct {
	s         *Service
	t         *tenant.Tenant
	k         *keys
	issue     Issue
	templates map[string]*mail.Template
}

// result is what became of one recipient.
type result struct {
	row subscriber
	err error     // of the relay; nil when it took the message
	due time.Time // when to try again; zero for not at all
	off bool      // unsubscribed meanwhile, or beyond help: nothing was sent
}

// send works through an issue until everybody has had it, or nothing can be done
// at the moment: then it returns when to go on.
func (s *Service) send(ctx context.Context, t *tenant.Tenant, i Issue) (again time.Time, err error) {
	k, err := s.keysOf(ctx, t.ID)
	if err != nil {
		return again, err
	}
	templates, err := s.series(ctx, t, i)
	if err != nil {
		return again, err
	}
	x := &sending{s: s, t: t, k: k, issue: i, templates: templates}
	for ctx.Err() == nil {
		batch, tries, err := x.read(ctx)
		if err != nil {
			return again, err
		}
		if len(batch) == 0 {
			return x.finish(ctx)
		}
		to := x.issue.cursor
		if tries == nil {
			to = batch[len(batch)-1].ID
		}
		results, broken := x.batch(ctx, batch, tries)
		if err := x.note(context.WithoutCancel(ctx), to, tries, results); err != nil {
			return again, err
		}
		x.issue.cursor = to
		if broken != nil {
			return again, fmt.Errorf("newsletter: issue %s: %w", i.ID, broken)
		}
	}
	return again, ctx.Err()
}

// read returns the next batch: those after the cursor, and when there are none
// left those who wait for another attempt, with the number of attempts so far.
func (x *sending) read(ctx context.Context) (batch []subscriber, tries map[string]int, err error) {
	err = x.s.DB.View(ctx, func(tx *db.Tx) error {
		if batch, err = subscribersAfter(ctx, tx, x.t.ID, x.issue.cursor, batchSize); err != nil || len(batch) > 0 {
			return err
		}
		batch, tries, err = deferredSubscribers(ctx, tx, x.t.ID, x.issue.ID, batchSize)
		return err
	})
	if err != nil {
		err = fmt.Errorf("newsletter: read batch: %w", err)
	}
	return batch, tries, err
}

// desk hands the recipients of a batch to the lines and collects what became of
// them.
type desk struct {
	x       *sending
	ctx     context.Context
	tries   map[string]int
	mu      sync.Mutex
	queue   map[string][]subscriber // by language
	way     map[string]subscriber   // handed out, by the ID of the recipient
	results []result
	alive   map[string]bool // nil while what was read is fresh
	checked time.Time
}

// batch sends to the recipients over several lines. Whoever has no outcome,
// because the relay is away or the program stops, waits for another attempt; then
// the error says why.
func (x *sending) batch(ctx context.Context, batch []subscriber, tries map[string]int) ([]result, error) {
	d := &desk{x: x, ctx: ctx, tries: tries, queue: map[string][]subscriber{}, way: map[string]subscriber{}, checked: x.s.Now()}
	for _, row := range batch {
		if overlap(x.issue.Categories, row.Categories) {
			lang := row.Lang
			if x.templates[lang] == nil {
				lang = "de"
			}
			d.queue[lang] = append(d.queue[lang], row)
		}
	}
	var lines sync.WaitGroup
	broken := make(chan error, len(x.templates)*x.s.Lines)
	for lang := range x.templates {
		for range min(x.s.Lines, (len(d.queue[lang])+9)/10) {
			lines.Go(func() { broken <- d.line(lang) })
		}
	}
	lines.Wait()
	close(broken)
	var err error
	for e := range broken {
		err = errors.Join(err, e)
	}
	left := 0
	for _, rows := range d.queue {
		for _, row := range rows {
			d.results = append(d.results, result{row: row, due: x.s.DB.Now()})
			left++
		}
	}
	if left == 0 {
		err = nil // somebody else has done the work of the line that broke
	}
	return d.results, err
}

// line sends to readers of one language until none is left. A relay that closes
// the connection after some messages is called again.
func (d *desk) line(lang string) error {
	for {
		sent := 0
		err := d.x.s.Mail.Many(d.ctx, d.x.templates[lang], func(bool) (mail.Recipient, bool) { return d.next(lang) }, func(r mail.Recipient, err error) {
			if d.done(r, err) {
				sent++
			}
		})
		if err == nil || sent == 0 {
			return err
		}
	}
}

// next returns whom to write to, as of now: who has unsubscribed is passed over.
func (d *desk) next(lang string) (mail.Recipient, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(d.queue[lang]) > 0 && d.ctx.Err() == nil {
		if err := d.refresh(); err != nil {
			return mail.Recipient{}, false
		}
		row := d.queue[lang][0]
		d.queue[lang] = d.queue[lang][1:]
		if d.x.s.gone.has(row.ID) || d.alive != nil && !d.alive[row.ID] {
			d.results = append(d.results, result{row: row, off: true})
			continue
		}
		r, err := d.x.recipient(row)
		if err != nil {
			d.x.s.Log.Error("newsletter address does not open", "tenant", d.x.t.ID, "subscriber", row.ID)
			d.results = append(d.results, result{row: row, err: err, off: true})
			continue
		}
		if _, again := d.tries[row.ID]; !again { // who waited has a place already
			if due, wait := d.x.s.pace.reserve(domainOf(r.To), d.x.s.Now()); wait {
				d.results = append(d.results, result{row: row, due: due})
				continue
			}
		}
		d.way[r.ID] = row
		return r, true
	}
	return mail.Recipient{}, false
}

// refresh looks the batch up again when it has become old: another process may
// have ended a subscription.
func (d *desk) refresh() error {
	if d.x.s.Now().Sub(d.checked) < recheck {
		return nil
	}
	var ids []string
	for _, rows := range d.queue {
		for _, row := range rows {
			ids = append(ids, row.ID)
		}
	}
	slices.Sort(ids)
	err := d.x.s.DB.View(d.ctx, func(tx *db.Tx) (err error) {
		d.alive, err = activeAmong(d.ctx, tx, d.x.t.ID, ids)
		return err
	})
	d.checked = d.x.s.Now()
	return err
}

// recipient opens the address of a row and makes its words.
func (x *sending) recipient(row subscriber) (mail.Recipient, error) {
	address, err := x.k.open(string(x.t.ID), row.ID, "address", row.Address)
	if err != nil {
		return mail.Recipient{}, err
	}
	l := link{ID: row.ID, Number: x.issue.Number}
	leave, err := x.k.word(toLeave, l)
	if err != nil {
		return mail.Recipient{}, err
	}
	id, err := x.k.word(asMessage, l)
	return mail.Recipient{To: mail.Address(address), ID: id, Slot: leave}, err
}

func domainOf(a mail.Address) string { return string(a[strings.LastIndexByte(string(a), '@')+1:]) }

// done notes an outcome and reports whether the relay took the message.
func (d *desk) done(r mail.Recipient, err error) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	row := d.way[r.ID]
	delete(d.way, r.ID)
	res := result{row: row, err: err}
	if err != nil && !mail.IsPermanent(err) {
		res.due = d.x.s.DB.Now()
		if e, ok := errors.AsType[*mail.Error](err); ok && e.Code != 0 { // the other side has said "later"
			n := d.tries[row.ID]
			res.due = res.due.Add(min(15*time.Minute<<min(n, 4), 4*time.Hour))
			if n+1 >= giveUp {
				res.due = time.Time{}
			}
		}
	}
	d.results = append(d.results, res)
	return err == nil
}

// note stores what became of a batch, in one transaction with the cursor: should
// the program stop before, this batch goes out again, with the same Message-IDs.
func (x *sending) note(ctx context.Context, to string, tries map[string]int, all []result) error {
	err := x.s.DB.Update(ctx, func(tx *db.Tx) error {
		sent, failed := 0, 0
		for _, r := range all {
			switch {
			case !r.due.IsZero():
				n := tries[r.row.ID]
				if e, ok := errors.AsType[*mail.Error](r.err); ok && e.Code != 0 {
					n++
				}
				if err := putDeferred(ctx, tx, x.t.ID, x.issue.ID, r.row.ID, n, r.due); err != nil {
					return err
				}
				continue
			case r.off:
			case r.err == nil:
				sent++
			default:
				failed++
				if err := x.refused(ctx, tx, r); err != nil {
					return err
				}
			}
			if tries != nil {
				if err := deleteDeferred(ctx, tx, x.t.ID, x.issue.ID, r.row.ID); err != nil {
					return err
				}
			}
		}
		if tries != nil {
			if err := deleteOrphans(ctx, tx, x.t.ID, x.issue.ID); err != nil {
				return err
			}
		}
		return advanceIssue(ctx, tx, x.t.ID, x.issue.ID, x.issue.cursor, to, sent, failed)
	})
	if err != nil {
		return fmt.Errorf("newsletter: note batch of %s: %w", x.issue.ID, err)
	}
	return nil
}

// refused ends a subscription whose address does not exist; after other refusals
// it stays.
func (x *sending) refused(ctx context.Context, tx *db.Tx, r result) error {
	e, ok := errors.AsType[*mail.Error](r.err)
	if !ok || !deadAddress(e.Stage, e.Code, e.Enhanced) {
		return countBounce(ctx, tx, x.t.ID, r.row.ID)
	}
	return x.s.dead(ctx, tx, x.k, x.t.ID, r.row.ID)
}

// dead ends a subscription because its address does not exist, and keeps the
// hash, so that it is not written to again.
func (s *Service) dead(ctx context.Context, tx *db.Tx, k *keys, of tenant.ID, id string) error {
	row, err := subscriberByID(ctx, tx, of, id)
	if errors.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := suppress(ctx, tx, of, row.Key, suppressedBounce); err != nil {
		return err
	}
	return s.end(ctx, tx, k, of, row, WayBounce)
}

// deadAddress reports whether a refusal means that the address does not exist
// (RFC 3463, 3.2 and 3.3). Without an enhanced code only a refusal of the
// recipient counts, by the codes that say so.
func deadAddress(stage string, code int, enhanced string) bool {
	switch enhanced {
	case "5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1":
		return true
	case "":
		return stage == "rcpt" && (code == 550 || code == 551 || code == 553)
	}
	return false
}

// finish ends the issue when nobody waits any more; otherwise it returns when the
// next one's turn comes.
func (x *sending) finish(ctx context.Context) (again time.Time, err error) {
	err = x.s.DB.Update(ctx, func(tx *db.Tx) error {
		if err := deleteOrphans(ctx, tx, x.t.ID, x.issue.ID); err != nil {
			return err
		}
		if again, err = nextDeferred(ctx, tx, x.t.ID, x.issue.ID); err != nil || !again.IsZero() {
			return err
		}
		return finishIssue(ctx, tx, x.t.ID, x.issue.ID)
	})
	if err != nil {
		return again, fmt.Errorf("newsletter: finish %s: %w", x.issue.ID, err)
	}
	return again, nil
}

// pace spreads the messages to the addresses of one domain over time.
type pace struct {
	most int            // messages a second to a domain; 0 sets no limit
	of   map[string]int // the same for domains that have a pace of their own
	mu   sync.Mutex
	free map[string]time.Time // when a domain has its next place
}

// burst is how far ahead of its pace a domain may be served at once.
const burst = 2 * time.Second

// reserve takes the next place of a domain. wait says that it lies too far ahead:
// then due is when.
func (p *pace) reserve(domain string, now time.Time) (due time.Time, wait bool) {
	most := p.most
	if own, ok := p.of[domain]; ok {
		most = own
	}
	if most <= 0 {
		return now, false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.free == nil {
		p.free = map[string]time.Time{}
	}
	due = p.free[domain]
	if due.Before(now) {
		due = now
	}
	p.free[domain] = due.Add(time.Second / time.Duration(most))
	if len(p.free) > 50_000 {
		for d, at := range p.free {
			if at.Before(now) {
				delete(p.free, d)
			}
		}
	}
	return due, due.Sub(now) > burst
}
