package account_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"poststelle/internal/db"
	"poststelle/internal/journal"
	"poststelle/internal/web/webtest"
)

// alike removes from a page what differs between any two requests: nonce, form
// tokens and the address that was typed.
func alike(p *webtest.Page, typed string) string {
	body := regexp.MustCompile(`nonce="[^"]*"|<input type="hidden"[^>]*>`).ReplaceAllString(p.Body, "")
	return strings.ReplaceAll(body, typed, "ADDRESS")
}

func TestRegister(t *testing.T) {
	o := newRealm(t)
	b := o.browser(town)
	page := b.Get("/konto/registrieren").Want(200)
	if !page.Contains("bis Sie das Konto löschen") || !page.Contains("für alle Verwaltungen") {
		t.Error("the page does not say until when and where")
	}
	page = page.Form("").Set("email", kim).Set("password", secret).Submit().Want(200)
	if page.Path != "/konto/registrieren/gesendet" || !page.Contains(kim) {
		t.Errorf("after registration at %s", page.Path)
	}
	if n := o.count(`select count(*) from account_citizens`); n != 0 {
		t.Errorf("%d accounts before the address is confirmed", n)
	}
	link := o.link("/konto/bestaetigen/")
	before := b.Cookie("ps_sitzung")
	for range 2 { // a scanner of mails opens links, and opens them again
		page = o.browser(town).Get(link).Want(200)
		if !page.Has("input[name=password]") || page.Header.Get("Referrer-Policy") != "strict-origin" {
			t.Error("a stranger's browser is not asked for the password, or would send the link on")
		}
	}
	page = b.Get(link).Want(200)
	if page.Has("main input[name=password]") {
		t.Error("the browser that registered is asked for the password")
	}
	page = page.Form("").Submit().Want(200)
	if page.Path != "/konto?getan=eroeffnet" || b.Cookie("ps_sitzung") == before {
		t.Errorf("after confirmation at %s, new session %t", page.Path, b.Cookie("ps_sitzung") != before)
	}
	if page.Header.Get("Cache-Control") != "no-store" || !page.Contains(kim) {
		t.Error("the overview may be stored, or lacks the address")
	}
	page = o.browser(town).PostForm(link, "password", secret).Want(410)
	if !page.Contains("melden Sie sich einfach an") {
		t.Error("the used link does not say what to do")
	}
	if n := o.count(`select count(*) from account_citizens`); n != 1 {
		t.Errorf("%d accounts, want 1", n)
	}
	for _, route := range o.routes {
		if strings.Contains(route, ".") || strings.HasPrefix(route, "/konto/bestaetigen/") && route != "/konto/bestaetigen/{token}" {
			t.Errorf("the log has %s", route)
		}
	}
	o.must(o.db.View(t.Context(), func(tx *db.Tx) error {
		items, err := journal.List(t.Context(), tx, "musterstadt", "", 10)
		if len(items) != 1 || items[0].Action != "account.opened" || len(items[0].Detail) != 0 {
			t.Errorf("journal: %+v", items)
		}
		return err
	}))
}

func TestRegister_OtherBrowserShowsThePassword(t *testing.T) {
	o := newRealm(t)
	o.browser(town).Get("/en/konto/registrieren").Want(200).Form("").Set("email", kim).Set("password", secret).Submit().Want(200)
	link := o.link("/en/konto/bestaetigen/")
	other := o.browser(town)
	other.Get(link).Want(200).Form("").Set("password", "etwas anderes").Submit().Want(422)
	if page := other.Get(link).Form("").Set("password", secret).Submit().Want(200); page.Path != "/en/konto?getan=eroeffnet" {
		t.Errorf("at %s", page.Path)
	}
}

// TestRegister_KnownAddress: what a stranger sees, and what is done for it, is
// the same for an address with an account and one without.
func TestRegister_KnownAddress(t *testing.T) {
	o := newRealm(t)
	o.register(o.browser(town), kim, secret)
	type seen struct {
		status      int
		page, calls string
		jobs        int
	}
	try := func(path, address string) seen {
		o.work()
		o.spy.calls = nil
		jobs := o.count(`select count(*) from jobs where kind = 'account.mail'`)
		p := o.browser(town).PostForm(path, "email", address, "password", secret)
		return seen{p.Status, alike(p, address), strings.Join(o.spy.calls, ","), o.count(`select count(*) from jobs where kind = 'account.mail'`) - jobs}
	}
	for _, path := range []string{"/konto/registrieren", "/konto/wiederherstellen"} {
		known, unknown := try(path, kim), try(path, "bob@example.org")
		if known != unknown || known.status != 200 || known.jobs != 1 {
			t.Errorf("%s: known %+v\nunknown %+v", path, known, unknown)
		}
	}
	for _, m := range o.mails() {
		switch {
		case m.To == kim && strings.Contains(m.Text, "Zu der Adresse gibt es schon ein Konto"):
			if !strings.Contains(m.Text, "/konto/anmelden") || !strings.Contains(m.Text, "/konto/wiederherstellen") {
				t.Error("the mail about a known address offers no way in")
			}
		case m.To == "bob@example.org" && !strings.Contains(m.Text, "/konto/bestaetigen/"):
			t.Errorf("an address without account got: %s", m.Subject)
		}
	}
	o.spy.calls = nil
	wrong := enter(o.browser(town), kim, "falsch-falsch")
	nobody := enter(o.browser(town), "bob@example.org", "falsch-falsch")
	if wrong.Status != 422 || nobody.Status != 422 || alike(wrong, kim) != alike(nobody, "bob@example.org") || strings.Join(o.spy.calls, ",") != "sign in,sign in" {
		t.Errorf("sign-in tells known from unknown: %d %d %v", wrong.Status, nobody.Status, o.spy.calls)
	}
	if strings.Contains(wrong.Body, "falsch-falsch") {
		t.Error("the page repeats the password")
	}
}

