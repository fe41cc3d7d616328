package tenant_test

import (
	"errors"
	"testing"
	"time"

	"poststelle/internal/db/dbtest"
	"poststelle/internal/fault"
	"poststelle/internal/journal"
	"poststelle/internal/tenant"
)

func TestMailbox_Due(t *testing.T) {
	at := func(s string) time.Time {
		x, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	for name, c := range map[string]struct {
		days          int
		closed, since string
		want          string
	}{
		"no rule":                          {0, "2026-11-20T10:00:00+01:00", "2026-01-01T00:00:00Z", ""},
		"whole days after that of closing": {90, "2026-11-01T23:30:00+01:00", "2026-01-01T00:00:00Z", "2027-01-31T00:00:00+01:00"},
		"over the end of summer time":      {1, "2026-10-24T12:00:00+02:00", "2026-01-01T00:00:00Z", "2026-10-26T00:00:00+01:00"},
		"not before the rule was made":     {30, "2020-01-01T12:00:00+01:00", "2026-11-01T12:00:00+01:00", "2026-12-02T00:00:00+01:00"},
	} {
		due, ok := tenant.Mailbox{Retention: c.days, RetentionSince: at(c.since)}.Due(at(c.closed))
		if ok != (c.want != "") || ok && !due.Equal(at(c.want)) {
			t.Errorf("%s: Due() = %v, %v, want %q", name, due, ok, c.want)
		}
	}
	if _, ok := (tenant.Mailbox{Retention: 30}).Due(time.Time{}); ok {
		t.Error("an open matter has a date of deletion")
	}
}

func TestSetRetention(t *testing.T) {
	d := dbtest.New(t, journal.Migrations(), tenant.Migrations())
	box := tenant.Mailbox{ID: "kontakt", Name: "Kontakt"}
	host := town("betreiber")
	host.Kind, host.ARS, host.Mailboxes = tenant.Operator, "", []tenant.Mailbox{box}
	strict := town("strengdorf")
	strict.Profile, strict.Mailboxes = tenant.Streng, []tenant.Mailbox{box}
	plain := town("aachdorf")
	plain.Mailboxes = []tenant.Mailbox{box}
	if err := tenant.Add(t.Context(), d, plain, strict, host); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		of   tenant.ID
		box  tenant.MailboxID
		days int
		want error
	}{
		{"betreiber", "kontakt", 30, nil},
		{"betreiber", "kontakt", 30, nil},
		{"strengdorf", "kontakt", 180, nil},
		{"aachdorf", "kontakt", 30, fault.Invalid}, // A47
		{"betreiber", "kontakt", -1, fault.Invalid},
		{"betreiber", "kontakt", tenant.MaxRetention + 1, fault.Invalid},
		{"betreiber", "nirgends", 30, fault.NotFound},
		{"nirgendwo", "kontakt", 30, fault.NotFound},
	} {
		err := tenant.SetRetention(t.Context(), d, c.of, c.box, c.days)
		if c.want == nil && err != nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("SetRetention(%s, %s, %d) = %v, want %v", c.of, c.box, c.days, err, c.want)
		}
	}
	for id, want := range map[tenant.ID]int{"betreiber": 30, "strengdorf": 180, "aachdorf": 0} {
		of, _ := directory(t, d).ByID(id)
		if m := of.Mailboxes[0]; m.Retention != want || want > 0 && m.RetentionSince.IsZero() {
			t.Errorf("%s: the rule is %d days since %v, want %d", id, m.Retention, m.RetentionSince, want)
		}
	}
	// The same promise is kept where a tenant or a mailbox is made.
	box.Retention = 30
	plain.ID, plain.Hosts, plain.Mailboxes = "beedorf", []string{"beedorf.example"}, []tenant.Mailbox{box}
	if err := tenant.Add(t.Context(), d, plain); !errors.Is(err, fault.Invalid) {
		t.Errorf("Add() of an authority with a rule = %v, want Invalid", err)
	}
	box.ID, box.Tenant = "zweites", "aachdorf"
	if err := tenant.AddMailbox(t.Context(), d, box); !errors.Is(err, fault.Invalid) {
		t.Errorf("AddMailbox() of an authority with a rule = %v, want Invalid", err)
	}
}
