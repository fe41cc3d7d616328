package account_test

import (
	"strings"
	"testing"
	"time"

	"poststelle/internal/db"
	"poststelle/internal/vault"
	"poststelle/internal/web/webtest"
)

const newSecret = "neun Raben warten"

// askRecovery asks for a link and returns it.
func (o *realm) askRecovery(b *webtest.Client, address string) string {
	o.t.Helper()
	page := b.Get("/konto/wiederherstellen").Want(200).Form("").Set("email", address).Submit().Want(200)
	if !page.Contains("Wenn es zu dieser Adresse ein Konto gibt") {
		o.t.Error("the page says more or less than it may")
	}
	return o.link("/konto/wiederherstellen/")
}

func TestRecover(t *testing.T) {
	o := newRealm(t)
	inside := o.browser(town)
	o.register(inside, kim, secret)
	b := o.browser(town)
	link := o.askRecovery(b, kim)
	b.Get(link).Want(200).Form("").Set("password", "kurz").Submit().Want(422)
	page := b.Get(link).Want(200).Form("").Set("password", newSecret).Submit().Want(200)
	if page.Path != "/konto/wiederherstellen/begonnen" || !page.Contains("23.11.2026") {
		t.Errorf("at %s: %s", page.Path, page.Text("main"))
	}
	if page := b.PostForm(link, "password", newSecret).Want(410); !page.Contains("läuft die Wartezeit weiter") {
		t.Error("the used link does not say what goes on")
	}
	// The old password works during the wait, the new one does not; the owner sees it.
	enter(o.browser(town), kim, newSecret).Want(422)
	o.advance(2 * time.Minute)
	enter(o.browser(town), kim, secret).Want(200)
	if page := inside.Get("/konto").Want(200); !page.Contains("Ihr Zugang wird gerade wiederhergestellt") {
		t.Error("the account does not show that a recovery waits")
	}
	notices := 0
	for range 3 {
		for _, m := range o.mails() {
			if !strings.Contains(m.Text, "/konto/nicht-ich/") || m.To != kim {
				t.Errorf("mail during the wait: %s to %s", m.Subject, m.To)
			}
			notices++
		}
		o.advance(23*time.Hour + 59*time.Minute)
	}
	if notices != 3 {
		t.Errorf("%d notices during the wait, want 3", notices)
	}
	o.work()
	o.advance(time.Hour)
	done := o.mails()
	if len(done) != 1 || done[0].Subject != "Ihr neues Passwort gilt" {
		t.Errorf("after the wait: %+v", done)
	}
	enter(o.browser(town), kim, secret).Want(422)
	if page := enter(o.browser(town), kim, newSecret).Want(200); page.Path != "/postfach" {
		t.Errorf("with the new password at %s", page.Path)
	}
	if page := inside.Get("/postfach"); page.Path == "/postfach" {
		t.Error("an old session lives on")
	}
}

func TestRecover_Stopped(t *testing.T) {
	o := newRealm(t)
	inside := o.browser(town)
	o.register(inside, kim, secret)
	b := o.browser(town)
	b.Get(o.askRecovery(b, kim)).Form("").Set("password", newSecret).Submit().Want(200)
	stop := o.link("/konto/nicht-ich/")
	for range 2 { // opening it stops nothing
		o.browser(town).Get(stop).Want(200)
	}
	if !inside.Get("/konto").Contains("Ihr Zugang wird gerade wiederhergestellt") {
		t.Error("opening the link stopped the recovery")
	}
	page := o.browser(town).Get(stop).Form("").Submit().Want(200)
	if page.Path != "/konto/nicht-ich" || !page.Contains("Ihr bisheriges Passwort gilt weiter") {
		t.Errorf("at %s", page.Path)
	}
	o.advance(80 * time.Hour)
	if mails := o.mails(); len(mails) != 0 {
		t.Errorf("mails after the stop: %+v", mails)
	}
	enter(o.browser(town), kim, newSecret).Want(422)
	o.advance(2 * time.Minute)
	inside = o.browser(town)
	enter(inside, kim, secret).Want(200)
	// From within the account.
	b.Get(o.askRecovery(b, kim)).Form("").Set("password", newSecret).Submit().Want(200)
	if page := inside.Get("/konto").Want(200).Form("form[action=/konto/wiederherstellung]").Submit().Want(200); page.Path != "/konto?getan=abgebrochen" {
		t.Errorf("at %s", page.Path)
	}
}