func TestRegister_BadFields(t *testing.T) {
	o := newRealm(t)
	for _, bad := range [][3]string{{"kim", secret, "email"}, {"", secret, "email"}, {kim, "kurz", "password"}, {kim, "passwort", "password"}, {kim, "", "password"}} {
		page := o.browser(town).PostForm("/konto/registrieren", "email", bad[0], "password", bad[1]).Want(422)
		if !page.Has("#"+bad[2]+"[aria-invalid]") || page.Form("").Get("email") != bad[0] || page.Form("").Get("password") != "" {
			t.Errorf("%v: not shown at its field, or not kept", bad)
		}
	}
	if len(o.mails()) != 0 {
		t.Error("a refused registration sent a mail")
	}
}

// TestEnter_Session: the session gets a new id; a half-filled letter of an
// anonymous visitor stays, nothing of another person does.
func TestEnter_Session(t *testing.T) {
	o := newRealm(t)
	o.register(o.browser(town), kim, secret)
	o.register(o.browser(town), "bob@example.org", "sieben Zwerge graben")
	b := o.browser(town)
	b.PostForm("/entwurf")
	planted := b.Cookie("ps_sitzung")
	page := enter(b, kim, secret).Want(200)
	if page.Path != "/postfach" || !page.Contains("[halbfertig]") || b.Cookie("ps_sitzung") == planted {
		t.Errorf("at %s: %s", page.Path, page.Body)
	}
	old := o.browser(town)
	old.SetCookie("ps_sitzung", planted)
	if page := old.Get("/postfach"); page.Path == "/postfach" {
		t.Error("the planted session is signed in")
	}
	// The same person after the end of the grant finds the letter; another does not.
	o.advance(29 * time.Minute)
	b.Get("/konto/anmelden")
	o.must(o.vault.EndOtherSessions(t.Context(), o.grant(kim, secret)))
	if page := enter(b, kim, secret).Want(200); !page.Contains("[halbfertig]") {
		t.Error("the same person lost the letter")
	}
	o.must(o.vault.EndOtherSessions(t.Context(), o.grant(kim, secret)))
	if page := enter(b, "bob@example.org", "sieben Zwerge graben").Want(200); page.Path != "/postfach" || page.Contains("halbfertig") {
		t.Error("another person inherits the letter")
	}
	// Sign-out ends session and grant, and has the browser forget.
	kept := b.Cookie("ps_sitzung")
	b.Get("/konto").Want(200)
	b.NoFollow = true
	out := b.PostForm("/konto/abmelden").Want(303)
	if !strings.Contains(out.Header.Get("Clear-Site-Data"), "cache") {
		t.Error("pages stay in the browser after sign-out")
	}
	old.SetCookie("ps_sitzung", kept)
	if page := old.Get("/postfach"); page.Path == "/postfach" {
		t.Error("the session lives on after sign-out")
	}
}

// TestEnter_StaffAndCitizen: in one browser a grant of the one never acts as the
// other.
func TestEnter_StaffAndCitizen(t *testing.T) {
	o := newRealm(t)
	o.register(o.browser(town), kim, secret)
	grant := vaultClerk(o)
	b := o.browser(town)
	enter(b, kim, secret).Want(200)
	if page := b.Get("/amt/eingang"); page.Path == "/amt/eingang" {
		t.Error("a citizen is in the inbox")
	}
	if page := signIn(b, grant, vaultPassword, ""); page.Path != "/amt/eingang" && page.Path != "/amt" && !strings.HasPrefix(page.Path, "/amt/") {
		t.Errorf("staff at %s", page.Path)
	}
	if page := b.Get("/postfach"); page.Path == "/postfach" {
		t.Error("staff has the citizen's mailbox")
	}
	enter(b, kim, secret).Want(200)
	if page := b.Get("/amt/eingang"); page.Path == "/amt/eingang" {
		t.Error("the staff's session lives on under the citizen")
	}
}

