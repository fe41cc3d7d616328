package mailbox

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"poststelle/internal/account"
	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/i18n"
	"poststelle/internal/jobs"
	"poststelle/internal/journal"
	"poststelle/internal/tenant"
)

// jobRetention deletes what the rules of mailboxes say is to go (B70, B74).
const jobRetention = "mailbox.retention"

const (
	// retentionBatch is how many threads are looked up at once, retentionMost
	// how many one run deletes; the next run goes on.
	retentionBatch = 100
	retentionMost  = 5000

	// groundRule stands in the journal for a deletion by the rule of a mailbox.
	groundRule = "frist"

	maxNorm       = 200
	maxExceptYear = 30
)

// exception keeps a thread beyond the rule of its mailbox, because a law says
// so (B73). Until is the start of the last day, in local time, on which it
// holds.
type exception struct {
	Norm  string
	Until time.Time
}

// holds reports whether the exception is in force. The zero one is not.
func (e exception) holds(now time.Time) bool {
	return e.Norm != "" && !e.Until.Before(tenant.StartOfDay(now))
}

// fate is what will become of a thread: the single source of every sentence
// about it, and of the job.
type fate struct {
	Days   int       // the rule of the mailbox; 0 = nothing goes by itself
	Due    time.Time // day of the deletion; zero while the thread is open, or without rule
	Except exception // in force, else zero
}

func fateOf(box tenant.Mailbox, t thread, e exception, now time.Time) fate {
	f := fate{Days: box.Retention}
	if e.holds(now) {
		f.Except = e
	}
	if t.State != stateClosed {
		return f
	}
	due, ok := box.Due(t.Closed)
	if !ok {
		return f
	}
	if after := e.Until.AddDate(0, 0, 1); f.Except != (exception{}) && after.After(due) {
		due = after
	}
	f.Due = due
	return f
}

// over reports whether the thread is to be deleted now.
func (f fate) over(now time.Time) bool {
	return !f.Due.IsZero() && f.Except == (exception{}) && !now.Before(f.Due)
}

// ruleText is what becomes of a letter to the mailbox, said before it is sent.
func ruleText(ctx context.Context, box tenant.Mailbox) string {
	if box.Retention == 0 {
		return i18n.T(ctx, "mailbox.retention")
	}
	return i18n.T(ctx, "mailbox.retention.routine", "n", box.Retention)
}

// ruleBefore is ruleText for a letter in the making: while no office is chosen,
// of all offices if they have the same rule.
func ruleBefore(ctx context.Context, t *tenant.Tenant, d draft) string {
	box, chosen := d.box(t)
	if !chosen {
		box = d.limits(t)
		if slices.ContainsFunc(t.Mailboxes, func(m tenant.Mailbox) bool { return m.Retention != box.Retention }) {
			return i18n.T(ctx, "mailbox.retention.depends")
		}
	}
	return ruleText(ctx, box)
}

// citizenText says it below a thread; kept is the sentence where nothing goes
// by itself.
func (f fate) citizenText(ctx context.Context, kept string) (out []string) {
	if f.Except != (exception{}) {
		out = append(out, i18n.T(ctx, "mailbox.retention.except", "norm", f.Except.Norm, "date", i18n.Date(ctx, f.Except.Until)))
	}
	switch {
	case f.Days == 0:
		return append(out, kept)
	case !f.Due.IsZero():
		return append(out, i18n.T(ctx, "mailbox.retention.due", "date", i18n.Date(ctx, f.Due)))
	}
	return append(out, i18n.T(ctx, "mailbox.retention.routine", "n", f.Days))
}

// keptText is what becomes of a thread in a mailbox without rule.
func keptText(ctx context.Context, c collected) string {
	if c.registered() {
		return i18n.T(ctx, "mailbox.postfach.retention")
	}
	return i18n.T(ctx, "mailbox.retention")
}

// fateOfThread is fateOf with what is stored. Pages show the rule alone when the
// exception cannot be read this moment.
func (s *Service) fateOfThread(ctx context.Context, box tenant.Mailbox, t thread) fate {
	var e exception
	err := s.DB.View(ctx, func(tx *db.Tx) (err error) {
		e, err = selectException(ctx, tx, t.Tenant, t.ID)
		return err
	})
	if err != nil {
		f := fateOf(box, t, exception{}, s.Now())
		f.Due = time.Time{}
		return f
	}
	return fateOf(box, t, e, s.Now())
}

