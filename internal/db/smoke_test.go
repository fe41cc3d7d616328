package db_test

import (
	"errors"
	"testing"
	"testing/fstest"

	"poststelle/internal/db"
	"poststelle/internal/db/dbtest"
	"poststelle/internal/fault"
)

func TestSmoke(t *testing.T) {
	d := dbtest.New(t, db.Migrations{Name: "smoke", FS: fstest.MapFS{"00001_a.sql": {Data: []byte(`-- +goose Up
create table smoke_rows (id text not null primary key, n {int} not null, ok {bool} not null, b {blob}, j {json}) {strict};
`)}}})
	ctx := t.Context()
	if err := d.Update(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `insert into smoke_rows (id, n, ok, b, j) values ($1, $2, $3, $4, $5)`, "a", 1, true, []byte("x"), `{"a":1}`)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	err := d.Update(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `insert into smoke_rows (id, n, ok) values ($1, $2, $3)`, "a", 1, true)
		return err
	})
	if !errors.Is(err, fault.Conflict) {
		t.Errorf("err = %v", err)
	}
	if err := d.View(ctx, func(tx *db.Tx) error {
		var ok bool
		var b []byte
		if err := tx.QueryRow(ctx, `select ok, b from smoke_rows where id = $1`, "a").Scan(&ok, &b); err != nil {
			return err
		}
		if !ok || string(b) != "x" {
			t.Errorf("%v %q", ok, b)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	cols, err := d.Columns(ctx)
	t.Log(cols, err)
	func() {
		defer func() { t.Log(recover()) }()
		d.Update(ctx, func(tx *db.Tx) error { return d.Update(ctx, func(tx *db.Tx) error { return nil }) })
	}()
}
