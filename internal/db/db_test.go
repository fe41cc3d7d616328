package db_test

import (
	"os"
	"testing"
	"testing/fstest"

	"go.uber.org/goleak"

	"poststelle/internal/db"
)

// TestMain also plays the child that is killed, see kill_test.go.
func TestMain(m *testing.M) {
	if url := os.Getenv(childEnv); url != "" {
		child(url)
		return
	}
	goleak.VerifyTestMain(m)
}

// letters is the domain that the tests of this package write to.
func letters() db.Migrations {
	return db.Migrations{Name: "letters", FS: fstest.MapFS{
		"migrations/00001_letters.sql": {Data: []byte(`-- +goose Up
create table letters (
	id      text   not null primary key,
	tenant  text   not null,
	state   text   not null,
	urgent  {bool} not null,
	body    {blob},
	meta    {json},
	version {int}  not null default 1,
	at      {int}  not null
) {strict};
create index letters_page on letters (tenant, at, id);

create table stamps (
	id     text  not null primary key,
	letter text  not null references letters (id),
	value  {int} not null
) {strict};
`)},
	}}
}

const insertLetter = `
	insert into letters (id, tenant, state, urgent, body, at)
	values ($1, $2, $3, $4, $5, $6)`

// put stores one letter of tenant berg.
func put(t testing.TB, d *db.DB, id, state string) {
	t.Helper()
	if err := d.Update(t.Context(), func(tx *db.Tx) error { return insert(t, tx, id, state) }); err != nil {
		t.Fatalf("put %s: %v", id, err)
	}
}

func insert(t testing.TB, tx *db.Tx, id, state string) error {
	_, err := tx.Exec(t.Context(), insertLetter, id, "berg", state, false, []byte("text"), db.Millis(tx.Now))
	return err
}

// ids returns the ids of all letters in order.
func ids(t testing.TB, d *db.DB) []string {
	t.Helper()
	var all []string
	if err := d.View(t.Context(), func(tx *db.Tx) (err error) {
		all, err = db.Collect(t.Context(), tx, func(s db.Scanner) (id string, err error) {
			return id, s.Scan(&id)
		}, `select id from letters where tenant = $1 order by id`, "berg")
		return err
	}); err != nil {
		t.Fatalf("ids: %v", err)
	}
	return all
}
