package blob_test

import (
	"slices"
	"testing"

	"poststelle/internal/db"
	"poststelle/internal/personal"
)

// census compares the live schema with what is declared.
func census(t *testing.T, d *db.DB, stores []personal.Store) {
	t.Helper()
	cols, err := d.Columns(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var live, declared []string
	for _, c := range cols {
		live = append(live, c.Table+"."+c.Name)
	}
	for _, s := range stores {
		if s.Kind.Columnar() {
			for _, c := range s.Columns() {
				declared = append(declared, s.Name+"."+c)
			}
		}
	}
	slices.Sort(live)
	slices.Sort(declared)
	if !slices.Equal(live, declared) {
		t.Errorf("columns\n live     %v\n declared %v", live, declared)
	}
}
