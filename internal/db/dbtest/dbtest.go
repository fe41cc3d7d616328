// Package dbtest gives a test a database of its own.
//
// By default it is an SQLite file in the test's temporary directory. When the
// environment has POSTSTELLE_TEST_PG, the URL of a PostgreSQL server on which
// databases may be created, it is a fresh database there, collation C, dropped
// when the test ends. The same tests run both ways.
package dbtest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver that makes the databases

	"poststelle/internal/db"
)

// Env names the variable with the URL of the PostgreSQL server.
const Env = "POSTSTELLE_TEST_PG"

// New returns an empty database with the given migrations, closed at the end
// of the test.
func New(t testing.TB, migrations ...db.Migrations) *db.DB {
	t.Helper()
	return NewAt(t, nil, migrations...)
}

// NewAt is New with a clock of the test's.
func NewAt(t testing.TB, now func() time.Time, migrations ...db.Migrations) *db.DB {
	t.Helper()
	d := Open(t, db.Config{URL: URL(t), Now: now})
	if err := d.Migrate(t.Context(), migrations...); err != nil {
		t.Fatalf("dbtest: %v", err)
	}
	return d
}

// Open opens a database and closes it at the end of the test. For tests that
// open the same URL again, or need more settings than New gives.
func Open(t testing.TB, c db.Config) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), c)
	if err != nil {
		t.Fatalf("dbtest: %v", err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("dbtest: %v", err)
		}
	})
	return d
}

// URL returns the URL of an empty database that is removed at the end of the
// test.
func URL(t testing.TB) string {
	t.Helper()
	admin := os.Getenv(Env)
	if admin == "" {
		return SQLiteURL(t)
	}
	u, err := url.Parse(admin)
	if err != nil {
		t.Fatalf("dbtest: %s is not a URL", Env)
	}
	name := "test_" + strings.ToLower(rand.Text())
	command(t, admin, `create database `+name+` template template0 encoding 'UTF8' lc_collate 'C' lc_ctype 'C'`)
	t.Cleanup(func() { command(t, admin, `drop database if exists `+name+` with (force)`) })
	u.Path = "/" + name
	return u.String()
}

// SQLiteURL returns the URL of an SQLite file, whatever the environment says.
func SQLiteURL(t testing.TB) string {
	t.Helper()
	return "sqlite:" + filepath.Join(t.TempDir(), "test.db")
}

func command(t testing.TB, admin, q string) {
	t.Helper()
	pool, err := sql.Open("pgx", admin)
	if err != nil {
		t.Fatalf("dbtest: %v", err)
	}
	defer pool.Close()
	if _, err := pool.ExecContext(context.Background(), q); err != nil {
		t.Fatalf("dbtest: %v", err)
	}
}
