package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"poststelle/internal/fault"
)

// runner runs statements inside one transaction of one engine.
type runner interface {
	exec(ctx context.Context, q string, args []any) (int64, error)
	// query returns rows and a function that must be called after they are
	// closed.
	query(ctx context.Context, q string, args []any) (*sql.Rows, func(), error)
}

// Tx is a transaction. It is valid only inside the function it was given to,
// and only on that goroutine.
type Tx struct {
	// Now is the moment of the transaction, UTC, whole milliseconds.
	Now time.Time

	ctx    context.Context
	run    runner
	name   string
	after  []func()
	open   []*Rows
	failed error
	done   bool
}

var (
	errDone = errors.New("db: the transaction has ended")
	errOpen = errors.New("db: rows of an earlier query are still open")
	errTime = errors.New("db: a time is stored as milliseconds, see Millis")
)

// ready tells why a statement cannot be run. What PostgreSQL would refuse is
// refused on SQLite too, so that the tests of one speak for both.
func (tx *Tx) ready(ctx context.Context, args []any) error {
	switch {
	case tx.done:
		return errDone
	case tx.failed != nil:
		return tx.failed
	case len(tx.open) > 0:
		return tx.fail(ctx, errOpen)
	}
	for _, a := range args {
		switch a.(type) {
		case time.Time, *time.Time:
			return tx.fail(ctx, errTime)
		}
	}
	if err := ctx.Err(); err != nil {
		return tx.fail(ctx, err)
	}
	// The context of the transaction counts even where the function uses
	// another one: its caller is no longer waiting.
	if err := tx.ctx.Err(); err != nil {
		return tx.fail(tx.ctx, err)
	}
	return nil
}

// fail remembers the first error, after which no statement runs.
func (tx *Tx) fail(ctx context.Context, err error) error {
	err = kinded(ctx, err)
	if tx.failed == nil {
		tx.failed = err
	}
	return err
}

// end closes the rows that the function left open.
func (tx *Tx) end() {
	tx.done = true
	for _, r := range tx.open {
		r.Close()
	}
	tx.open = nil
}

// Exec runs a statement and returns how many rows it changed.
func (tx *Tx) Exec(ctx context.Context, q string, args ...any) (rows int64, err error) {
	if err := tx.ready(ctx, args); err != nil {
		return 0, err
	}
	rows, err = tx.run.exec(ctx, q, args)
	if err != nil {
		return 0, tx.fail(ctx, err)
	}
	return rows, nil
}

// Query runs a statement that returns rows. The caller closes them; what is
// left open is closed at the end of the transaction. No other statement can
// run until then: collect first, then go on (see Collect).
func (tx *Tx) Query(ctx context.Context, q string, args ...any) (*Rows, error) {
	if err := tx.ready(ctx, args); err != nil {
		return nil, err
	}
	rows, release, err := tx.run.query(ctx, q, args)
	if err != nil {
		return nil, tx.fail(ctx, err)
	}
	r := &Rows{tx: tx, ctx: ctx, rows: rows, release: release}
	tx.open = append(tx.open, r)
	return r, nil
}

// QueryRow runs a statement of which the first row matters. Errors come from
// Scan.
func (tx *Tx) QueryRow(ctx context.Context, q string, args ...any) *Row {
	rows, err := tx.Query(ctx, q, args...)
	return &Row{rows: rows, err: err}
}

// AfterCommit registers a function to be called after the transaction is
// durable, outside of it, on the goroutine that called Update and before
// Update returns. Functions run in the order in which they were registered,
// and not at all when the transaction is rolled back. They may start
// transactions. In a View they run when the snapshot is given back.
func (tx *Tx) AfterCommit(fn func()) { tx.after = append(tx.after, fn) }

// SkipLocked returns the clause by which a SELECT locks its rows and passes
// over those that others have locked; it is empty on SQLite, where there is
// one writer. For package jobs only.
func (tx *Tx) SkipLocked() string {
	if tx.name == "postgres" {
		return "for update skip locked"
	}
	return ""
}

// Scanner is one row: a *Row or a *Rows.
type Scanner interface {
	Scan(dest ...any) error
}

// Row is the first row of a result.
type Row struct {
	rows *Rows
	err  error
}

// Scan copies the columns into dest. Without a row it returns
// fault.NotFound, which does not end the transaction.
func (r *Row) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	defer r.rows.Close()
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return err
		}
		return fmt.Errorf("db: no row: %w", fault.NotFound)
	}
	if err := r.rows.Scan(dest...); err != nil {
		return err
	}
	r.rows.Close()
	return r.rows.Err()
}

// Rows are the rows of a result, read one after the other.
type Rows struct {
	tx      *Tx
	ctx     context.Context
	rows    *sql.Rows
	release func()
	err     error
}

// Next goes to the next row and reports whether there is one. Afterwards Err
// says whether the end was reached or an error met.
func (r *Rows) Next() bool {
	if r.err != nil || r.rows == nil {
		return false
	}
	if r.tx.ctx.Err() != nil {
		r.err = r.tx.fail(r.tx.ctx, r.tx.ctx.Err())
		return false
	}
	return r.rows.Next()
}

// Scan copies the columns of the present row into dest.
func (r *Rows) Scan(dest ...any) error {
	if r.rows == nil {
		return errDone
	}
	if err := r.rows.Scan(dest...); err != nil {
		return fmt.Errorf("db: scan: %w", err)
	}
	return nil
}

// Err returns the error that ended Next, or nil.
func (r *Rows) Err() error {
	if r.err == nil && r.rows != nil {
		if err := r.rows.Err(); err != nil {
			r.err = r.tx.fail(r.ctx, err)
		}
	}
	return r.err
}

// Close releases the rows. It can be called any number of times.
func (r *Rows) Close() {
	if r.rows == nil {
		return
	}
	err := r.rows.Close()
	if e := r.rows.Err(); e != nil {
		err = e
	}
	if err != nil && r.err == nil {
		r.err = r.tx.fail(r.ctx, err)
	}
	r.rows = nil
	if r.release != nil {
		r.release()
	}
	for i, open := range r.tx.open {
		if open == r {
			r.tx.open = append(r.tx.open[:i], r.tx.open[i+1:]...)
			break
		}
	}
}

// Collect runs a query and returns one value per row, in order. With no rows
// it returns an empty slice. scan calls Scan once.
func Collect[T any](ctx context.Context, tx *Tx, scan func(Scanner) (T, error), q string, args ...any) ([]T, error) {
	rows, err := tx.Query(ctx, q, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return all, nil
}
