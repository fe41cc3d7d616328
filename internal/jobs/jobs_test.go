package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"poststelle/internal/db"
	"poststelle/internal/db/dbtest"
	"poststelle/internal/fault"
	"poststelle/internal/jobs"
)

// clock is a clock that a test moves.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func newQueue(d *db.DB) *jobs.Queue {
	return jobs.New(jobs.Config{DB: d, Jitter: func() float64 { return 0 }})
}

func enqueue(t testing.TB, d *db.DB, q *jobs.Queue, kind, ref string, o ...jobs.EnqueueOption) {
	t.Helper()
	if err := d.Update(t.Context(), func(tx *db.Tx) error {
		return q.Enqueue(t.Context(), tx, kind, ref, o...)
	}); err != nil {
		t.Fatal(err)
	}
}

func runDue(t testing.TB, q *jobs.Queue) int {
	t.Helper()
	n, err := q.RunDue(t.Context())
	if err != nil {
		t.Fatalf("RunDue() = %v", err)
	}
	return n
}

// rows counts the jobs in the given state.
func rows(t testing.TB, d *db.DB, state string) (n int) {
	t.Helper()
	if err := d.View(t.Context(), func(tx *db.Tx) error {
		return tx.QueryRow(t.Context(), `select count(*) from jobs where state = $1`, state).Scan(&n)
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestEnqueue_WithTheTransaction(t *testing.T) {
	d := dbtest.New(t, jobs.Migrations())
	q := newQueue(d)
	var got []string
	q.Handle("note", func(_ context.Context, j jobs.Job) error {
		got = append(got, j.Ref)
		return nil
	})
	failed := errors.New("rolled back")
	if err := d.Update(t.Context(), func(tx *db.Tx) error {
		return errors.Join(q.Enqueue(t.Context(), tx, "note", "lost"), failed)
	}); !errors.Is(err, failed) {
		t.Fatal(err)
	}
	enqueue(t, d, q, "note", "kept")
	if n := runDue(t, q); n != 1 || len(got) != 1 || got[0] != "kept" {
		t.Errorf("RunDue() = %d, ran %v", n, got)
	}
	if n := rows(t, d, "ready") + rows(t, d, "done"); n != 0 {
		t.Errorf("%d rows left of a job without a slot", n)
	}
}

func TestEnqueue_RefusesWhatIsNoID(t *testing.T) {
	d := dbtest.New(t, jobs.Migrations())
	q := newQueue(d)
	for _, ref := range []string{
		"erika@example.org", "Erika Mustermann", "Müller", "+49 7731 85", "a/b", `{"to":"x"}`, "a\nb", "1,2", "100%", strings.Repeat("a", 201),
	} {
		err := d.Update(t.Context(), func(tx *db.Tx) error { return q.Enqueue(t.Context(), tx, "mail.send", ref) })
		if !errors.Is(err, fault.Invalid) {
			t.Errorf("Enqueue(ref %q) = %v, want Invalid", ref, err)
		}
		if err != nil && strings.Contains(err.Error(), ref) {
			t.Errorf("the error repeats %q", ref)
		}
		err = d.Update(t.Context(), func(tx *db.Tx) error {
			return q.Enqueue(t.Context(), tx, "mail.send", "id", jobs.Unique(ref))
		})
		if !errors.Is(err, fault.Invalid) {
			t.Errorf("Unique(%q): %v, want Invalid", ref, err)
		}
	}
	for _, ref := range []string{"", "ABCD-efgh:1_2.3", strings.Repeat("a", 200)} {
		enqueue(t, d, q, "mail.send", ref)
	}
	if n := rows(t, d, "ready"); n != 3 {
		t.Errorf("%d jobs, want 3", n)
	}
}

func TestEnqueue_At(t *testing.T) {
	c := newClock()
	d := dbtest.NewAt(t, c.Now, jobs.Migrations())
	q := newQueue(d)
	q.Handle("late", func(context.Context, jobs.Job) error { return nil })
	enqueue(t, d, q, "late", "x", jobs.At(c.Now().Add(time.Hour)))
	if n := runDue(t, q); n != 0 {
		t.Errorf("%d jobs ran an hour early", n)
	}
	if b, err := q.Backlog(t.Context()); err != nil || b.Due != 0 || b.Later != 1 {
		t.Errorf("Backlog() = %+v, %v", b, err)
	}
	c.advance(2 * time.Hour)
	if b, err := q.Backlog(t.Context()); err != nil || b.Due != 1 || b.Later != 0 || b.Oldest != time.Hour {
		t.Errorf("Backlog() = %+v, %v", b, err)
	}
	if n := runDue(t, q); n != 1 {
		t.Errorf("%d jobs, want 1", n)
	}
}

func TestUnique_OncePerSlot(t *testing.T) {
	c := newClock()
	d := dbtest.NewAt(t, c.Now, jobs.Migrations())
	q := newQueue(d)
	q.Handle("remind", func(context.Context, jobs.Job) error { return nil })
	ran := 0
	for range 3 { // before and after it has run
		enqueue(t, d, q, "remind", "thread", jobs.Unique("thread:2026-11-22"))
		enqueue(t, d, q, "remind", "thread", jobs.Unique("thread:2026-11-22"))
		ran += runDue(t, q)
	}
	if ran != 1 {
		t.Errorf("ran %d times, want 1", ran)
	}
	c.advance(jobs.SlotsFor - time.Minute)
	if n, err := q.Tidy(t.Context()); n != 0 || err != nil {
		t.Errorf("Tidy() early = %d, %v", n, err)
	}
	c.advance(2 * time.Minute)
	if n, err := q.Tidy(t.Context()); n != 1 || err != nil {
		t.Errorf("Tidy() = %d, %v, want 1", n, err)
	}
}

func TestEvery_OncePerSlotOnAllNodes(t *testing.T) {
	c := newClock()
	d := dbtest.NewAt(t, c.Now, jobs.Migrations())
	ran := 0
	node := func(now func() time.Time) *jobs.Queue {
		q := jobs.New(jobs.Config{DB: d, Now: now})
		q.Every("retention", 24*time.Hour, func(context.Context, jobs.Job) error { ran++; return nil })
		return q
	}
	a, b := node(c.Now), node(c.Now)
	for range 3 {
		runDue(t, a)
		runDue(t, b)
	}
	if ran != 1 {
		t.Errorf("ran %d times in one slot, want 1", ran)
	}
	late := c.Now()
	c.advance(24 * time.Hour)
	runDue(t, b)
	runDue(t, a)
	if ran != 2 {
		t.Errorf("ran %d times in two slots, want 2", ran)
	}
	// A node that was asleep since yesterday, and one that was restarted.
	runDue(t, node(func() time.Time { return late }))
	runDue(t, node(c.Now))
	if ran != 2 {
		t.Errorf("ran %d times, a late node repeated a slot", ran)
	}
}

func TestEvery_SlotOutlivesAWeeklyInterval(t *testing.T) {
	c := newClock()
	d := dbtest.NewAt(t, c.Now, jobs.Migrations())
	c.advance(4 * 24 * time.Hour) // Thursday: weeks begin as 1970 did
	ran := 0
	for range 8 { // a restart each day: never the same slot twice
		q := newQueue(d)
		q.Every("weekly", 7*24*time.Hour, func(context.Context, jobs.Job) error { ran++; return nil })
		runDue(t, q)
		c.advance(24 * time.Hour)
	}
	if ran != 2 {
		t.Errorf("ran %d times in eight days, want 2", ran)
	}
}

func TestRetry_DeadLetter(t *testing.T) {
	c := newClock()
	d := dbtest.NewAt(t, c.Now, jobs.Migrations())
	q := newQueue(d)
	var attempts []int
	down := true
	q.Handle("send", func(_ context.Context, j jobs.Job) error {
		attempts = append(attempts, j.Attempt)
		if down {
			return fmt.Errorf("send to erika@example.org: %w", fault.Unavailable)
		}
		return nil
	}, jobs.MaxAttempts(3))
	enqueue(t, d, q, "send", "message-1")
	wait := 2 * time.Second
	for range 3 {
		if _, err := q.RunDue(t.Context()); !errors.Is(err, fault.Unavailable) {
			t.Errorf("RunDue() = %v, want the handler's error", err)
		}
		c.advance(wait - time.Millisecond)
		if n := runDue(t, q); n != 0 {
			t.Errorf("tried again before %v had passed", wait)
		}
		c.advance(time.Millisecond)
		wait *= 2
	}
	dead, err := q.Dead(t.Context())
	if err != nil || len(dead) != 1 {
		t.Fatalf("Dead() = %v, %v", dead, err)
	}
	if got := dead[0]; got.Kind != "send" || got.Ref != "message-1" || got.Attempt != 3 || got.Code != "unavailable" || got.Class != "fault.Kind" {
		t.Errorf("Dead() = %+v", got)
	}
	if err := q.Retry(t.Context(), "no such job"); !errors.Is(err, fault.NotFound) {
		t.Errorf("Retry() = %v, want NotFound", err)
	}
	down = false
	if err := q.Retry(t.Context(), dead[0].ID); err != nil {
		t.Fatal(err)
	}
	if n := runDue(t, q); n != 1 {
		t.Errorf("%d jobs after Retry, want 1", n)
	}
	if fmt.Sprint(attempts) != "[1 2 3 1]" {
		t.Errorf("attempts = %v", attempts)
	}
	if n := rows(t, d, "dead") + rows(t, d, "ready"); n != 0 {
		t.Errorf("%d rows left", n)
	}
}

// secretError is an error whose text quotes a person.
type secretError struct{ name string }

func (e *secretError) Error() string { return "no such person: " + e.name }

func TestDead_KeepsNoText(t *testing.T) {
	const secret = "Mustermann"
	for _, tc := range []struct {
		err         error
		code, class string
	}{
		{&secretError{secret}, "internal-error", "*jobs_test.secretError"},
		{fmt.Errorf("mailbox: %w", fault.With(fault.Invalid, "mailbox.send.text-missing", "name", secret)), "invalid", "mailbox.send.text-missing"},
		{fault.With(fault.Invalid, "Herr "+secret), "invalid", "*fault.Error"},
		{fmt.Errorf("x %s: %w", secret, context.DeadlineExceeded), "timeout", "context.deadlineExceededError"},
		{errors.Join(io.EOF, &secretError{secret}), "internal-error", "*errors.errorString"},
	} {
		d := dbtest.New(t, jobs.Migrations())
		q := newQueue(d)
		q.Handle("k", func(context.Context, jobs.Job) error { return jobs.Fatal(tc.err) })
		enqueue(t, d, q, "k", "id")
		if _, err := q.RunDue(t.Context()); err == nil {
			t.Error("RunDue() = nil, want the error")
		}
		dead, err := q.Dead(t.Context())
		if err != nil || len(dead) != 1 {
			t.Fatalf("Dead() = %v, %v: Fatal must not be tried again", dead, err)
		}
		if dead[0].Code != tc.code || dead[0].Class != tc.class {
			t.Errorf("%v: code %q, class %q, want %q, %q", tc.err, dead[0].Code, dead[0].Class, tc.code, tc.class)
		}
		if strings.Contains(fmt.Sprintf("%+v", dead), secret) {
			t.Errorf("dead letter holds the text of the error: %+v", dead)
		}
	}
}

func TestHandler_Panic(t *testing.T) {
	d := dbtest.New(t, jobs.Migrations())
	var log strings.Builder
	q := jobs.New(jobs.Config{DB: d, Log: textLog(&log)})
	q.Handle("k", func(context.Context, jobs.Job) error { panic("Mustermann") }, jobs.MaxAttempts(1))
	enqueue(t, d, q, "k", "id")
	if _, err := q.RunDue(t.Context()); err == nil {
		t.Error("RunDue() = nil")
	}
	dead, err := q.Dead(t.Context())
	if err != nil || len(dead) != 1 || dead[0].Code != "panic" {
		t.Errorf("Dead() = %+v, %v", dead, err)
	}
	if !strings.Contains(log.String(), "job panicked") || strings.Contains(log.String(), "Mustermann") {
		t.Errorf("log: %s", log.String())
	}
}

func TestHandle_Twice(t *testing.T) {
	d := dbtest.New(t, jobs.Migrations())
	for name, f := range map[string]func(q *jobs.Queue){
		"twice":     func(q *jobs.Queue) { q.Handle("a", nil); q.Handle("a", nil) },
		"malformed": func(q *jobs.Queue) { q.Handle("a b", nil) },
		"too often": func(q *jobs.Queue) { q.Every("a", time.Millisecond, nil) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f(newQueue(d))
		}()
	}
}

func TestTidy_Batches(t *testing.T) {
	c := newClock()
	d := dbtest.NewAt(t, c.Now, jobs.Migrations())
	q := newQueue(d)
	if err := d.Update(t.Context(), func(tx *db.Tx) error {
		for i := range 1203 {
			if _, err := tx.Exec(t.Context(), `
				insert into jobs (id, kind, ref, slot, state, attempt, spared, run_at, created_at, finished_at, expires_at, error_code, error_class)
				values ($1, 'k', '', $1, 'done', 1, 0, 0, 0, 0, 1, '', '')`, fmt.Sprint(i)); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if n, err := q.Tidy(t.Context()); n != 1203 || err != nil {
		t.Errorf("Tidy() = %d, %v", n, err)
	}
}

func TestPersonal(t *testing.T) {
	if err := jobs.Personal().Validate(); err != nil {
		t.Error(err)
	}
}

// A job that waits for somebody to mend something is tried for days, and whoever
// owns it hears of its burial in the same transaction.
func TestLasting_ThenBuried(t *testing.T) {
	c := newClock()
	d := dbtest.NewAt(t, c.Now, jobs.Migrations())
	q := jobs.New(jobs.Config{DB: d, Jitter: func() float64 { return 0.999 }})
	begun, ran := c.Now(), 0
	var buried []string
	broken := errors.New("the note cannot be written")
	q.Handle("mail", func(context.Context, jobs.Job) error { ran++; return fault.Unavailable },
		jobs.Lasting(5*24*time.Hour), jobs.Buried(func(_ context.Context, _ *db.Tx, j jobs.Job) error {
			buried = append(buried, j.Ref)
			if len(buried) == 1 {
				return broken
			}
			return nil
		}))
	enqueue(t, d, q, "mail", "message-1")
	for rows(t, d, "dead") == 0 {
		if _, err := q.RunDue(t.Context()); err != nil && !errors.Is(err, fault.Unavailable) && len(buried) == 0 {
			t.Fatal(err)
		}
		c.advance(46 * time.Minute)
		if ran > 1000 {
			t.Fatal("never given up")
		}
	}
	if lasted := c.Now().Sub(begun); lasted < 5*24*time.Hour || lasted > 8*24*time.Hour {
		t.Errorf("given up after %v", lasted)
	}
	if len(buried) != 2 || buried[1] != "message-1" {
		t.Errorf("buried %q: a note that failed must be written again", buried)
	}
}

func TestCancel_BeforeItHasBegun(t *testing.T) {
	d := dbtest.New(t, jobs.Migrations())
	q := newQueue(d)
	cancel := func(slot string) (kept bool) {
		t.Helper()
		if err := d.Update(t.Context(), func(tx *db.Tx) (err error) {
			kept, err = q.Cancel(t.Context(), tx, "drop", slot)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return kept
	}
	ran, during := 0, true
	q.Handle("drop", func(context.Context, jobs.Job) error {
		ran++
		during = cancel("b")
		return nil
	})
	enqueue(t, d, q, "drop", "a", jobs.Unique("a"))
	enqueue(t, d, q, "drop", "b", jobs.Unique("b"))
	if !cancel("a") || cancel("a") {
		t.Error("a waiting job is cancelled once")
	}
	if runDue(t, q); ran != 1 || during || cancel("b") {
		t.Errorf("ran %d times; cancelled while it ran: %v", ran, during)
	}
}
