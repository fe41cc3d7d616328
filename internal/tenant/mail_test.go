package tenant_test

import (
	"errors"
	"log/slog"
	"slices"
	"testing"

	"poststelle/internal/db/dbtest"
	"poststelle/internal/fault"
	"poststelle/internal/journal"
	"poststelle/internal/tenant"
)

func TestNormalMail(t *testing.T) {
	for in, want := range map[string][2]string{
		"Info@Musterstadt.Example":     {"info@musterstadt.example", ""},
		"info+neu@musterstadt.example": {"info@musterstadt.example", "neu"},
		"unsub+Ab3-x@a.example.":       {"unsub@a.example", "Ab3-x"},
		"+x@a.example":                 {},
		"":                             {},
		"@a.example":                   {},
		"info":                         {},
		"a b@c.example":                {},
		"a\x00b@c.example":             {},
		"info@a.example\r\n":           {},
		`"a@b"@c.example`:              {},
		"ä@c.example":                  {},
		"info@[127.0.0.1]":             {},
	} {
		normal, sub := tenant.NormalMail(in)
		if normal != want[0] || sub != want[1] {
			t.Errorf("NormalMail(%q) = %q, %q; want %q", in, normal, sub, want)
		}
	}
}

func TestMail(t *testing.T) {
	ctx := t.Context()
	d := dbtest.New(t, journal.Migrations(), tenant.Migrations())
	one := tenant.Tenant{
		ID: "a", Kind: tenant.Authority, Profile: tenant.Streng, Name: "A", ARS: "081110000000", Hosts: []string{"a.example"},
		Address: tenant.Address{Email: "Rathaus@a.example"},
	}
	two := one
	two.ID, two.Hosts, two.Address.Email = "b", []string{"b.example"}, "shared@c.example"
	three := two
	three.ID, three.Hosts = "c", []string{"c.example"}
	must(t, tenant.Add(ctx, d, one, two, three))
	dir, err := tenant.NewDirectory(ctx, d, slog.New(slog.DiscardHandler))
	must(t, err)
	owner := func(address string) tenant.ID {
		must(t, dir.Refresh(ctx))
		got, _, ok := dir.ByMail(address)
		if !ok {
			return ""
		}
		return got.ID
	}
	if got := owner("rathaus+amt@A.example"); got != "a" {
		t.Errorf("contact address belongs to %q", got)
	}
	if got := owner("shared@c.example"); got != "" {
		t.Errorf("an address that two name belongs to %q", got)
	}
	must(t, tenant.AddMail(ctx, d, "b", "shared@c.example"))
	must(t, tenant.AddMail(ctx, d, "b", "Info@b.example"))
	must(t, tenant.AddMail(ctx, d, "b", "info@b.example"))
	if got := owner("shared@c.example"); got != "b" {
		t.Errorf("added address belongs to %q", got)
	}
	b, _ := dir.ByID("b")
	if got := b.Published(); !slices.Equal(got, []string{"info@b.example", "shared@c.example"}) {
		t.Errorf("Published() = %q", got)
	}
	if err := tenant.AddMail(ctx, d, "a", "info@b.example"); !errors.Is(err, fault.Conflict) {
		t.Errorf("address of another: %v", err)
	}
	if err := tenant.AddMail(ctx, d, "a", "x+y@b.example"); !errors.Is(err, fault.Invalid) {
		t.Errorf("sub-address: %v", err)
	}
	if err := tenant.AddMail(ctx, d, "z", "x@b.example"); !errors.Is(err, fault.NotFound) {
		t.Errorf("unknown tenant: %v", err)
	}
	if err := tenant.RemoveMail(ctx, d, "a", "info@b.example"); !errors.Is(err, fault.NotFound) {
		t.Errorf("removing what another has: %v", err)
	}
	must(t, tenant.RemoveMail(ctx, d, "b", "info@b.example"))
	if got := owner("info@b.example"); got != "" {
		t.Errorf("removed address belongs to %q", got)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
