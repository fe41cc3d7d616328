package tenant_test

import (
	"errors"
	"testing"

	"poststelle/internal/db"
	"poststelle/internal/db/dbtest"
	"poststelle/internal/fault"
	"poststelle/internal/journal"
	"poststelle/internal/tenant"
)

func TestSetModule(t *testing.T) {
	d := dbtest.New(t, journal.Migrations(), tenant.Migrations())
	host := town("betreiber")
	host.Kind, host.ARS = tenant.Operator, ""
	if err := tenant.Add(t.Context(), d, town("aachdorf"), host); err != nil {
		t.Fatal(err)
	}
	want := func(id tenant.ID, m tenant.Module, on bool) {
		t.Helper()
		of, ok := directory(t, d).ByID(id)
		if !ok || of.Has(m) != on {
			t.Errorf("%s has %s = %v, want %v", id, m, of.Has(m), on)
		}
	}
	for _, m := range tenant.Modules() {
		want("aachdorf", m, false)
		want("betreiber", m, true)
	}
	for _, c := range []struct {
		id tenant.ID
		on bool
	}{{"aachdorf", true}, {"aachdorf", true}, {"betreiber", false}, {"betreiber", false}} {
		if err := tenant.SetModule(t.Context(), d, c.id, tenant.Newsletter, c.on); err != nil {
			t.Fatal(err)
		}
		want(c.id, tenant.Newsletter, c.on)
		want(c.id, tenant.Blog, c.id == "betreiber")
	}
	if err := tenant.SetModule(t.Context(), d, "nirgendwo", tenant.Blog, true); !errors.Is(err, fault.NotFound) {
		t.Errorf("SetModule() of an unknown tenant = %v, want NotFound", err)
	}
	if err := tenant.SetModule(t.Context(), d, "aachdorf", "wetter", true); !errors.Is(err, fault.Invalid) {
		t.Errorf("SetModule() of no module = %v, want Invalid", err)
	}
	var deeds int
	err := d.View(t.Context(), func(tx *db.Tx) error {
		return tx.QueryRow(t.Context(), `select count(*) from journal_entries where action in ('module.on', 'module.off')`).Scan(&deeds)
	})
	if err != nil || deeds != 4 {
		t.Errorf("%d switches in the journal (%v), want 4", deeds, err)
	}
}