func TestEnter_BackIsLocal(t *testing.T) {
	o := newRealm(t)
	o.register(o.browser(town), kim, secret)
	for _, bad := range []string{
		"https://fremd.example/", "//fremd.example/postfach", "/\\fremd.example", "/%09/fremd.example", "https:fremd", "/amt/eingang", "/en/amt/eingang",
		"/konto/abmelden", "/konto/anmelden?weiter=x", "javascript:x", "/postfach/../x", "",
	} {
		page := o.browser(town).PostForm("/konto/anmelden", "email", kim, "password", secret, "weiter", bad)
		if page.Path != "/postfach" || page.Host != town {
			t.Errorf("weiter=%q leads to %s%s", bad, page.Host, page.Path)
		}
	}
	if page := o.browser(town).Get("/konto/sitzungen?x=" + strings.Repeat("20", 2000)).Want(200); page.Path != "/konto/anmelden?weiter=%2Fkonto%2Fsitzungen" {
		t.Errorf("a long address leads to %.80s", page.Path)
	}
	page := o.browser(town).Get("/konto/sitzungen").Want(200)
	if page = page.Form("").Set("email", kim).Set("password", secret).Submit(); page.Path != "/konto/sitzungen" {
		t.Errorf("the way back leads to %s", page.Path)
	}
}

func TestEnter_CrossSiteAndCookies(t *testing.T) {
	o := newRealm(t)
	o.register(o.browser(town), kim, secret)
	b := o.browser(town)
	b.Header.Set("Sec-Fetch-Site", "cross-site")
	b.PostForm("/konto/anmelden", "email", kim, "password", secret).Want(403)
	if b.Cookie("ps_sitzung") != "" {
		t.Error("another site signed the browser in")
	}
	b = o.browser(town)
	b.RefuseCookies = true
	if page := enter(b, kim, secret).Want(403); !page.Contains("Cookie") {
		t.Error("the page does not explain why it failed")
	}
}

// TestRealms: one account for all authorities of the profile vorlage, none of
// it at one with a register of its own.
func TestRealms(t *testing.T) {
	o := newRealm(t)
	o.register(o.browser(town), kim, secret)
	if page := enter(o.browser(village), kim, secret).Want(200); page.Path != "/postfach" {
		t.Errorf("in the village at %s", page.Path)
	}
	enter(o.browser(strict), kim, secret).Want(422)
	b := o.browser(strict)
	if page := b.Get("/konto/registrieren"); !page.Contains("nur bei dieser Verwaltung") {
		t.Error("the page does not say that the account is for this authority alone")
	}
	o.register(b, kim, "vier Igel schlafen")
	if page := enter(o.browser(strict), kim, "vier Igel schlafen").Want(200); !strings.Contains(page.Body, "Postfach strengen") {
		t.Error("the realm is not the authority's own")
	}
	enter(o.browser(town), kim, "vier Igel schlafen").Want(422)
	// A cookie of one host is worth nothing on another.
	thief := o.browser(town)
	thief.SetCookie("ps_sitzung", b.Cookie("ps_sitzung"))
	if page := thief.Get("/postfach"); page.Path == "/postfach" {
		t.Error("the session counts on another host")
	}
}

func TestCode(t *testing.T) {
	o := newRealm(t)
	b := o.browser(town)
	o.register(b, kim, secret)
	page := b.Get("/konto/zweiter-faktor").Want(200).Form("").Submit().Want(200)
	key := strings.ReplaceAll(page.Text("#geheimnis"), " ", "")
	if key == "" || !page.Has("svg[role=img]") {
		t.Fatal("the secret is not shown")
	}
	page.Form("").Set("code", "000000").Submit("aktion=bestaetigen").Want(422)
	page = b.Get("/konto/zweiter-faktor").Form("").Set("code", code(t, key, o.Now())).Submit("aktion=bestaetigen").Want(200)
	if page.Path != "/konto?getan=faktor" || b.Get("/konto/zweiter-faktor").Has("#geheimnis") {
		t.Errorf("at %s, or the secret is still shown", page.Path)
	}
	o.advance(2 * time.Minute)
	b = o.browser(town)
	page = enter(b, kim, secret).Want(200)
	planted := b.Cookie("ps_sitzung")
	if page.Path != "/konto/code" {
		t.Fatalf("with a second factor at %s", page.Path)
	}
	if p := b.Get("/postfach"); p.Path == "/postfach" {
		t.Error("the first step alone opens the mailbox")
	}
	b.Get("/konto/code").Form("").Set("code", "111111").Submit().Want(422)
	page = b.Get("/konto/code").Form("").Set("code", code(t, key, o.Now())).Submit().Want(200)
	if page.Path != "/postfach" || b.Cookie("ps_sitzung") == planted {
		t.Errorf("at %s, new session %t", page.Path, b.Cookie("ps_sitzung") != planted)
	}
	// A used code, too many wrong ones, too late.
	b = o.browser(town)
	enter(b, kim, secret).Want(200)
	b.Get("/konto/code").Form("").Set("code", code(t, key, o.Now())).Submit().Want(422)
	for range 6 {
		o.advance(time.Minute)
		page = b.PostForm("/konto/code", "code", "000000").Want(422)
	}
	if !page.Contains("Melden Sie sich noch einmal an") {
		t.Error("after many wrong codes the sign-in does not begin anew")
	}
}