func TestAddress(t *testing.T) {
	o := newRealm(t)
	b := o.browser(town)
	o.register(b, kim, secret)
	b.Get("/konto/adresse").Want(200).Form("").Set("email", "kim").Submit().Want(422)
	b.Get("/konto/adresse").Form("").Set("email", "neu@example.org").Add("id", "x").Add("realm", "strengen").Submit().Want(200)
	if page := b.Get("/konto"); !page.Contains("neu@example.org") || !page.Contains(kim) {
		t.Error("the account does not show both addresses while one waits")
	}
	link := o.link("/konto/adresse/")
	other := o.browser(town) // who owns the address is not yet the person
	page := other.Get(link).Want(200).Form("").Submit().Want(200)
	if !strings.HasPrefix(page.Path, "/konto/anmelden") || strings.Contains(page.Path, link) {
		t.Errorf("not signed in, at %s", page.Path)
	}
	page = page.Form("").Set("email", kim).Set("password", secret).Submit().Want(200)
	if page.Path != link {
		t.Errorf("after sign-in at %s", page.Path)
	}
	if page = page.Form("").Submit().Want(200); page.Path != "/konto/adresse/geaendert" {
		t.Errorf("at %s", page.Path)
	}
	told := map[string]bool{}
	for _, m := range o.mails() {
		told[m.To] = m.Subject == "Die E-Mail-Adresse Ihres Kontos wurde geändert"
	}
	if !told[kim] || !told["neu@example.org"] || len(told) != 2 {
		t.Errorf("told: %v", told)
	}
	enter(o.browser(town), kim, secret).Want(422)
	enter(o.browser(town), "neu@example.org", secret).Want(200)
	// A stranger who opens the link with an account of their own changes nothing.
	other = o.browser(town)
	o.register(other, "bob@example.org", "sieben Zwerge graben")
	b.Get("/konto/adresse").Form("").Set("email", "drei@example.org").Submit().Want(200)
	other.Get(o.link("/konto/adresse/")).Form("").Submit().Want(410)
	for _, referer := range o.referers {
		if strings.Contains(referer, ".example/konto/adresse/") {
			t.Error("a link stands in a referer")
		}
	}
}

// TestAddress_Ended: what was typed stays when the sign-in, or its proof, is over.
func TestAddress_Ended(t *testing.T) {
	o := newRealm(t)
	b := o.browser(town)
	o.register(b, kim, secret)
	form := b.Get("/konto/adresse").Want(200).Form("").Set("email", "neu@example.org")
	o.advance(11 * time.Minute)
	page := form.Submit().Want(403)
	if page.Form("").Get("email") != "neu@example.org" || !page.Has("a[href^='/konto/nachweis']") && !strings.Contains(page.Body, "/konto/nachweis?weiter=") {
		t.Error("with an old proof, what was typed is lost or the way on is missing")
	}
	o.advance(31 * time.Minute)
	page = form.Submit().Want(403)
	if page.Form("").Get("email") != "neu@example.org" || !strings.Contains(page.Body, "/konto/anmelden?weiter=") {
		t.Error("with an ended session, what was typed is lost or the way on is missing")
	}
	if len(o.mails()) != 0 {
		t.Error("something was changed")
	}
}

// TestProof: steps that matter ask for a fresh proof, pages and posts alike.
func TestProof(t *testing.T) {
	o := newRealm(t)
	b := o.browser(town)
	o.register(b, kim, secret)
	o.advance(11 * time.Minute)
	for _, path := range []string{"/konto/adresse", "/konto/passwort", "/konto/loeschen"} {
		if page := b.Get(path).Want(200); page.Path != "/konto/nachweis?weiter="+strings.ReplaceAll(path, "/", "%2F") {
			t.Errorf("%s leads to %s", path, page.Path)
		}
	}
	for _, try := range [][]string{
		{"/konto/passwort", "password", newSecret}, {"/konto/loeschen", "ja", "ja"}, {"/konto/zweiter-faktor", "aktion", "beginnen"},
		{"/konto/passkeys", "entfernen", "x"},
	} {
		if page := b.PostForm(try[0], try[1:]...).Want(200); !strings.HasPrefix(page.Path, "/konto/nachweis") {
			t.Errorf("POST %s with an old proof is at %s", try[0], page.Path)
		}
	}
	enter(o.browser(town), kim, secret).Want(200)
	b.Get("/konto/nachweis?weiter=%2Fkonto%2Fpasswort").Form("").Set("password", "falsch-falsch").Submit().Want(422)
	before := b.Cookie("ps_sitzung")
	page := b.Get("/konto/nachweis?weiter=%2Fkonto%2Fpasswort").Form("").Set("password", secret).Submit().Want(200)
	if page.Path != "/konto/passwort" || b.Cookie("ps_sitzung") == before {
		t.Errorf("after the proof at %s, new session %t", page.Path, b.Cookie("ps_sitzung") != before)
	}
	page.Form("").Set("password", "kurz").Submit().Want(422)
	if page = b.Get("/konto/passwort").Form("").Set("password", newSecret).Submit().Want(200); page.Path != "/konto?getan=passwort" {
		t.Errorf("at %s", page.Path)
	}
	enter(o.browser(town), kim, newSecret).Want(200)
}

