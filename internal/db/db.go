// Package db opens the database, SQLite or PostgreSQL, and runs transactions.
//
// It is the only package that knows which of the two it is. A domain writes
// one SQL text with $1, $2 … and uses it on both; the few words that must
// differ exist only in migrations (see [Migrations]).
//
// # Transactions
//
// [DB.View] runs a function on a consistent snapshot, [DB.Update] in a
// transaction that can write. The function gets a [Tx], whose Now is fixed for
// the whole transaction. What the function must observe:
//
//   - It may run more than once: PostgreSQL repeats it after a serialisation
//     failure or a deadlock. Whatever it computes must start afresh.
//   - No network, no mail, no waiting inside; enqueue a job instead. On SQLite
//     one slow function delays every other writer.
//   - Never nest. Calling View or Update inside a function panics.
//   - A failed statement ends the transaction: the next one returns the same
//     error and nothing is committed, even if the function returns nil.
//     PostgreSQL is like that, and SQLite is made alike. "Insert, and on
//     conflict read" is written ON CONFLICT.
//   - A panic rolls back and goes on in the caller.
//
// When Update returns nil, the change is on disk. When it returns an error,
// nothing of it is; with one exception that no client of a server can avoid:
// if the connection to PostgreSQL breaks during the commit, the answer is
// Unavailable although the change may have been made.
//
// # Group commit
//
// On SQLite all functions run on one goroutine, the writer. It takes whatever
// is waiting, runs each function in a SAVEPOINT of its own, commits all with
// one fsync, and then answers. A function that fails or panics loses only its
// own changes; a caller whose context ends is answered without disturbing the
// others. So thousands of durable transactions a second are possible where
// the disk can sync a few hundred times.
//
// # Errors
//
// Errors carry a kind of package fault, found by code and never by text:
// a unique value that exists, or a row that is still referred to, is Conflict;
// a database that is locked, full, broken, closed or gone is Unavailable; no
// row is NotFound. A context that ended is context.Canceled or
// context.DeadlineExceeded and has no kind.
//
// # Conventions
//
// Ids are text. Times are UTC milliseconds in an {int} column, see [Millis].
// Booleans are passed and scanned as Go bool. JSON is text to Go. Foreign keys
// are never deferred: on SQLite a violation at commit would hit strangers.
// Sorting by text is byte order on both.
package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"poststelle/internal/fault"
)

// Config says which database to open.
type Config struct {
	// URL is "sqlite:/path/to/file.db" or "postgres://user:password@host/name".
	// It may hold a password and is never logged.
	URL string
	// Now tells the time; nil means time.Now.
	Now func() time.Time
	// Log receives what an operator must know; nil discards it.
	Log *slog.Logger
	// ReadConns is how many functions can read at the same time on SQLite,
	// and the size of the whole pool on PostgreSQL. 0 means 8 and 16.
	ReadConns int
}

// DB is an open database. It is safe for use by many goroutines.
type DB struct {
	engine engine
	now    func() time.Time
	log    *slog.Logger
	closed atomic.Bool
}

// engine is one of the two databases. Its functions return errors as the
// driver gave them, or of package fault.
type engine interface {
	name() string
	view(ctx context.Context, fn func(runner) error) error
	// update runs fn in a transaction that can write. An error of fn is
	// returned as it is.
	update(ctx context.Context, fn func(runner) error) error
	// migrator returns a pool of its own for migrations; the caller closes it.
	migrator(ctx context.Context) (*sql.DB, error)
	scrub(ctx context.Context) error
	close() error
}

// Open opens the database and checks that it answers. An SQLite file is
// created if there is none; a PostgreSQL database must exist. Tables are made
// by Migrate. The caller closes the database.
func Open(ctx context.Context, c Config) (*DB, error) {
	d := &DB{now: c.Now, log: c.Log}
	if d.now == nil {
		d.now = time.Now
	}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	scheme, rest, ok := strings.Cut(c.URL, ":")
	if !ok {
		return nil, errors.New("db: open: the URL must start with sqlite or postgres and a colon")
	}
	var err error
	switch scheme {
	case "sqlite":
		d.engine, err = openSQLite(ctx, rest, c.ReadConns, d.log)
	case "postgres", "postgresql":
		d.engine, err = openPostgres(ctx, c.URL, c.ReadConns)
	default:
		return nil, fmt.Errorf("db: open: unknown scheme %q", scheme)
	}
	if err != nil {
		return nil, fmt.Errorf("db: open: %w", kinded(ctx, err))
	}
	return d, nil
}

