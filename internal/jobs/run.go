package jobs

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"poststelle/internal/db"
)

// runner is one Run: the jobs that this process works on at the moment.
type runner struct {
	q    *Queue
	work context.Context // of the handlers; outlives the context of Run

	mu      sync.Mutex
	running map[string]*task // by job id
	wg      sync.WaitGroup
	freed   chan struct{}
}

type task struct {
	claimed
	ctx    context.Context
	cancel context.CancelCauseFunc
}

// Run works until ctx ends, then lets the running jobs finish: for the drain
// time undisturbed, afterwards with a cancelled context. It returns nil, and
// only when no goroutine of it is left. A database that cannot be reached is
// logged and tried again.
func (q *Queue) Run(ctx context.Context) error {
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	r := &runner{q: q, work: work, running: map[string]*task{}, freed: make(chan struct{}, 1)}

	poll := time.NewTicker(q.c.Poll)
	defer poll.Stop()
	lease := time.NewTicker(max(q.c.Lease/3, time.Millisecond))
	defer lease.Stop()

	full := r.round(ctx, true)
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-q.wake:
			full = r.round(ctx, true)
		case <-r.freed:
			if full {
				full = r.round(ctx, true)
			}
		case <-poll.C:
			full = r.round(ctx, false)
		case <-lease.C:
			r.renew(ctx)
		}
	}
	r.drain(ctx, lease.C, stop)
	return nil
}

// drain waits for the running jobs.
func (r *runner) drain(ctx context.Context, lease <-chan time.Time, stop func()) {
	ctx = context.WithoutCancel(ctx)
	done := make(chan struct{})
	go func() { r.wg.Wait(); close(done) }()
	patience := time.NewTimer(r.q.c.Drain)
	defer patience.Stop()
	for {
		select {
		case <-done:
			return
		case <-lease:
			r.renew(ctx)
		case <-patience.C:
			r.q.log.WarnContext(ctx, "jobs cancelled at shut-down")
			stop()
		}
	}
}

// round offers slots, tidies and starts what is due while there are free
// workers. It reports whether it used them all, so that more may be due.
// Without sure it first looks whether there is anything, which spares an idle
// system the writer.
func (r *runner) round(ctx context.Context, sure bool) (full bool) {
	q := r.q
	if err := q.offer(ctx); err != nil {
		q.trouble(ctx, err)
	}
	q.tidyHourly(ctx)
	free := q.c.Workers - r.busy()
	if free <= 0 {
		return true
	}
	if !sure {
		if some, err := due(ctx, q.c.DB); err != nil || !some {
			q.trouble(ctx, err)
			return false
		}
	}
	names := q.names()
	if len(names) == 0 {
		return false
	}
	got, err := claim(ctx, q.c.DB, names, free, q.c.Lease)
	if err != nil {
		q.trouble(ctx, err)
		return false
	}
	for _, c := range got {
		r.start(c)
	}
	return len(got) == free
}

func (q *Queue) trouble(ctx context.Context, err error) {
	if err == nil || ctx.Err() != nil {
		return
	}
	code, class := classify(err)
	q.log.WarnContext(ctx, "jobs store", "code", code, "class", class)
}

func (q *Queue) tidyHourly(ctx context.Context) {
	now := q.c.Now()
	q.mu.Lock()
	again := now.Sub(q.tidy) >= time.Hour
	if again {
		q.tidy = now
	}
	q.mu.Unlock()
	if !again {
		return
	}
	if _, err := q.Tidy(ctx); err != nil {
		q.trouble(ctx, err)
	}
}

func (r *runner) busy() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.running)
}

// start runs one job in a goroutine of its own.
func (r *runner) start(c claimed) {
	ctx, cancel := context.WithCancelCause(r.work)
	t := &task{claimed: c, ctx: ctx, cancel: cancel}
	r.mu.Lock()
	r.running[c.ID] = t
	r.mu.Unlock()
	r.wg.Go(func() {
		defer cancel(nil)
		if k := r.q.kindOf(c.Kind); k != nil {
			limited, end := context.WithTimeout(ctx, k.timeout)
			r.mu.Lock()
			t.ctx = limited
			r.mu.Unlock()
			err := r.q.attempt(limited, k, c)
			end()
			if context.Cause(ctx) != errLostLease {
				r.q.settle(context.WithoutCancel(r.work), k, c, err, r.work.Err() != nil)
			}
		}
		r.mu.Lock()
		delete(r.running, c.ID)
		r.mu.Unlock()
		select {
		case r.freed <- struct{}{}:
		default:
		}
	})
}

