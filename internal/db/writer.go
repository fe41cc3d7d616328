package db

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"poststelle/internal/fault"
)

// A batch ends when nobody waits, or at one of these bounds.
const (
	maxBatch     = 512
	maxBatchTime = 25 * time.Millisecond
)

// writer runs the functions of all callers of Update, many to a commit.
//
// All state of a batch is in the struct, not on the stack: a function may end
// the goroutine (runtime.Goexit, as t.FailNow does), and then another one goes
// on where it stopped.
type writer struct {
	s       *session
	present func() error
	log     *slog.Logger
	queue   chan *request

	mu     sync.RWMutex // held for reading while sending to queue
	closed bool
	ended  chan struct{}

	batch []*request
	begun time.Time
	dead  error // why the transaction of the batch is lost
}

// Whether a request has been begun is decided once, by whoever swaps first.
const (
	waiting int32 = iota
	taken
	left
)

type request struct {
	fn    func(runner) error
	state atomic.Int32
	done  chan struct{}

	err      error
	panicked *Panic
	exited   bool // fn ended its goroutine
}

// Panic is what a caller of Update panics with when its function panicked on
// the goroutine of the writer: the value and where it happened.
type Panic struct {
	Value any
	Stack []byte
}

// Error returns the value and the stack.
func (p *Panic) Error() string { return fmt.Sprintf("db: panic in update: %v\n\n%s", p.Value, p.Stack) }

// Unwrap returns the value if it is an error.
func (p *Panic) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

func startWriter(s *session, present func() error, log *slog.Logger) *writer {
	s.shield = true
	w := &writer{s: s, present: present, log: log, queue: make(chan *request, maxBatch), ended: make(chan struct{})}
	go w.loop()
	return w
}

// stop lets the writer answer who waits, and returns when it has ended.
func (w *writer) stop() {
	w.mu.Lock()
	w.closed = true
	close(w.queue)
	w.mu.Unlock()
	<-w.ended
}

// do hands fn to the writer and waits for the commit.
func (w *writer) do(ctx context.Context, fn func(runner) error) error {
	r := &request{fn: fn, done: make(chan struct{})}
	w.mu.RLock()
	if w.closed {
		w.mu.RUnlock()
		return errClosed
	}
	select {
	case w.queue <- r:
		w.mu.RUnlock()
	case <-ctx.Done():
		w.mu.RUnlock()
		return ctx.Err()
	}
	select {
	case <-r.done:
	case <-ctx.Done():
		if r.state.CompareAndSwap(waiting, left) {
			return ctx.Err()
		}
		<-r.done // it runs, or has run: only its outcome is the truth
	}
	if r.panicked != nil {
		panic(r.panicked)
	}
	if r.exited {
		runtime.Goexit()
	}
	return r.err
}

func (w *writer) loop() {
	finished := false
	defer func() {
		if !finished {
			go w.loop()
		}
	}()
	for {
		if len(w.batch) == 0 {
			r, ok := <-w.queue
			if !ok {
				break
			}
			if !r.state.CompareAndSwap(waiting, taken) {
				continue
			}
			w.begin(r)
		}
		w.fill()
		w.commit()
	}
	finished = true
	close(w.ended)
}

func (w *writer) begin(first *request) {
	w.batch = append(w.batch, first)
	w.begun = time.Now()
	w.dead = w.present()
	if w.dead == nil {
		w.dead = w.s.do("begin immediate")
	}
	w.step(first)
}

// fill runs whoever else waits.
func (w *writer) fill() {
	for len(w.batch) < maxBatch && w.dead == nil && time.Since(w.begun) < maxBatchTime {
		select {
		case r, ok := <-w.queue:
			if !ok {
				return
			}
			if !r.state.CompareAndSwap(waiting, taken) {
				continue
			}
			w.batch = append(w.batch, r)
			w.step(r)
		default:
			return
		}
	}
}

// step runs one function inside its savepoint.
func (w *writer) step(r *request) {
	if w.dead != nil {
		return
	}
	if w.dead = w.s.do("savepoint f"); w.dead != nil {
		return
	}
	returned := false
	defer func() {
		if !returned {
			if v := recover(); v != nil {
				r.panicked = &Panic{Value: v, Stack: debug.Stack()}
			} else {
				r.exited = true
			}
			r.err = errors.New("db: the function did not return")
		}
		if r.err != nil {
			// Some errors (full, I/O) end the whole transaction; then there
			// is no savepoint to go back to, and the others lost theirs too.
			if err := w.s.do("rollback to f"); err != nil {
				w.dead = err
				return
			}
		}
		if err := w.s.do("release f"); err != nil {
			w.dead = err
		}
	}()
	r.err = r.fn(w.s)
	returned = true
}

// commit makes the batch durable and answers everybody.
func (w *writer) commit() {
	if w.dead == nil {
		w.dead = w.present()
	}
	if w.dead == nil {
		w.dead = w.s.do("commit")
	}
	if w.dead != nil {
		w.log.Error("db: commit failed", "err", w.dead, "functions", len(w.batch))
		_ = w.s.do("rollback") // fails when the engine has rolled back itself
	}
	batch := w.batch
	for _, r := range batch {
		if w.dead != nil && r.err == nil {
			r.err = fmt.Errorf("commit: %w: %w", fault.Unavailable, w.dead)
		}
		close(r.done)
	}
	w.batch, w.dead = batch[:0], nil
	clear(batch)
}
