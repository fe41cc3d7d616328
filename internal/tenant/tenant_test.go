package tenant_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"poststelle/internal/db"
	"poststelle/internal/db/dbtest"
	"poststelle/internal/fault"
	"poststelle/internal/i18n"
	"poststelle/internal/journal"
	"poststelle/internal/tenant"
)

func town(id string) tenant.Tenant {
	return tenant.Tenant{
		ID: tenant.ID(id), Kind: tenant.Authority, Profile: tenant.Vorlage, Name: "Stadt " + id, ARS: "081110000000",
		Hosts:   []string{"vps." + id + ".example"},
		Address: tenant.Address{Street: "Rathausplatz 1", Postcode: "70000", Place: "Größingen"},
		Mailboxes: []tenant.Mailbox{{
			ID: "bauamt", Name: "Bauamt", NameEN: "Building office", Fallback: true,
			Topics: []tenant.Topic{{ID: "antrag", Name: "Bauantrag", NameEN: "Building application"}},
		}},
	}
}

func directory(t *testing.T, d *db.DB) *tenant.Directory {
	t.Helper()
	dir, err := tenant.NewDirectory(t.Context(), d, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestAdd_AppearsInDirectory(t *testing.T) {
	d := dbtest.New(t, journal.Migrations(), tenant.Migrations())
	dir := directory(t, d)
	if err := tenant.Add(t.Context(), d, town("aachdorf"), town("beuren")); err != nil {
		t.Fatal(err)
	}
	if _, ok := dir.ByHost("vps.aachdorf.example"); ok {
		t.Error("the directory knew the tenant before it was refreshed")
	}
	if err := dir.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, ok := dir.ByHost("VPS.Aachdorf.example:8443")
	if !ok || got.ID != "aachdorf" {
		t.Fatalf("ByHost() = %v, %v", got, ok)
	}
	m, ok := got.Mailbox("bauamt")
	if !ok || m.MaxFile != 20<<20 || m.MaxMessage != 50<<20 || m.ReplyDays != 5 || len(m.FileKinds) == 0 {
		t.Errorf("Mailbox() = %+v, %v: defaults are missing", m, ok)
	}
	if topic, ok := m.Topic("antrag"); !ok || topic.Title("en") != "Building application" || topic.Title("de") != "Bauantrag" {
		t.Errorf("Topic() = %+v, %v", topic, ok)
	}
	if f, ok := got.FallbackMailbox(); !ok || f.ID != "bauamt" {
		t.Errorf("FallbackMailbox() = %v, %v", f.ID, ok)
	}
	if n := len(dir.All()); n != 2 {
		t.Errorf("All() has %d tenants, want 2", n)
	}
}

func TestAdd_RefusesWhole(t *testing.T) {
	d := dbtest.New(t, journal.Migrations(), tenant.Migrations())
	if err := tenant.Add(t.Context(), d, town("aachdorf")); err != nil {
		t.Fatal(err)
	}
	sameHost := town("beuren")
	sameHost.Hosts = []string{"vps.aachdorf.example"}
	err := tenant.Add(t.Context(), d, town("chamdorf"), sameHost)
	if !errors.Is(err, fault.Conflict) {
		t.Errorf("Add() with a host in use = %v, want Conflict", err)
	}
	if _, ok := directory(t, d).ByID("chamdorf"); ok {
		t.Error("half of a refused list was stored")
	}
	for name, spoil := range map[string]func(*tenant.Tenant){
		"id":      func(x *tenant.Tenant) { x.ID = "Größingen" },
		"ars":     func(x *tenant.Tenant) { x.ARS = "1234" },
		"profile": func(x *tenant.Tenant) { x.Profile = "" },
		"host":    func(x *tenant.Tenant) { x.Hosts = []string{"evil/host"} },
		"name":    func(x *tenant.Tenant) { x.Name = " " },
	} {
		bad := town("danndorf")
		spoil(&bad)
		if err := tenant.Add(t.Context(), d, bad); !errors.Is(err, fault.Invalid) || len(fault.FieldsOf(err)) == 0 {
			t.Errorf("Add() with a bad %s = %v, want Invalid with fields", name, err)
		}
	}
}

func TestAddMailbox_Limits(t *testing.T) {
	d := dbtest.New(t, journal.Migrations(), tenant.Migrations())
	if err := tenant.Add(t.Context(), d, town("aachdorf")); err != nil {
		t.Fatal(err)
	}
	m := tenant.Mailbox{Tenant: "aachdorf", ID: "kita", Name: "Kita", FileKinds: []string{"exe"}}
	if err := tenant.AddMailbox(t.Context(), d, m); !errors.Is(err, fault.Invalid) {
		t.Errorf("AddMailbox() with kind exe = %v, want Invalid", err)
	}
	m.FileKinds = []string{"pdf"}
	if err := tenant.AddMailbox(t.Context(), d, m); err != nil {
		t.Fatal(err)
	}
	if err := tenant.AddMailbox(t.Context(), d, m); !errors.Is(err, fault.Conflict) {
		t.Errorf("AddMailbox() twice = %v, want Conflict", err)
	}
}

func TestBanner_Lifecycle(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	d := dbtest.NewAt(t, func() time.Time { return now }, journal.Migrations(), tenant.Migrations())
	ctx := t.Context()
	if _, err := tenant.AddBanner(ctx, d, tenant.Banner{Kind: tenant.Info}); !errors.Is(err, fault.Invalid) {
		t.Errorf("AddBanner() without title = %v, want Invalid", err)
	}
	id, err := tenant.AddBanner(ctx, d, tenant.Banner{Tenant: "aachdorf", Kind: tenant.Warning, Title: "Wartung", TitleEN: "Maintenance",
		From: now.Add(time.Hour), Until: now.Add(2 * time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	all, err := tenant.AddBanner(ctx, d, tenant.Banner{Kind: tenant.Info, Title: "Neu"})
	if err != nil {
		t.Fatal(err)
	}
	dir := directory(t, d)
	shown := func(of tenant.ID, at time.Time) string {
		s := ""
		for _, b := range dir.Banners(of, at) {
			s += b.Heading("de") + " "
		}
		return s
	}
	for _, c := range []struct {
		of   tenant.ID
		at   time.Time
		want string
	}{
		{"aachdorf", now, "Neu "},
		{"aachdorf", now.Add(90 * time.Minute), "Wartung Neu "},
		{"beuren", now.Add(90 * time.Minute), "Neu "},
		{"aachdorf", now.Add(3 * time.Hour), "Neu "},
	} {
		if got := shown(c.of, c.at); got != c.want {
			t.Errorf("Banners(%s, %s) = %q, want %q", c.of, c.at.Format(time.TimeOnly), got, c.want)
		}
	}
	if err := tenant.EndBanner(ctx, d, all); err != nil {
		t.Fatal(err)
	}
	if err := tenant.EndBanner(ctx, d, all); !errors.Is(err, fault.NotFound) {
		t.Errorf("EndBanner() twice = %v, want NotFound", err)
	}
	if err := dir.Refresh(ctx); err != nil {
		t.Fatal(err)
	}
	if list := dir.AllBanners(); len(list) != 1 || list[0].ID != id {
		t.Errorf("AllBanners() = %v, want the planned one", list)
	}
}

func TestFind(t *testing.T) {
	d := dbtest.New(t, journal.Migrations(), tenant.Migrations())
	for i, place := range []string{"Größingen", "Grossingen am Berg", "Neustadt"} {
		x := town(fmt.Sprintf("ort%d", i))
		x.Address.Place, x.Address.Postcode = place, fmt.Sprintf("7000%d", i)
		if err := tenant.Add(t.Context(), d, x); err != nil {
			t.Fatal(err)
		}
	}
	dir := directory(t, d)
	for query, want := range map[string]int{"größingen": 1, "GROESS": 1, "gross": 1, "70002": 1, "7000": 3, "ort1": 1, "": 0, "xyz": 0} {
		if got := dir.Find(query, 10); len(got) != want {
			t.Errorf("Find(%q) found %d, want %d", query, len(got), want)
		}
	}
}

func TestWorkingDays(t *testing.T) {
	at := func(s string) time.Time {
		day, err := time.ParseInLocation("2006-01-02 15:04", s, i18n.Zone())
		if err != nil {
			t.Fatal(err)
		}
		return day
	}
	for _, c := range []struct {
		from string
		n    int
		want string
	}{
		{"2026-11-20 23:50", 1, "2026-11-23 00:00"}, // Friday to Monday
		{"2026-11-20 09:00", 5, "2026-11-27 00:00"},
		{"2026-12-23 09:00", 2, "2026-12-28 00:00"}, // Christmas
		{"2026-04-02 09:00", 1, "2026-04-07 00:00"}, // Good Friday, Easter Monday
		{"2026-06-03 09:00", 1, "2026-06-05 00:00"}, // Corpus Christi
		{"2026-10-30 09:00", 1, "2026-11-02 00:00"}, // All Saints on a Sunday
		{"2027-01-05 09:00", 1, "2027-01-07 00:00"}, // Epiphany
	} {
		if got := tenant.WorkingDays(at(c.from), c.n); !got.Equal(at(c.want)) {
			t.Errorf("WorkingDays(%s, %d) = %s, want %s", c.from, c.n, got.In(i18n.Zone()), c.want)
		}
	}
}

func TestDirectory_KeepsServingWithoutDatabase(t *testing.T) {
	d := dbtest.New(t, journal.Migrations(), tenant.Migrations())
	if err := tenant.Add(t.Context(), d, town("aachdorf")); err != nil {
		t.Fatal(err)
	}
	dir := directory(t, d)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := dir.Refresh(ctx); err == nil {
		t.Error("Refresh() without a database gave no error")
	}
	if _, ok := dir.ByID("aachdorf"); !ok {
		t.Error("the directory forgot its tenants when the database was away")
	}
}