func TestSessions(t *testing.T) {
	o := newRealm(t)
	a, b, c := o.browser(town), o.browser(village), o.browser(town)
	o.register(a, kim, secret)
	o.advance(time.Minute)
	enter(b, kim, secret).Want(200)
	o.advance(time.Minute)
	enter(c, kim, secret).Want(200)
	page := a.Get("/konto/sitzungen").Want(200)
	if page.Count("main section.ps-panel") != 3 || !page.Contains("Gemeinde Beispielingen") || !page.Contains("Firefox, Linux") || page.Count("main .kern-badge") != 1 {
		t.Errorf("list: %s", page.Text("main"))
	}
	// The newest stands first, and the own one has no such button.
	ids := page.Select("input[name=sitzung]")
	if len(ids) != 2 {
		t.Fatalf("%d sessions to end, want 2", len(ids))
	}
	other := ""
	for _, attr := range ids[1].Attr {
		if attr.Key == "value" {
			other = attr.Val
		}
	}
	o.advance(10 * time.Minute)
	if page := a.PostForm("/konto/sitzungen", "sitzung", other).Want(200); !strings.HasPrefix(page.Path, "/konto/nachweis") || b.Get("/postfach").Path != "/postfach" {
		t.Errorf("a session is ended with an old proof: %s", page.Path)
	}
	if page := a.Get("/konto/nachweis?weiter=%2Fkonto%2Fsitzungen").Form("").Set("password", secret).Submit().Want(200); page.Path != "/konto/sitzungen" {
		t.Errorf("after the proof at %s", page.Path)
	}
	a.PostForm("/konto/sitzungen", "sitzung", other).Want(200)
	if page := b.Get("/postfach"); page.Path == "/postfach" {
		t.Error("the ended session lives on")
	}
	a.PostForm("/konto/sitzungen", "alle", "1").Want(200)
	if page := c.Get("/postfach"); page.Path == "/postfach" {
		t.Error("another session lives on")
	}
	if page := a.Get("/konto/sitzungen").Want(200); page.Count("main section.ps-panel") != 1 || !page.Contains("nur in diesem Browser") {
		t.Error("the own session is gone")
	}
	_, err := o.vault.SignInAccount(t.Context(), vault.AccountProof{Realm: vault.RealmAll, Mail: kim, Password: secret})
	o.must(err)
	if page := a.Get("/konto/sitzungen").Want(200); page.Count("main section.ps-panel") != 2 || page.Count("main section.ps-panel dt") != 5 {
		t.Errorf("a session of no authority has a line for it: %s", page.Text("main"))
	}
}

func TestNotices(t *testing.T) {
	o := newRealm(t)
	b := o.browser(town)
	o.register(b, kim, secret)
	wants := func() (yes bool) {
		var id string
		o.must(o.db.View(t.Context(), func(tx *db.Tx) (err error) {
			if err = tx.QueryRow(t.Context(), `select id from account_citizens`).Scan(&id); err == nil {
				yes, err = o.accounts.WantsMail(t.Context(), tx, id)
			}
			return err
		}))
		return yes
	}
	if !wants() {
		t.Error("no notice at first")
	}
	b.Get("/konto/hinweise").Want(200).Form("").Uncheck("hinweis", "ja").Set("sprache", "en").Submit().Want(200)
	if wants() {
		t.Error("the notice is still wanted")
	}
	o.askRecovery(o.browser(town), kim)
	if m := o.box.Messages()[0]; m.Subject != "Recover your access" {
		t.Errorf("the mail is %q", m.Subject)
	}
	o.must(o.db.View(t.Context(), func(tx *db.Tx) error {
		yes, err := o.accounts.WantsMail(t.Context(), tx, "gone")
		if yes {
			t.Error("a notice for an account that is gone")
		}
		return err
	}))
}

