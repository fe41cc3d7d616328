package tenant_test

import (
	"errors"
	"net/netip"
	"testing"

	"poststelle/internal/db/dbtest"
	"poststelle/internal/fault"
	"poststelle/internal/journal"
	"poststelle/internal/tenant"
)

func TestTenant_Inside(t *testing.T) {
	of := tenant.Tenant{Modules: []tenant.Module{tenant.Members}}
	for _, s := range []string{"10.20.0.0/16", "192.0.2.7", "2001:db8:7::/48", "::ffff:198.51.100.0/120"} {
		p, err := tenant.ParseNetwork(s)
		if err != nil {
			t.Fatal(err)
		}
		of.Networks = append(of.Networks, p)
	}
	off, empty := of, of
	off.Modules, empty.Networks = nil, nil
	for address, want := range map[string]bool{
		"10.20.255.1": true, "::ffff:10.20.255.1": true, "192.0.2.7": true, "2001:db8:7::1": true, "2001:db8:7::1%eth0": true, "198.51.100.9": true,
		"10.21.0.1": false, "::ffff:10.21.0.1": false, "192.0.2.8": false, "2001:db8:8::1": false, "127.0.0.1": false, "::1": false, "": false,
	} {
		ip, _ := netip.ParseAddr(address)
		if got := of.Inside(ip); got != want {
			t.Errorf("Inside(%q) = %v, want %v", address, got, want)
		}
		if off.Inside(ip) || empty.Inside(ip) {
			t.Errorf("%q is inside with the module off, or without networks", address)
		}
	}
}

func TestTenant_SeenFrom(t *testing.T) {
	of := &tenant.Tenant{
		Modules: []tenant.Module{tenant.Members}, Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
		Mailboxes: []tenant.Mailbox{{ID: "kontakt"}, {ID: "datenschutz-extern", MembersOnly: true}},
	}
	if _, ok := of.SeenFrom(netip.MustParseAddr("10.1.1.1")).Mailbox("datenschutz-extern"); !ok {
		t.Error("inside the mailbox is not there")
	}
	outside := of.SeenFrom(netip.MustParseAddr("192.0.2.1"))
	if _, ok := outside.Mailbox("datenschutz-extern"); ok {
		t.Error("outside the mailbox is there")
	}
	if _, ok := outside.Mailbox("kontakt"); !ok || len(of.Mailboxes) != 2 {
		t.Error("a mailbox is gone that is not of the members' area, or gone for everybody")
	}
}

func TestParseNetwork_Refuses(t *testing.T) {
	for _, s := range []string{"", "0.0.0.0/0", "::/0", "::ffff:0.0.0.0/96", "::ffff:0:0/90", "10.0.0.0/33", "lvn", "10.0.0.0/8 ", "fe80::1%eth0"} {
		if p, err := tenant.ParseNetwork(s); !errors.Is(err, fault.Invalid) {
			t.Errorf("ParseNetwork(%q) = %v, %v, want Invalid", s, p, err)
		}
	}
}

func TestSetNetworks(t *testing.T) {
	d := dbtest.New(t, journal.Migrations(), tenant.Migrations())
	if err := tenant.Add(t.Context(), d, town("aachdorf")); err != nil {
		t.Fatal(err)
	}
	lvn := netip.MustParsePrefix("10.20.30.40/16")
	if err := tenant.SetNetworks(t.Context(), d, "aachdorf", []netip.Prefix{lvn, lvn.Masked(), netip.MustParsePrefix("2001:db8::/32")}); err != nil {
		t.Fatal(err)
	}
	of, _ := directory(t, d).ByID("aachdorf")
	if len(of.Networks) != 2 || of.Networks[0].String() != "10.20.0.0/16" {
		t.Errorf("networks = %v", of.Networks)
	}
	for _, bad := range [][]netip.Prefix{{netip.MustParsePrefix("0.0.0.0/0")}, {{}}, make([]netip.Prefix, 201)} {
		if err := tenant.SetNetworks(t.Context(), d, "aachdorf", bad); !errors.Is(err, fault.Invalid) {
			t.Errorf("SetNetworks(%v) = %v, want Invalid", bad, err)
		}
	}
	if err := tenant.SetNetworks(t.Context(), d, "nirgendwo", nil); !errors.Is(err, fault.NotFound) {
		t.Errorf("SetNetworks() of an unknown tenant = %v, want NotFound", err)
	}
	if of, _ = directory(t, d).ByID("aachdorf"); len(of.Networks) != 2 {
		t.Errorf("a refused list has changed the networks: %v", of.Networks)
	}
	if err := tenant.SetNetworks(t.Context(), d, "aachdorf", nil); err != nil {
		t.Fatal(err)
	}
	if of, _ = directory(t, d).ByID("aachdorf"); len(of.Networks) != 0 {
		t.Errorf("networks = %v, want none", of.Networks)
	}
}