// Close waits for the running transactions, refuses new ones with
// fault.Unavailable and releases everything. On SQLite the write-ahead log is
// moved into the file and emptied. A second call does nothing.
func (d *DB) Close() error {
	if d.closed.Swap(true) {
		return nil
	}
	if err := d.engine.close(); err != nil {
		return fmt.Errorf("db: close: %w", kinded(context.Background(), err))
	}
	return nil
}

// Engine returns "sqlite" or "postgres". For banners and tests only: a domain
// that asks has a statement that should be written for both.
func (d *DB) Engine() string { return d.engine.name() }

// Now returns the present moment as it would be fixed in a transaction: UTC,
// whole milliseconds.
func (d *DB) Now() time.Time { return d.now().UTC().Truncate(time.Millisecond) }

// Scrub makes deleted data disappear from the places where the engine keeps
// it a while longer: the write-ahead log of SQLite is written back and
// truncated (deleted pages are zeroed already, secure_delete), PostgreSQL
// vacuums its tables. It is a step of erasure, and slow.
func (d *DB) Scrub(ctx context.Context) error {
	if d.closed.Load() {
		return fmt.Errorf("db: scrub: %w", errClosed)
	}
	if err := d.engine.scrub(ctx); err != nil {
		return fmt.Errorf("db: scrub: %w", kinded(ctx, err))
	}
	return nil
}

// View runs fn on a snapshot of the database. Writing fails. Errors of fn come
// back as they are.
func (d *DB) View(ctx context.Context, fn func(tx *Tx) error) error {
	return d.run(ctx, "view", d.engine.view, fn)
}

// Update runs fn in a transaction that can write, and returns nil only when
// the change is durable. fn may run more than once. Errors of fn come back as
// they are, after a roll-back. Functions registered with Tx.AfterCommit run
// before Update returns, on the goroutine of the caller.
//
// If ctx ends while the function waits for its turn, it is not run. If ctx
// ends while it runs, its next statement fails. If ctx ends later, the outcome
// of the commit is returned all the same.
func (d *DB) Update(ctx context.Context, fn func(tx *Tx) error) error {
	return d.run(ctx, "update", d.engine.update, fn)
}

var errClosed = fmt.Errorf("the database is closed: %w", fault.Unavailable)

type running = func(ctx context.Context, fn func(runner) error) error

func (d *DB) run(ctx context.Context, what string, engine running, fn func(tx *Tx) error) error {
	if nested() {
		panic("db: " + what + " inside a transaction: use the tx at hand, transactions do not nest")
	}
	if d.closed.Load() {
		return fmt.Errorf("db: %s: %w", what, errClosed)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("db: %s: %w", what, err)
	}
	var (
		tx    *Tx
		fnErr error
	)
	err := engine(ctx, func(r runner) error {
		tx = &Tx{Now: d.Now(), ctx: ctx, run: r, name: d.engine.name()}
		fnErr = call(fn, tx)
		if fnErr != nil && lostRace(tx.failed) && !lostRace(fnErr) {
			// The function made an error of its own of it; the engine must
			// see the cause to try again.
			return fmt.Errorf("%w (%w)", fnErr, tx.failed)
		}
		return fnErr
	})
	if err != nil {
		if fnErr != nil && errors.Is(err, fnErr) {
			return fnErr
		}
		return fmt.Errorf("db: %s: %w", what, kinded(ctx, err))
	}
	for _, hook := range tx.after {
		hook()
	}
	return nil
}

// call runs the function of a transaction and closes what it left open. Every
// function runs below this frame, by which nested recognises it.
//
//go:noinline
func call(fn func(tx *Tx) error, tx *Tx) error {
	defer tx.end()
	if err := fn(tx); err != nil {
		return err
	}
	return tx.failed
}

// Millis returns t as it is stored: milliseconds since 1970, UTC. The zero
// time is 0.
func Millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// Time returns the moment that Millis stored, in UTC; 0 is the zero time.
func Time(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// In returns n placeholders for an IN clause, the first numbered first:
// In(3, 2) is "$3, $4". With n = 0 it is "null", which no value equals.
func In(first, n int) string {
	if n <= 0 {
		return "null"
	}
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "$%d", first+i)
	}
	return b.String()
}
