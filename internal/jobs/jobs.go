// Package jobs is the durable queue: work that must happen after a
// transaction, and work that must happen again and again.
//
// # What it keeps true
//
//   - A job enqueued in a transaction exists exactly when that transaction is
//     committed (the outbox: no mail, no deletion of files inside a
//     transaction).
//   - Delivery is at least once. A job is claimed by moving its next run into
//     the future, by the length of a lease; whoever works on it renews the
//     lease. When a node dies its jobs come due again by themselves. A handler
//     must therefore be idempotent; the job id is a good key for that.
//   - The number of a claim is a fencing token. A worker that lost its lease
//     can neither finish nor fail the job that another one now holds.
//   - A failed job is tried again after 2 s, 4 s, 8 s … up to one hour, with
//     jitter. After MaxAttempts, or at once after [Fatal], it becomes a dead
//     letter, which stays visible (Dead) until it is retried or [DeadFor] has
//     passed.
//   - A dead letter and what [Buried] notes about it are one transaction.
//   - A slow job holds one worker and nothing else: there are no batches.
//   - A node that is late, or restarted, does not repeat a periodic slot. The
//     row of a slot stays, as done, for [SlotsFor] after its end; when slots
//     are short, for a thousand slots but at least an hour.
//
// # What it does not do
//
// It keeps no order between jobs. It does not catch up on slots that passed
// while no node ran. Two slots of one kind overlap when a run lasts longer
// than its interval. [Unique] refuses a second job of the same slot name for
// as long as the row lives, which includes three days after success: a slot
// name must name an occasion, such as "reminder:THREAD:2026-11-22", not a
// thing.
//
// # Personal data
//
// A job holds a kind and a reference made of ids, nothing else; the package
// that owns the kind looks the rest up when the job runs. The character set of
// a reference leaves no room for an address or a sentence. Of an error only a
// code and a class are kept, never its text. A job without a slot is deleted
// when it has succeeded.
package jobs

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	mrand "math/rand/v2"
	"sync"
	"time"

	"poststelle/internal/db"
	"poststelle/internal/fault"
)

const (
	// SlotsFor is how long the row of a unique slot stays after success.
	SlotsFor = 3 * 24 * time.Hour
	// DeadFor is how long a dead letter stays.
	DeadFor = 30 * 24 * time.Hour

	defaultAttempts = 20
	backoffFirst    = 2 * time.Second
	backoffMost     = time.Hour
	backoffSteps    = 12 // from this failure on the wait is the longest
	maxRef          = 200
	maxKind         = 64
)

// Config is what a queue needs. Only DB is required.
type Config struct {
	DB *db.DB
	// Now is the clock for periodic slots; default DB.Now. Leases and due
	// times follow the time of the transaction.
	Now func() time.Time
	// Log receives kinds, job ids and error codes.
	Log *slog.Logger
	// Workers is how many jobs run at the same time; default 8.
	Workers int
	// Poll is how often the queue looks for work of other nodes and for
	// delayed work; default 1 s. Work enqueued through this queue starts at
	// once.
	Poll time.Duration
	// Lease is how long a job of a dead node stays with it; default 1 min.
	Lease time.Duration
	// Drain is how long Run lets running jobs finish before it cancels their
	// context; default 15 s.
	Drain time.Duration
	// Jitter returns a number in [0, 1) that spreads retries; default random.
	Jitter func() float64
}

// Job is one claimed piece of work.
type Job struct {
	ID, Kind, Ref string
	// Attempt counts from 1; a return by a crash counts too.
	Attempt int
}

// Handler does the work of a job. It must be idempotent, and return soon after
// ctx ends. An error means: again, later; see [Fatal].
type Handler func(ctx context.Context, j Job) error

// Queue is the queue of one process. Several queues may share a database.
type Queue struct {
	c    Config
	log  *slog.Logger
	wake chan struct{}

	mu    sync.Mutex
	kinds map[string]*kind
	slots map[string]int64 // the slot last offered by this process
	tidy  time.Time        // when over-aged rows were last deleted
}

type kind struct {
	name     string
	handle   Handler
	attempts int
	timeout  time.Duration
	every    time.Duration
	buried   func(context.Context, *db.Tx, Job) error
}

