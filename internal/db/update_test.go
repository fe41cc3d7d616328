package db_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"poststelle/internal/db"
	"poststelle/internal/db/dbtest"
)

var errOwn = errors.New("own error")

func TestUpdate_FailureIsAlone(t *testing.T) {
	d := dbtest.New(t, letters())
	release := hold(t, d)
	errs := make([]error, 50)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			errs[i] = d.Update(t.Context(), func(tx *db.Tx) error {
				if err := insert(t, tx, fmt.Sprintf("%02d", i), "new"); err != nil {
					return err
				}
				if i == 23 {
					return errOwn
				}
				return nil
			})
		})
	}
	release()
	wg.Wait()
	var want []string
	for i, err := range errs {
		if i == 23 {
			if err != errOwn {
				t.Errorf("error of the failing function = %v, want its own", err)
			}
			continue
		}
		if err != nil {
			t.Errorf("function %d = %v", i, err)
		}
		want = append(want, fmt.Sprintf("%02d", i))
	}
	if got := ids(t, d); !slices.Equal(got, want) {
		t.Errorf("rows = %v, want all but 23", got)
	}
}

// hold starts an Update that does not end before release is called; on SQLite
// whoever comes now has to queue.
func hold(t *testing.T, d *db.DB) (release func()) {
	t.Helper()
	inside, let, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		if err := d.Update(context.WithoutCancel(t.Context()), func(tx *db.Tx) error {
			close(inside)
			<-let
			return nil
		}); err != nil {
			t.Errorf("the holding update = %v", err)
		}
	}()
	<-inside
	return sync.OnceFunc(func() { close(let); <-ended })
}

func TestUpdate_Panic(t *testing.T) {
	d := dbtest.New(t, letters())
	put(t, d, "a", "new")
	func() {
		defer func() {
			v := recover()
			err, ok := v.(error)
			if v != errOwn && !(ok && errors.Is(err, errOwn)) {
				t.Errorf("recovered %v, want the value of the panic", v)
			}
		}()
		_ = d.Update(t.Context(), func(tx *db.Tx) error {
			if err := insert(t, tx, "b", "new"); err != nil {
				t.Errorf("insert: %v", err)
			}
			panic(errOwn)
		})
		t.Error("Update() returned after a panic")
	}()
	put(t, d, "c", "new")
	if got := ids(t, d); !slices.Equal(got, []string{"a", "c"}) {
		t.Errorf("rows = %v, want [a c]", got)
	}
}

func TestUpdate_FunctionEndsItsGoroutine(t *testing.T) {
	d := dbtest.New(t, letters())
	for range 3 {
		var wg sync.WaitGroup
		wg.Go(func() {
			_ = d.Update(t.Context(), func(tx *db.Tx) error {
				if err := insert(t, tx, "a", "new"); err != nil {
					t.Errorf("insert: %v", err)
				}
				runtime.Goexit() // what t.FailNow does
				return nil
			})
			t.Error("Update() returned")
		})
		wg.Wait()
	}
	put(t, d, "b", "new")
	if got := ids(t, d); !slices.Equal(got, []string{"b"}) {
		t.Errorf("rows = %v, want [b]", got)
	}
}

func TestUpdate_ContextEndsWhileWaiting(t *testing.T) {
	d := dbtest.New(t, letters())
	release := hold(t, d)
	defer release()
	ctx, cancel := context.WithCancelCause(t.Context())
	answered := make(chan error)
	go func() {
		answered <- d.Update(ctx, func(tx *db.Tx) error {
			<-ctx.Done()
			return insert(t, tx, "a", "new")
		})
	}()
	cancel(errOwn)
	if err := <-answered; !errors.Is(err, context.Canceled) {
		t.Errorf("Update() = %v, want the end of the context", err)
	}
	release()
	if got := ids(t, d); len(got) != 0 {
		t.Errorf("rows = %v, want none", got)
	}
}

func TestUpdate_ContextEndsWhileRunning(t *testing.T) {
	d := dbtest.New(t, letters())
	release := hold(t, d)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var cancelled error
	others := make([]error, 10)
	wg.Go(func() {
		cancelled = d.Update(ctx, func(tx *db.Tx) error {
			if err := insert(t, tx, "cancelled", "new"); err != nil {
				return err
			}
			cancel()
			_, err := tx.Exec(ctx, `update letters set state = 'x' where tenant = $1`, "berg")
			return err
		})
	})
	for i := range others {
		wg.Go(func() {
			others[i] = d.Update(t.Context(), func(tx *db.Tx) error { return insert(t, tx, fmt.Sprint(i), "new") })
		})
	}
	release()
	wg.Wait()
	if !errors.Is(cancelled, context.Canceled) {
		t.Errorf("Update() = %v, want context.Canceled", cancelled)
	}
	if err := errors.Join(others...); err != nil {
		t.Errorf("others suffered: %v", err)
	}
	if got := ids(t, d); len(got) != len(others) || slices.Contains(got, "cancelled") {
		t.Errorf("rows = %v, want those of the others", got)
	}
}