// renew moves the leases of the running jobs. A handler whose time is up gets
// no more: should it hang, another worker takes the job when the lease ends.
func (r *runner) renew(ctx context.Context) {
	r.mu.Lock()
	var tasks []*task
	for _, t := range r.running {
		if t.ctx.Err() == nil {
			tasks = append(tasks, t)
		}
	}
	r.mu.Unlock()
	if len(tasks) == 0 {
		return
	}
	var lost []*task
	err := r.q.c.DB.Update(ctx, func(tx *db.Tx) error {
		lost = lost[:0]
		for _, t := range tasks {
			held, err := renew(ctx, tx, t.claimed, r.q.c.Lease)
			if err != nil {
				return err
			}
			if !held {
				lost = append(lost, t)
			}
		}
		return nil
	})
	if err != nil {
		r.q.trouble(ctx, err)
		return
	}
	for _, t := range lost {
		// A job that has just been finished is "lost" too; cancelling it then
		// does no harm.
		t.cancel(errLostLease)
	}
}

// attempt calls the handler and turns a panic into an error.
func (q *Queue) attempt(ctx context.Context, k *kind, c claimed) (err error) {
	if c.Attempt > k.attempts {
		return Fatal(errAbandoned)
	}
	defer func() {
		if recover() != nil {
			// The value of the panic stays out of the log: it may quote data.
			q.log.ErrorContext(ctx, "job panicked", "kind", c.Kind, "job", c.ID, "stack", string(debug.Stack()))
			err = errPanic
		}
	}()
	return k.handle(ctx, c.Job)
}

// settle writes down how an attempt ended. Should that fail, the lease ends
// and the job runs again.
func (q *Queue) settle(ctx context.Context, k *kind, c claimed, failure error, stopping bool) {
	code, class := "", ""
	if failure != nil {
		code, class = classify(failure)
	}
	_, fatal := errors.AsType[*fatalError](failure)
	dead := failure != nil && (fatal || c.Attempt >= k.attempts && !stopping)
	wait := q.backoff(c.Attempt)
	if stopping {
		// Cut off by the shut-down: another node may have it at once.
		wait = 0
	}
	var n int64
	err := q.c.DB.Update(ctx, func(tx *db.Tx) (err error) {
		switch {
		case failure == nil:
			n, err = succeed(ctx, tx, c, keep(k.every))
		case dead:
			if n, err = bury(ctx, tx, c, code, class); err == nil && n == 1 && k.buried != nil {
				err = k.buried(ctx, tx, c.Job)
			}
		default:
			n, err = postpone(ctx, tx, c, wait, code, class)
		}
		return err
	})
	attrs := []any{"kind", c.Kind, "job", c.ID, "attempt", c.Attempt, "code", code, "class", class}
	switch {
	case err != nil:
		q.trouble(ctx, err)
	case n == 0:
		q.log.WarnContext(ctx, "job finished after its lease", attrs...)
	case dead:
		q.log.ErrorContext(ctx, "job given up", attrs...)
	case failure != nil:
		q.log.WarnContext(ctx, "job failed", attrs...)
	}
}

// RunDue runs, one after the other, everything that is due now: the current
// slots, the jobs, and the jobs that these enqueue. It returns how many
// handlers ran, and their errors joined: a test or a demonstration wants to
// hear of them. A failed job waits for its next attempt, as under Run.
func (q *Queue) RunDue(ctx context.Context) (n int, err error) {
	if err := q.offer(ctx); err != nil {
		return 0, err
	}
	if _, err := q.Tidy(ctx); err != nil {
		return 0, err
	}
	names := q.names()
	if len(names) == 0 {
		return 0, nil
	}
	var failures []error
	for ctx.Err() == nil {
		got, err := claim(ctx, q.c.DB, names, 1, q.c.Lease)
		if err != nil {
			return n, errors.Join(append(failures, err)...)
		}
		if len(got) == 0 {
			return n, errors.Join(failures...)
		}
		c := got[0]
		k := q.kindOf(c.Kind)
		limited, end := context.WithTimeout(ctx, k.timeout)
		failure := q.attempt(limited, k, c)
		end()
		q.settle(context.WithoutCancel(ctx), k, c, failure, ctx.Err() != nil)
		if failure != nil {
			failures = append(failures, fmt.Errorf("jobs: %s: %w", c.Kind, failure))
		}
		n++
	}
	return n, errors.Join(append(failures, ctx.Err())...)
}
