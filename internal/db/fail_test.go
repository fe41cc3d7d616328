package db_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"poststelle/internal/db"
	"poststelle/internal/db/dbtest"
	"poststelle/internal/fault"
)

func TestClosed_IsUnavailable(t *testing.T) {
	d := dbtest.New(t, letters())
	put(t, d, "a", "new")
	if err := d.Close(); err != nil {
		t.Fatalf("Close() = %v", err)
	}
	ctx := t.Context()
	never := func(*db.Tx) error { t.Error("a function ran"); return nil }
	_, columns := d.Columns(ctx)
	for name, err := range map[string]error{
		"update":  d.Update(ctx, never),
		"view":    d.View(ctx, never),
		"migrate": d.Migrate(ctx, letters()),
		"scrub":   d.Scrub(ctx),
		"columns": columns,
	} {
		if !errors.Is(err, fault.Unavailable) {
			t.Errorf("%s = %v, want unavailable", name, err)
		}
	}
	if err := d.Close(); err != nil {
		t.Errorf("second Close() = %v", err)
	}
}

// TestClose_AnswersEverybody closes while callers are at work: each gets the
// truth, and what was acknowledged is there.
func TestClose_AnswersEverybody(t *testing.T) {
	url := dbtest.URL(t)
	d := dbtest.Open(t, db.Config{URL: url})
	if err := d.Migrate(t.Context(), letters()); err != nil {
		t.Fatal(err)
	}
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		acked []string
		some  = make(chan struct{})
		once  = sync.OnceFunc(func() { close(some) })
	)
	for i := range 8 {
		wg.Go(func() {
			for n := 0; ; n++ {
				id := fmt.Sprintf("%d-%06d", i, n)
				err := d.Update(t.Context(), func(tx *db.Tx) error { return insert(t, tx, id, "new") })
				if err != nil {
					if !errors.Is(err, fault.Unavailable) {
						t.Errorf("Update() while closing = %v, want unavailable", err)
					}
					return
				}
				mu.Lock()
				acked = append(acked, id)
				if len(acked) > 100 {
					once()
				}
				mu.Unlock()
			}
		})
	}
	<-some
	if err := d.Close(); err != nil {
		t.Errorf("Close() = %v", err)
	}
	wg.Wait()
	slices.Sort(acked)
	if got := ids(t, dbtest.Open(t, db.Config{URL: url})); !slices.Equal(got, acked) {
		t.Errorf("%d rows are there, %d were acknowledged", len(got), len(acked))
	}
}

func TestOpen_Refuses(t *testing.T) {
	for url, want := range map[string]fault.Kind{
		"":                fault.Internal,
		"mysql://x/y":     fault.Internal,
		"sqlite:":         fault.Internal,
		"sqlite::memory:": fault.Internal,
		"sqlite:" + t.TempDir() + "/missing/test.db":                         fault.Unavailable,
		"postgres://nobody:geheim@127.0.0.1:1/none?sslmode=disable":          fault.Unavailable,
		"postgres://nobody:geheim@127.0.0.1:notaport/none?sslmode=unheardof": fault.Internal,
	} {
		d, err := db.Open(t.Context(), db.Config{URL: url})
		if err == nil {
			d.Close()
			t.Errorf("Open(%q) = nil, want an error", url)
			continue
		}
		if fault.KindOf(err) != want {
			t.Errorf("Open(%q) = %v, of kind %v, want %v", url, err, fault.KindOf(err), want)
		}
		if strings.Contains(err.Error(), "geheim") {
			t.Errorf("the error repeats the password: %v", err)
		}
	}
}

func TestSQLite_FileIsPrivate(t *testing.T) {
	url := dbtest.SQLiteURL(t)
	d := dbtest.Open(t, db.Config{URL: url})
	if err := d.Migrate(t.Context(), letters()); err != nil {
		t.Fatal(err)
	}
	put(t, d, "a", "new")
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(strings.TrimPrefix(url, "sqlite:") + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%q has mode %v, want -rw-------", suffix, info.Mode())
		}
	}
}

