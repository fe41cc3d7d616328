package app_test

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"poststelle/internal/app"
	"poststelle/internal/blob"
	"poststelle/internal/db"
	"poststelle/internal/tenant"
	"poststelle/internal/web"
)

// filled makes an installation with an authority and one file that no letter
// holds, and closes it.
func filled(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	a := open(t, dir)
	err := a.AddTenants(t.Context(), []tenant.Tenant{{
		ID: "musterstadt", Kind: tenant.Authority, Profile: tenant.Vorlage, Name: "Stadt Musterstadt", ARS: "081110000000", Hosts: []string{"vps.musterstadt.example"},
	}})
	if err == nil {
		_, err = a.Blobs.Put(t.Context(), blob.NewID(), strings.NewReader("sealed"))
	}
	if err := errors.Join(err, a.Close()); err != nil {
		t.Fatal(err)
	}
	return dir
}

func files(t *testing.T, dir string) (n int) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(dir, "blobs"), func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() && len(filepath.Base(filepath.Dir(path))) == 2 {
			n++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// away takes a part of an installation out of dir and returns how to put it back.
func away(t *testing.T, dir string, names ...string) (back func()) {
	t.Helper()
	to := t.TempDir()
	move := func(from, to string) {
		for _, name := range names {
			if err := os.RemoveAll(filepath.Join(to, name)); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(filepath.Join(from, name), filepath.Join(to, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Fatal(err)
			}
		}
	}
	move(dir, to)
	return func() { move(to, dir) }
}

var parts = map[string][]string{
	"database": {"poststelle.db", "poststelle.db-wal", "poststelle.db-shm"}, "vault": {"vault"}, "files": {"blobs"},
}

func refused(t *testing.T, c app.Config, says string) {
	t.Helper()
	c.Light, c.Log = true, slog.New(slog.DiscardHandler)
	a, err := app.Open(t.Context(), c, nil)
	if err == nil {
		err = a.Close()
		t.Errorf("Open() starts (%v), want a refusal that says %q", err, says)
	} else if !strings.Contains(err.Error(), says) {
		t.Errorf("Open() = %v, want a refusal that says %q", err, says)
	}
}

// TestOpen_PartMissing takes one part of an installation away: nothing starts
// beside the others, nothing is deleted, and with the part back all is well.
func TestOpen_PartMissing(t *testing.T) {
	for name, says := range map[string]string{"database": "put the file back", "vault": "put it back", "files": "put back what belongs together"} {
		t.Run(name, func(t *testing.T) {
			dir := filled(t)
			back := away(t, dir, parts[name]...)
			refused(t, app.Config{Data: dir}, says)
			refused(t, app.Config{Data: dir}, says) // the first attempt leaves nothing that lets the second through
			back()
			if err := open(t, dir).Close(); err != nil {
				t.Error(err)
			}
			if n := files(t, dir); n != 1 {
				t.Errorf("%d files are left, want 1", n)
			}
		})
	}
}

// TestOpen_PartExchanged puts a part of another installation in the place of the
// own.
func TestOpen_PartExchanged(t *testing.T) {
	for name, names := range parts {
		t.Run(name, func(t *testing.T) {
			dir, other := filled(t), filled(t)
			for _, n := range names {
				if err := os.RemoveAll(filepath.Join(dir, n)); err != nil {
					t.Fatal(err)
				}
				if err := os.Rename(filepath.Join(other, n), filepath.Join(dir, n)); err != nil && !errors.Is(err, fs.ErrNotExist) {
					t.Fatal(err)
				}
			}
			refused(t, app.Config{Data: dir}, "different installations")
		})
	}
}

// TestOpen_OtherDatabase is a forgotten or mistyped --database: the tables are
// there, and empty.
func TestOpen_OtherDatabase(t *testing.T) {
	dir := filled(t)
	refused(t, app.Config{Data: dir, Database: "sqlite:" + filepath.Join(t.TempDir(), "empty.db")}, "put back what belongs together")
	if n := files(t, dir); n != 1 {
		t.Errorf("%d files are left, want 1", n)
	}
}

// TestOpen_CrashWhileMade takes marks away as a crash of the first start does.
func TestOpen_CrashWhileMade(t *testing.T) {
	for _, missing := range []string{"files", "vault"} {
		dir := t.TempDir()
		if err := open(t, dir).Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(filepath.Join(dir, "blobs", "installation")); err != nil {
			t.Fatal(err)
		}
		if missing == "vault" {
			if err := os.RemoveAll(filepath.Join(dir, "vault")); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			if err := open(t, dir).Close(); err != nil {
				t.Errorf("%s: %v", missing, err)
			}
		}
	}
}

// TestSweepUploads_OnlyOverAged holds that a start removes no file, and that one
// goes when no session can take it any more.
func TestSweepUploads_OnlyOverAged(t *testing.T) {
	dir := filled(t)
	at := func(age time.Duration) *app.App {
		t.Helper()
		a, err := app.Open(t.Context(), app.Config{
			Data: dir, Light: true, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return time.Now().Add(age) },
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	for _, c := range []struct {
		age  time.Duration
		want int
	}{{0, 1}, {web.SessionMax, 1}, {web.SessionMax + time.Hour + time.Minute, 0}} {
		a := at(c.age)
		if err := errors.Join(a.SweepUploads(t.Context()), a.Close()); err != nil {
			t.Error(err)
		}
		if n := files(t, dir); n != c.want {
			t.Errorf("after %v %d files are left, want %d", c.age, n, c.want)
		}
	}
}

// TestSweepUploads_ForeignDatabase exchanges the mark of an open database: from
// then on no file is taken for one that nobody uses.
func TestSweepUploads_ForeignDatabase(t *testing.T) {
	dir := filled(t)
	a, err := app.Open(t.Context(), app.Config{
		Data: dir, Light: true, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return time.Now().Add(24 * time.Hour) },
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = a.DB.Update(t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec(t.Context(), `update app_installation set id = 'another'`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.SweepUploads(t.Context()); err == nil {
		t.Error("SweepUploads() works on a database of another installation")
	}
	if n := files(t, dir); n != 1 {
		t.Errorf("%d files are left, want 1", n)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}

// TestDeclarations_OwnTable compares the declaration of the package's table with
// the schema.
func TestDeclarations_OwnTable(t *testing.T) {
	a := open(t, t.TempDir())
	defer a.Close()
	live, err := a.DB.Columns(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var has, says []string
	for _, c := range live {
		if strings.HasPrefix(c.Table, "app_") {
			has = append(has, c.Table+"."+c.Name)
		}
	}
	for _, d := range app.Declarations() {
		if d.Domain == "app" {
			for _, s := range d.Stores {
				for _, c := range s.Columns() {
					says = append(says, s.Name+"."+c)
				}
			}
		}
	}
	slices.Sort(has)
	slices.Sort(says)
	if len(has) == 0 || !slices.Equal(has, says) {
		t.Errorf("declared %v, want %v", says, has)
	}
}