// New returns a queue that does nothing until Run or RunDue.
func New(c Config) *Queue {
	if c.Now == nil {
		c.Now = c.DB.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Workers <= 0 {
		c.Workers = 8
	}
	if c.Poll <= 0 {
		c.Poll = time.Second
	}
	if c.Lease <= 0 {
		c.Lease = time.Minute
	}
	if c.Drain <= 0 {
		c.Drain = 15 * time.Second
	}
	if c.Jitter == nil {
		c.Jitter = mrand.Float64
	}
	return &Queue{
		c: c, log: c.Log,
		wake:  make(chan struct{}, 1),
		kinds: map[string]*kind{},
		slots: map[string]int64{},
	}
}

// Option changes how the jobs of a kind are run.
type Option func(*kind)

// MaxAttempts sets after how many failures a job becomes a dead letter;
// default 20, which is about ten hours.
func MaxAttempts(n int) Option { return func(k *kind) { k.attempts = n } }

// Lasting sets MaxAttempts so that a job which fails again and again is tried
// for at least d: work that waits for somebody to mend something.
func Lasting(d time.Duration) Option {
	return func(k *kind) {
		// The shortest wait is three quarters of the longest step; the eleven
		// steps up to it count as nothing.
		k.attempts = backoffSteps + int(d/(backoffMost*3/4)) + 1
	}
}

// Buried calls f in the transaction that makes a job a dead letter, to note at
// its subject that it was given up. Like a handler it may be called again.
func Buried(f func(ctx context.Context, tx *db.Tx, j Job) error) Option {
	return func(k *kind) { k.buried = f }
}

// Timeout sets when the context of a handler ends; default ten minutes. It
// may be longer than the lease, which is renewed meanwhile.
func Timeout(d time.Duration) Option { return func(k *kind) { k.timeout = d } }

// Handle sets the handler of a kind. A queue claims only kinds it has a
// handler for. It panics when the kind is malformed or has a handler.
func (q *Queue) Handle(name string, h Handler, o ...Option) {
	q.add(&kind{name: name, handle: h}, o)
}

// Every runs h once in each interval, on one of the nodes, beginning with the
// current one. Intervals count from midnight UTC of 1 January 1970, so a day
// begins at one or two o'clock in Berlin. It panics as Handle does.
func (q *Queue) Every(name string, every time.Duration, h Handler, o ...Option) {
	if every < time.Second {
		panic("jobs: interval of " + name + " is shorter than a second")
	}
	q.add(&kind{name: name, handle: h, every: every}, o)
}

func (q *Queue) add(k *kind, o []Option) {
	k.attempts, k.timeout = defaultAttempts, 10*time.Minute
	for _, f := range o {
		f(k)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if !plain(k.name, 1, maxKind) {
		panic("jobs: malformed kind " + k.name)
	}
	if q.kinds[k.name] != nil {
		panic("jobs: second handler for " + k.name)
	}
	q.kinds[k.name] = k
}

// EnqueueOption changes when, or how often, a job is run.
type EnqueueOption func(*row)

// At sets the time before which the job does not run.
func At(t time.Time) EnqueueOption { return func(r *row) { r.runAt = t } }

// Unique makes Enqueue do nothing when a job of this kind and slot exists, be
// it finished. Slots have the characters of a reference.
func Unique(slot string) EnqueueOption { return func(r *row) { r.slot = slot } }

// Enqueue adds a job within tx; it runs after the commit. Ref is made of ids:
// at most 200 of A-Z a-z 0-9 : _ . -, anything else is fault.Invalid.
func (q *Queue) Enqueue(ctx context.Context, tx *db.Tx, kind, ref string, o ...EnqueueOption) error {
	_, err := q.Offer(ctx, tx, kind, ref, o...)
	return err
}

// Offer is Enqueue that reports whether the job was added: false says that its
// slot is taken (see Unique).
func (q *Queue) Offer(ctx context.Context, tx *db.Tx, kind, ref string, o ...EnqueueOption) (added bool, err error) {
	r := row{id: rand.Text(), kind: kind, ref: ref, runAt: tx.Now}
	for _, f := range o {
		f(&r)
	}
	if !plain(kind, 1, maxKind) || !plain(ref, 0, maxRef) || !plain(r.slot, 0, maxRef) {
		// The offending text is not repeated: it may be what must not be kept.
		return false, fmt.Errorf("jobs: enqueue: kind, reference or slot is not made of ids: %w", fault.Invalid)
	}
	if added, err = insert(ctx, tx, r); err != nil {
		return false, fmt.Errorf("jobs: enqueue %s: %w", kind, err)
	}
	if added && !r.runAt.After(tx.Now) {
		tx.AfterCommit(q.nudge)
	}
	return added, nil
}

// Cancel deletes within tx the job of a kind and slot, and reports whether it was
// in time: false says that the job has begun, is over or never was.
func (q *Queue) Cancel(ctx context.Context, tx *db.Tx, kind, slot string) (bool, error) {
	n, err := tx.Exec(ctx, `
		delete from jobs
		where kind = $1 and slot = $2 and state = 'ready' and attempt = 0`, kind, slot)
	if err != nil {
		return false, fmt.Errorf("jobs: cancel %s: %w", kind, err)
	}
	return n == 1, nil
}

// nudge wakes the loop of Run; one pending wake is enough.
func (q *Queue) nudge() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// plain reports whether s has between least and most characters, all of which
// occur in ids.
func plain(s string, least, most int) bool {
	if len(s) < least || len(s) > most {
		return false
	}
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			c == ':', c == '_', c == '.', c == '-':
		default:
			return false
		}
	}
	return true
}

// kindOf returns the settings of a kind that this queue handles.
func (q *Queue) kindOf(name string) *kind {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.kinds[name]
}

// backoff returns how long to wait after the given failed attempt (from 1):
// twice as long each time, of which a random quarter is spared, so that what
// failed together does not come back together.
func (q *Queue) backoff(attempt int) time.Duration {
	d := backoffMost
	if attempt < backoffSteps {
		d = min(backoffFirst<<(attempt-1), backoffMost)
	}
	return d - time.Duration(q.c.Jitter()*float64(d)/4)
}

// keep returns how long the row of a slot stays after the slot has ended.
func keep(every time.Duration) time.Duration {
	if every == 0 {
		return SlotsFor
	}
	return max(min(SlotsFor, 1000*every), time.Hour)
}
