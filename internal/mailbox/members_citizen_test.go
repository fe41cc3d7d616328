package mailbox_test

import (
	"net/netip"
	"testing"

	"poststelle/internal/tenant"
	"poststelle/internal/vault"
	"poststelle/internal/web/webtest"
)

// openMembers gives the operator a mailbox for 10.0.0.0/8 alone.
func (p *post) openMembers() {
	p.t.Helper()
	ctx := p.t.Context()
	p.must(p.Vault.CreateTenants(ctx, []vault.TenantSpec{{ID: "betreiber", Operator: true, Mailboxes: []string{"datenschutz-extern"}}}))
	p.must(tenant.AddMailbox(ctx, p.DB, tenant.Mailbox{
		Tenant: "betreiber", ID: "datenschutz-extern", Name: "Externer Datenschutzservice", MembersOnly: true, Retention: 90, Position: 2,
	}))
	p.must(tenant.SetNetworks(ctx, p.DB, "betreiber", []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}))
	p.must(p.Directory.Refresh(ctx))
}

// ask writes a request up to a step of the assistant.
func ask(t *testing.T, c *webtest.Client, step string) *webtest.Page {
	t.Helper()
	page := c.Get("/nachricht?amt=datenschutz-extern").Want(200).Form("main form").Submit("aktion=weiter").Want(200)
	page = wantPath(t, page, "/nachricht/2").Form("main form").Set("topic", "allgemein").Submit("aktion=weiter")
	f := wantPath(t, page, "/nachricht/3").Form("main form").Set("subject", "Datenschutzbeauftragte").Set("body", longBody)
	if step == "3" {
		return page
	}
	page = f.Submit("aktion=weiter").Want(422)
	if !page.Contains("Geben Sie den Namen Ihrer Behörde an.") {
		t.Error("the authority is not asked for")
	}
	page = page.Form("main form").Set("name", "Gemeinde Musterdorf").Submit("aktion=weiter")
	return wantPath(t, wantPath(t, page, "/nachricht/4").Form("main form").Submit("aktion=weiter"), "/nachricht/5")
}

func TestMembers_RequestFromInside(t *testing.T) {
	p := newPost(t)
	p.openMembers()
	c := p.from("10.20.30.40")
	c.Host = betreiber
	page := ask(t, c, "5")
	if !page.Contains("Gemeinde Musterdorf") || !page.Contains("90 Tage, nachdem Ihr Anliegen abgeschlossen ist") {
		t.Error("the check page misses the authority or the rule")
	}
	check := page.Form("main form")
	sent := wantPath(t, check.Submit(), "/nachricht/gesendet").Want(200)
	if !sent.Has("#abholcode") && !sent.Contains("Abholcode") {
		t.Error("no code is shown")
	}
	check.Submit().Want(200) // again: one letter all the same
	p.settle()
	if n := p.count(`select count(*) from mailbox_threads where tenant_id = 'betreiber' and mailbox_id = 'datenschutz-extern'`); n != 1 {
		t.Errorf("%d letters, want one", n)
	}
}

// Nothing that somebody outside sends becomes a letter to the mailbox: neither a
// made-up choice, nor a draft that was begun inside, nor forged headers.
func TestMembers_NoLetterFromOutside(t *testing.T) {
	p := newPost(t)
	p.openMembers()
	none := func(what string) {
		t.Helper()
		p.settle()
		if n := p.count(`select count(*) from mailbox_threads where mailbox_id = 'datenschutz-extern'`); n != 0 {
			t.Fatalf("%s: %d letters in the mailbox", what, n)
		}
	}
	for _, address := range []string{"192.0.2.7", "10.1.2.3, 192.0.2.7", "::ffff:192.0.2.7", "2001:db8::7"} {
		c := p.from(address)
		c.Host = betreiber
		page := c.Get("/nachricht?amt=datenschutz-extern").Want(200)
		if page.Has("input[value=datenschutz-extern]") {
			t.Errorf("%s: the mailbox can be chosen", address)
		}
		page.Form("main form").Add("mailbox", "datenschutz-extern").Submit("aktion=weiter").Want(422)
		none("made-up choice from " + address)
	}
	if c := p.from("192.0.2.8"); c != nil {
		c.Host = betreiber
		if c.Get("/").Want(200).Contains("Externer Datenschutzservice") {
			t.Error("the start page offers the mailbox outside")
		}
	}
	// Begun inside, gone on with outside: at each step.
	for _, step := range []string{"3", "5"} {
		c := p.from("10.20.30.40")
		c.Host = betreiber
		f := ask(t, c, step).Form("main form")
		c.Header.Set("X-Forwarded-For", "192.0.2.7")
		if step == "3" {
			f.Set("subject", "Datenschutz").Set("body", longBody).Set("name", "Gemeinde")
		}
		page := f.Submit()
		if page.Path == "/nachricht/gesendet" {
			t.Errorf("step %s: sent from outside", step)
		}
		none("begun inside, step " + step)
	}
	// With the module off, or without networks, nobody is inside.
	p.must(tenant.SetNetworks(t.Context(), p.DB, "betreiber", nil))
	p.must(p.Directory.Refresh(t.Context()))
	c := p.from("10.20.30.40")
	c.Host = betreiber
	c.Get("/nachricht?amt=datenschutz-extern").Want(200).Form("main form").Add("mailbox", "datenschutz-extern").Submit("aktion=weiter").Want(422)
	none("empty list")
	p.must(tenant.SetNetworks(t.Context(), p.DB, "betreiber", []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}))
	p.must(tenant.SetModule(t.Context(), p.DB, "betreiber", tenant.Members, false))
	p.must(p.Directory.Refresh(t.Context()))
	c.Get("/nachricht?amt=datenschutz-extern").Want(200).Form("main form").Add("mailbox", "datenschutz-extern").Submit("aktion=weiter").Want(422)
	none("module off")
}
