package tenant_test

import (
	"context"
	"errors"
	"testing"

	"poststelle/internal/db"
	"poststelle/internal/db/dbtest"
	"poststelle/internal/fault"
	"poststelle/internal/journal"
	"poststelle/internal/tenant"
)

// actions returns what the journal says about an object, newest first.
func actions(t *testing.T, d *db.DB, of, object string) []string {
	t.Helper()
	var out []string
	err := d.View(t.Context(), func(tx *db.Tx) error {
		items, err := journal.List(t.Context(), tx, of, object, 10)
		for _, i := range items {
			if i.Actor != "cli" {
				t.Errorf("actor of %s is %q, want cli", i.Action, i.Actor)
			}
			out = append(out, i.Action)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func wantActions(t *testing.T, d *db.DB, of, object string, want ...string) {
	t.Helper()
	got := map[string]int{}
	for _, a := range actions(t, d, of, object) {
		got[a]++
	}
	for _, a := range want {
		if got[a] != 1 {
			t.Errorf("journal of %s/%s has %s %d times, want once", of, object, a, got[a])
		}
	}
	if len(got) != len(want) {
		t.Errorf("journal of %s/%s has %v, want %v", of, object, got, want)
	}
}

func TestDeedsAreInTheJournal(t *testing.T) {
	d := dbtest.New(t, journal.Migrations(), tenant.Migrations())
	ctx := t.Context()
	if err := tenant.Add(ctx, d, town("aachdorf")); err != nil {
		t.Fatal(err)
	}
	if err := tenant.AddMailbox(ctx, d, tenant.Mailbox{Tenant: "aachdorf", ID: "kasse", Name: "Kasse"}); err != nil {
		t.Fatal(err)
	}
	one, err := tenant.AddBanner(ctx, d, tenant.Banner{Tenant: "aachdorf", Kind: tenant.Info, Title: "Wartung"})
	if err != nil {
		t.Fatal(err)
	}
	all, err := tenant.AddBanner(ctx, d, tenant.Banner{Kind: tenant.Warning, Title: "Wartung"})
	if err != nil {
		t.Fatal(err)
	}
	if err := tenant.EndBanner(ctx, d, one); err != nil {
		t.Fatal(err)
	}
	wantActions(t, d, "aachdorf", "aachdorf", "tenant.added")
	wantActions(t, d, "aachdorf", "kasse", "mailbox.added")
	wantActions(t, d, "aachdorf", one, "banner.added", "banner.ended")
	wantActions(t, d, "-", all, "banner.added")
}

func TestRefusedDeedsAreNotInTheJournal(t *testing.T) {
	d := dbtest.New(t, journal.Migrations(), tenant.Migrations())
	ctx := t.Context()
	if err := tenant.Add(ctx, d, town("aachdorf")); err != nil {
		t.Fatal(err)
	}
	sameHost := town("beuren")
	sameHost.Hosts = []string{"vps.aachdorf.example"}
	if err := tenant.Add(ctx, d, town("chamdorf"), sameHost); !errors.Is(err, fault.Conflict) {
		t.Fatalf("Add() = %v, want Conflict", err)
	}
	wantActions(t, d, "chamdorf", "chamdorf")
	if err := tenant.EndBanner(ctx, d, "nothere"); !errors.Is(err, fault.NotFound) {
		t.Fatalf("EndBanner() = %v, want NotFound", err)
	}
	wantActions(t, d, "-", "nothere")
}

// TestNoDeedWithoutItsEntry is the sabotage: without the journal's tables every
// deed must fail as a whole.
func TestNoDeedWithoutItsEntry(t *testing.T) {
	d := dbtest.New(t, tenant.Migrations())
	ctx := context.Background()
	if err := tenant.Add(ctx, d, town("aachdorf")); err == nil {
		t.Error("Add() went well without a journal")
	}
	if _, err := tenant.AddBanner(ctx, d, tenant.Banner{Kind: tenant.Info, Title: "Wartung"}); err == nil {
		t.Error("AddBanner() went well without a journal")
	}
	dir := directory(t, d)
	if len(dir.All()) != 0 || len(dir.AllBanners()) != 0 {
		t.Errorf("stored without an entry: %d tenants, %d banners", len(dir.All()), len(dir.AllBanners()))
	}
}