func TestUpdate_ContextEndedBefore(t *testing.T) {
	d := dbtest.New(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, run := range map[string]func(context.Context, func(*db.Tx) error) error{"update": d.Update, "view": d.View} {
		if err := run(ctx, func(*db.Tx) error { t.Errorf("%s: the function ran", name); return nil }); !errors.Is(err, context.Canceled) {
			t.Errorf("%s = %v, want context.Canceled", name, err)
		}
	}
}

func TestView_ContextEndsWhileRunning(t *testing.T) {
	d := dbtest.New(t)
	ctx, cancel := context.WithCancel(t.Context())
	// A query without end: only the context stops it.
	err := d.View(ctx, func(tx *db.Tx) error {
		rows, err := tx.Query(ctx, `with recursive n(i) as (select 1 union all select i + 1 from n) select i from n`)
		if err != nil {
			return err
		}
		for i := 0; rows.Next(); i++ {
			if i == 10 {
				cancel()
			}
		}
		return rows.Err()
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("View() = %v, want context.Canceled", err)
	}
	if err := d.View(t.Context(), func(tx *db.Tx) error { return nil }); err != nil {
		t.Errorf("View() afterwards = %v", err)
	}
}

func TestAfterCommit(t *testing.T) {
	d := dbtest.New(t, letters())
	var got []string
	if err := d.Update(t.Context(), func(tx *db.Tx) error {
		tx.AfterCommit(func() {
			// Committed, and outside: a transaction can be started.
			got = append(got, "first "+strings.Join(ids(t, d), ","))
		})
		tx.AfterCommit(func() { got = append(got, "second") })
		return insert(t, tx, "a", "new")
	}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"first a", "second"}; !slices.Equal(got, want) {
		t.Errorf("calls = %q, want %q", got, want)
	}
}

func TestAfterCommit_NotAfterRollback(t *testing.T) {
	d := dbtest.New(t, letters())
	put(t, d, "a", "new")
	never := func() { t.Error("called after a roll-back") }
	if err := d.Update(t.Context(), func(tx *db.Tx) error { tx.AfterCommit(never); return errOwn }); err != errOwn {
		t.Errorf("Update() = %v, want the own error", err)
	}
	if err := d.Update(t.Context(), func(tx *db.Tx) error {
		tx.AfterCommit(never)
		_ = insert(t, tx, "a", "again")
		return nil
	}); err == nil {
		t.Error("Update() = nil after a failed statement")
	}
	func() {
		defer func() { _ = recover() }()
		_ = d.Update(t.Context(), func(tx *db.Tx) error { tx.AfterCommit(never); panic("x") })
	}()
}

func TestNested_Panics(t *testing.T) {
	d := dbtest.New(t)
	ctx := t.Context()
	type run = func(context.Context, func(*db.Tx) error) error
	for name, pair := range map[string][2]run{
		"update in update": {d.Update, d.Update},
		"view in update":   {d.Update, d.View},
		"update in view":   {d.View, d.Update},
		"view in view":     {d.View, d.View},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if v := recover(); !strings.Contains(fmt.Sprint(v), "transactions do not nest") {
					t.Errorf("recovered %v, want a panic that says what is wrong", v)
				}
			}()
			_ = pair[0](ctx, func(*db.Tx) error {
				return pair[1](ctx, func(*db.Tx) error { return nil })
			})
			t.Error("no panic")
		})
	}
}

func TestView_DoesNotWaitForUpdate(t *testing.T) {
	d := dbtest.New(t, letters())
	put(t, d, "a", "new")
	seen := make(chan []string)
	err := d.Update(t.Context(), func(tx *db.Tx) error {
		if err := insert(t, tx, "b", "new"); err != nil {
			return err
		}
		go func() { seen <- ids(t, d) }()
		if got := <-seen; !slices.Equal(got, []string{"a"}) {
			t.Errorf("rows seen meanwhile = %v, want [a]", got)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestTx_UselessAfterwards(t *testing.T) {
	d := dbtest.New(t, letters())
	var kept *db.Tx
	if err := d.Update(t.Context(), func(tx *db.Tx) error { kept = tx; return nil }); err != nil {
		t.Fatal(err)
	}
	if err := insert(t, kept, "a", "new"); err == nil {
		t.Error("a statement ran after the end of its transaction")
	}
	if got := ids(t, d); len(got) != 0 {
		t.Errorf("rows = %v, want none", got)
	}
}