// TestSQLite_FileDeleted removes the file under a running batch: SQLite would
// go on and acknowledge rows that nobody can ever read.
func TestSQLite_FileDeleted(t *testing.T) {
	url := dbtest.SQLiteURL(t)
	d := dbtest.Open(t, db.Config{URL: url})
	if err := d.Migrate(t.Context(), letters()); err != nil {
		t.Fatal(err)
	}
	release := holdFailing(t, d)
	path := strings.TrimPrefix(url, "sqlite:")
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(path + suffix); err != nil {
			t.Fatal(err)
		}
	}
	if err := release(); !errors.Is(err, fault.Unavailable) {
		t.Errorf("Update() during which the file went = %v, want unavailable", err)
	}
	never := func(tx *db.Tx) error {
		tx.AfterCommit(func() { t.Error("AfterCommit ran without a commit") })
		return insert(t, tx, "a", "new")
	}
	if err := d.Update(t.Context(), never); !errors.Is(err, fault.Unavailable) {
		t.Errorf("Update() = %v, want unavailable", err)
	}
	if err := d.View(t.Context(), func(*db.Tx) error { return nil }); !errors.Is(err, fault.Unavailable) {
		t.Errorf("View() = %v, want unavailable", err)
	}
	// Another file at the place does not help.
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.Update(t.Context(), never); !errors.Is(err, fault.Unavailable) {
		t.Errorf("Update() on a replaced file = %v, want unavailable", err)
	}
}

// holdFailing is hold for an update whose commit cannot succeed.
func holdFailing(t *testing.T, d *db.DB) (release func() error) {
	t.Helper()
	inside, let, ended := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		ended <- d.Update(context.WithoutCancel(t.Context()), func(tx *db.Tx) error {
			tx.AfterCommit(func() { t.Error("AfterCommit ran without a commit") })
			err := insert(t, tx, "held", "new")
			close(inside)
			<-let
			return err
		})
	}()
	<-inside
	return func() error { close(let); return <-ended }
}

// TestSQLite_DiskFull plays a full disk with a bound on the pages of the file.
func TestSQLite_DiskFull(t *testing.T) {
	d := dbtest.Open(t, db.Config{URL: dbtest.SQLiteURL(t)})
	ctx := t.Context()
	if err := d.Migrate(ctx, letters()); err != nil {
		t.Fatal(err)
	}
	if err := d.Update(ctx, func(tx *db.Tx) error {
		var pages int
		return tx.QueryRow(ctx, `pragma max_page_count = 60`).Scan(&pages)
	}); err != nil {
		t.Fatal(err)
	}
	// Each transaction writes two rows; neither may stand without the other.
	var acked []string
	big := make([]byte, 6000)
	var failed error
	for i := 0; i < 100 && failed == nil; i++ {
		id := fmt.Sprintf("%03d", i)
		failed = d.Update(ctx, func(tx *db.Tx) error {
			tx.AfterCommit(func() { acked = append(acked, id+"a", id+"b") })
			for _, half := range []string{"a", "b"} {
				if _, err := tx.Exec(ctx, insertLetter, id+half, "berg", "new", false, big, 0); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if !errors.Is(failed, fault.Unavailable) {
		t.Fatalf("Update() on a full disk = %v, want unavailable", failed)
	}
	if got := ids(t, d); len(acked) == 0 || !slices.Equal(got, acked) {
		t.Errorf("rows = %v, want exactly the acknowledged ones %v", got, acked)
	}
	if err := d.Update(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `delete from letters where tenant = $1 and id = $2`, "berg", acked[0])
		return err
	}); err != nil {
		t.Errorf("making room = %v", err)
	}
}

// TestSQLite_DeletedContentIsGone looks for the bytes of a deleted row in all
// files after Scrub.
func TestSQLite_DeletedContentIsGone(t *testing.T) {
	url := dbtest.SQLiteURL(t)
	d := dbtest.Open(t, db.Config{URL: url})
	ctx := t.Context()
	if err := d.Migrate(ctx, letters()); err != nil {
		t.Fatal(err)
	}
	const mark = "kanarienvogel-4711"
	found := func() (n int) {
		for _, suffix := range []string{"", "-wal"} {
			raw, err := os.ReadFile(strings.TrimPrefix(url, "sqlite:") + suffix)
			if err != nil {
				t.Fatal(err)
			}
			n += strings.Count(string(raw), mark)
		}
		return n
	}
	put(t, d, mark, mark)
	if found() == 0 {
		t.Fatal("the mark is not even there before it is deleted")
	}
	if err := d.Update(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `delete from letters where tenant = $1 and id = $2`, "berg", mark)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if err := d.Scrub(ctx); err != nil {
		t.Fatal(err)
	}
	if n := found(); n != 0 {
		t.Errorf("the deleted mark is found %d times", n)
	}
}