// runRetention deletes the closed threads whose period is over, mailbox by
// mailbox. One that cannot be deleted now does not hinder the others.
func (s *Service) runRetention(ctx context.Context, _ jobs.Job) error {
	if err := s.Directory.Refresh(ctx); err != nil { // a rule that was taken back a moment ago holds no longer
		return fmt.Errorf("mailbox: routine deletion: %w", err)
	}
	left := retentionMost
	var errs []error
	for _, t := range s.Directory.All() {
		for _, box := range t.Mailboxes {
			if box.Retention > 0 {
				n, err := s.sweepMailbox(ctx, box, left)
				left -= n
				errs = append(errs, err)
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("mailbox: routine deletion: %w", err)
	}
	return nil
}

// sweepMailbox deletes at most limit threads of a mailbox and returns how many
// it tried.
func (s *Service) sweepMailbox(ctx context.Context, box tenant.Mailbox, limit int) (tried int, err error) {
	var errs []error
	for after := (cursor{}); tried < limit; {
		var rows []thread
		err := s.DB.View(ctx, func(tx *db.Tx) (err error) {
			rows, err = selectOver(ctx, tx, box, after, min(retentionBatch, limit-tried))
			return err
		})
		if err != nil || len(rows) == 0 {
			return tried, errors.Join(append(errs, err)...)
		}
		for _, t := range rows {
			errs = append(errs, s.expire(ctx, box, t.ID))
		}
		tried += len(rows)
		last := rows[len(rows)-1]
		after = cursor{db.Millis(last.Closed), last.ID}
	}
	return tried, errors.Join(errs...)
}

// expire deletes one thread by the rule of its mailbox, in the order of remove
// and repaired like it. What was reopened, moved or excepted since the list was
// read stays.
func (s *Service) expire(ctx context.Context, box tenant.Mailbox, id string) error {
	decided := false
	err := s.DB.Update(ctx, func(tx *db.Tx) error {
		decided = false
		t, err := selectReceiving(ctx, tx, box.Tenant, id)
		if errors.Is(err, fault.NotFound) || err == nil && t.Mailbox != box.ID {
			return nil
		}
		if err != nil {
			return err
		}
		e, err := selectException(ctx, tx, t.Tenant, id)
		if err != nil || !fateOf(box, t, e, tx.Now).over(tx.Now) {
			return err
		}
		decided = true
		return s.decideDeletion(ctx, tx, t, "job:"+jobRetention, groundRule)
	})
	if errors.Is(err, fault.Conflict) {
		return nil // somebody works on it this moment; the next run looks again
	}
	if err != nil || !decided {
		return err
	}
	return s.finishDeletion(ctx, box.Tenant, id, "job:"+jobRetention)
}

// errExcepted reports that a law keeps the thread.
var errExcepted = fault.With(fault.Conflict, "mailbox.staff.except.bound")

// unbound refuses the deletion of a thread that an exception keeps.
func unbound(ctx context.Context, tx *db.Tx, t thread) error {
	e, err := selectException(ctx, tx, t.Tenant, t.ID)
	if err == nil && e.holds(tx.Now) {
		err = errExcepted
	}
	return err
}

// aNorm is what a legal basis names at least: a section or an article.
var aNorm = regexp.MustCompile(`(§|\bArt\.?|\bArtikel)\s*\d`)

// checkException returns the exception that a form asks for, or what is wrong
// with it. until is a date as 2031-12-31.
func checkException(norm, until string, now time.Time) (exception, fieldErrors) {
	e := exception{Norm: oneLine(norm)}
	var wrong fieldErrors
	add := func(name, key string, args ...any) {
		wrong = append(wrong, fault.Field{Name: name, Key: key, Args: args})
	}
	switch {
	case utf8.RuneCountInString(e.Norm) > maxNorm:
		add("norm", "mailbox.error.except.long", "n", maxNorm)
	case !textual(e.Norm) || !aNorm.MatchString(e.Norm):
		add("norm", "mailbox.error.except.norm")
	}
	day, err := time.ParseInLocation(time.DateOnly, strings.TrimSpace(until), i18n.Zone())
	today := tenant.StartOfDay(now)
	switch {
	case err != nil:
		add("bis", "mailbox.error.except.until")
	case !day.After(today):
		add("bis", "mailbox.error.except.past")
	case day.After(today.AddDate(maxExceptYear, 0, 0)):
		add("bis", "mailbox.error.except.far", "n", maxExceptYear)
	}
	e.Until = day
	return e, wrong
}

// except keeps a thread until a day because a law says so; a later call
// replaces the exception. The zero exception ends it.
func (s *Service) except(ctx context.Context, who account.Actor, id string, e exception) error {
	err := s.DB.Update(ctx, func(tx *db.Tx) error {
		t, err := mine(ctx, tx, who, id)
		if err != nil {
			return err
		}
		old, err := selectException(ctx, tx, t.Tenant, id)
		if err != nil || old == (exception{}) && e == (exception{}) {
			return err
		}
		// A new version of the row, so that a deletion that was decided on what it
		// was before does not go on.
		if err := saveThread(ctx, tx, t); err != nil {
			return err
		}
		entry := journal.Entry{Tenant: string(t.Tenant), Actor: "staff:" + who.Person, Action: "thread.unexcepted", Object: id}
		if e != (exception{}) {
			entry.Action, entry.Detail = "thread.excepted", map[string]string{"until": e.Until.Format(time.DateOnly)}
		}
		if err := putException(ctx, tx, t, e); err != nil {
			return err
		}
		return journal.Record(ctx, tx, entry)
	})
	if err != nil {
		return fmt.Errorf("mailbox: exception of %s: %w", id, err)
	}
	return nil
}
