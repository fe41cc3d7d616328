package proof_test

import (
	"testing"
	"time"

	"poststelle/internal/account"
	"poststelle/internal/load"
	"poststelle/internal/tenant"
)

// TestLoad_DrivesThePages: the load generator finds its way through the pages as
// they are, in each scenario but the newsletter's, which needs a relay. Its own
// tests drive a site of their own, which does not change when the pages do.
func TestLoad_DrivesThePages(t *testing.T) {
	h := newHouseNow(t)
	must(t, h.AddTenants(t.Context(), []tenant.Tenant{{
		ID: "hier", Kind: tenant.Authority, Profile: tenant.Vorlage, Name: "Gemeinde Hier", ARS: "081110000002",
		Address: tenant.Address{Postcode: "70000", Place: "Hier"}, Hosts: []string{"127.0.0.1"}, Modules: []tenant.Module{tenant.Blog},
		Mailboxes: []tenant.Mailbox{{ID: "amt", Name: "Amt", Duties: "Alles", Fallback: true, Topics: []tenant.Topic{{ID: "allgemein", Name: "Allgemeines"}}}},
	}}))
	who := h.hire("hier", "clerk", false, "amt")
	c := h.serve()
	url := "http://" + c.Addr()
	c.Host = "127.0.0.1"
	writer := h.person("hier", c.Host, "editor", account.Editor)
	formTo(t, c.Get("/amt/anmelden"), "/amt/anmelden").Set("login", writer.login).Set("password", writer.password).Submit().Want(200)
	written := c.Get("/amt/redaktion/beitraege/neu").Want(200).Form("").Set("titel", "Neues").Set("text", "Aus dem Ort.").Check("kommentare", "ja").Submit().Want(200)
	c.PostForm(written.Path+"/stand", "aktion", "veroeffentlichen").Want(200)
	for _, s := range load.Scenarios() {
		if s == load.Newsletter {
			continue
		}
		r, err := load.Run(t.Context(), load.DriveConfig{
			URL: url, Scenario: s, Clients: 2, Count: 3, Duration: time.Minute, Login: who.login, Password: who.password,
		})
		must(t, err)
		if r.Done != 3 || r.Errors != 0 {
			t.Errorf("%s: %d done, %d failed: %s", s, r.Done, r.Errors, r.FirstError)
		}
		if want := map[load.Scenario]int{load.Inbox: 6}[s]; r.Rows != want {
			t.Errorf("%s: %d letters on a page, want %d", s, r.Rows, want)
		}
	}
	if letters, files := h.count(`select count(*) from mailbox_threads`), h.count(`select count(*) from mailbox_files`); letters != 9 || files != 9 {
		t.Errorf("%d letters with %d files, want 9 with 9", letters, files)
	}
	if n := h.count(`select count(*) from blog_comments`); n != 3 {
		t.Errorf("%d comments, want 3", n)
	}
}
