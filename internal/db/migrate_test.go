package db_test

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"poststelle/internal/db"
	"poststelle/internal/db/dbtest"
)

func migration(name, sql string) fstest.MapFS {
	return fstest.MapFS{name: {Data: []byte("-- +goose Up\n" + sql)}}
}

func tables(t *testing.T, d *db.DB) []string {
	t.Helper()
	columns, err := d.Columns(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range columns {
		names = append(names, c.Table)
	}
	return slices.Compact(names)
}

func TestMigrate(t *testing.T) {
	d := dbtest.New(t)
	ctx := t.Context()
	first := db.Migrations{Name: "first", FS: migration("00001_a.sql", "create table first_a (id text primary key) {strict};")}
	second := db.Migrations{Name: "second", FS: migration("00001_b.sql", "create table second_b (id text references first_a (id)) {strict};")}
	for range 2 { // the second time there is nothing to do
		if err := d.Migrate(ctx, first, second, db.Migrations{Name: "empty", FS: fstest.MapFS{}}); err != nil {
			t.Fatal(err)
		}
	}
	if got := tables(t, d); !slices.Equal(got, []string{"first_a", "second_b"}) {
		t.Errorf("tables = %v", got)
	}
	first.FS.(fstest.MapFS)["00002_c.sql"] = &fstest.MapFile{Data: []byte("-- +goose Up\nalter table first_a add column n {int};")}
	if err := d.Migrate(ctx, first, second); err != nil {
		t.Fatal(err)
	}
	columns, err := d.Columns(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range columns {
		got = append(got, c.Table+"."+c.Name)
	}
	if want := []string{"first_a.id", "first_a.n", "second_b.id"}; !slices.Equal(got, want) {
		t.Errorf("columns = %v, want %v", got, want)
	}
}

func TestMigrate_FailureLeavesNothing(t *testing.T) {
	d := dbtest.New(t)
	err := d.Migrate(t.Context(), db.Migrations{Name: "broken", FS: migration("00001_a.sql",
		"create table broken_a (id text);\ncreate table broken_b (id nonsense!);")})
	if err == nil {
		t.Fatal("Migrate() = nil")
	}
	if got := tables(t, d); len(got) != 0 {
		t.Errorf("tables = %v, want none", got)
	}
}

func TestMigrate_Refuses(t *testing.T) {
	d := dbtest.New(t)
	for want, m := range map[string]db.Migrations{
		"{text}":      {Name: "words", FS: migration("00001_a.sql", "create table words (id {text});")},
		"domain name": {Name: "Not A Name", FS: migration("00001_a.sql", "create table x (id text);")},
		"no files":    {Name: "none"},
	} {
		if err := d.Migrate(t.Context(), m); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Migrate() = %v, want an error that names %q", err, want)
		}
	}
}

// TestColumns_Types shows what the words of migrations become.
func TestColumns_Types(t *testing.T) {
	d := dbtest.New(t, letters())
	columns, err := d.Columns(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := "letters.id text, letters.tenant text, letters.state text, letters.urgent integer, letters.body blob, letters.meta text, letters.version integer, letters.at integer, stamps.id text, stamps.letter text, stamps.value integer"
	if d.Engine() == "postgres" {
		want = "letters.id text, letters.tenant text, letters.state text, letters.urgent boolean, letters.body bytea, letters.meta jsonb, letters.version bigint, letters.at bigint, stamps.id text, stamps.letter text, stamps.value bigint"
	}
	var got []string
	for _, c := range columns {
		got = append(got, c.Table+"."+c.Name+" "+c.Type)
	}
	if s := strings.Join(got, ", "); s != want {
		t.Errorf("columns = %s\nwant %s", s, want)
	}
}