func TestDelete(t *testing.T) {
	o := newRealm(t)
	b, elsewhere := o.browser(town), o.browser(village)
	o.register(b, kim, secret)
	enter(elsewhere, kim, secret).Want(200)
	page := b.Get("/konto/loeschen").Want(200)
	if !page.Contains("Was gelöscht wird") || !page.Contains("Was bleibt, und warum") {
		t.Error("the page does not say what goes and what stays")
	}
	page.Form("").Submit().Want(422)
	page = b.Get("/konto/loeschen").Form("").Check("ja", "ja").Submit().Want(200)
	if page.Path != "/konto/geloescht" || b.Cookie("ps_sitzung") != "" {
		t.Errorf("at %s, session %q", page.Path, b.Cookie("ps_sitzung"))
	}
	if len(o.dropped) != 1 || o.count(`select count(*) from account_citizens`) != 0 {
		t.Errorf("domains dropped %v", o.dropped)
	}
	if page := elsewhere.Get("/postfach"); page.Path == "/postfach" {
		t.Error("a session elsewhere lives on")
	}
	enter(o.browser(town), kim, secret).Want(422)
	o.advance(2 * time.Minute)
	o.work()
	// The address is free again.
	o.register(o.browser(town), kim, newSecret)
}

// TestDelete_Crash: what a crash between vault and database leaves, the job
// finishes; an account that the vault still has stays.
func TestDelete_Crash(t *testing.T) {
	o := newRealm(t)
	o.register(o.browser(town), kim, secret)
	o.register(o.browser(town), "bob@example.org", "sieben Zwerge graben")
	o.must(o.vault.DeleteAccount(t.Context(), o.grant(kim, secret)))
	o.advance(2 * time.Hour)
	o.work() // the sweep, as after a restored database
	if len(o.dropped) != 1 || o.count(`select count(*) from account_citizens`) != 1 {
		t.Errorf("dropped %v", o.dropped)
	}
	o.advance(2 * time.Hour)
	o.work()
	if n := o.count(`select count(*) from account_citizens`); n != 1 {
		t.Errorf("%d accounts, want 1", n)
	}
}

func TestVaultAway_Citizens(t *testing.T) {
	o := newRealm(t)
	b := o.browser(town)
	o.register(b, kim, secret)
	o.off.Off()
	b.Get("/konto").Want(503)
	b.Get("/konto/anmelden").Want(503)
	for _, path := range []string{"/konto/registrieren", "/konto/anmelden", "/konto/wiederherstellen"} {
		o.browser(town).PostForm(path, "email", kim, "password", secret).Want(503)
	}
	if page := b.PostForm("/konto/abmelden").Want(200); b.Cookie("ps_sitzung") != "" {
		t.Errorf("sign-out with the vault away: %s", page.Path)
	}
}

// TestPasskeys_Offer: where a passkey can be, its buttons are there, hidden until
// a script shows them; elsewhere they are not.
func TestPasskeys_Offer(t *testing.T) {
	o := newRealm(t)
	local := o.browser("localhost")
	for _, path := range []string{"/konto/anmelden", "/konto/registrieren"} {
		if page := local.Get(path).Want(200); page.Count("[data-passkey][hidden] button") != 1 {
			t.Errorf("%s offers no passkey on localhost", path)
		}
		if page := o.browser(town).Get(path).Want(200); page.Has("[data-passkey]") { // no encryption
			t.Errorf("%s offers a passkey without encryption", path)
		}
	}
	o.browser(town).PostForm("/konto/passkeys/angebot", "zweck", "anmelden").Want(404)
	offer := local.PostForm("/konto/passkeys/angebot", "zweck", "anmelden").Want(200)
	if !strings.Contains(offer.Body, `"challenge"`) || strings.Contains(offer.Body, "allowCredentials\":[{") {
		t.Errorf("offer: %s", offer.Body)
	}
	local.PostForm("/konto/passkeys/angebot", "zweck", "hinzufuegen").Want(403)
	local.PostForm("/konto/passkeys/angebot", "zweck", "x").Want(404)
	page := local.PostForm("/konto/anmelden", "email", kim, "challenge", "x", "credential", "{}").Want(422)
	if !page.Contains("Mit diesem Passkey hat es nicht geklappt") {
		t.Error("a bad passkey is not told")
	}
	local.PostForm("/konto/registrieren", "email", kim, "challenge", "x", "credential", "{}").Want(422)
}
