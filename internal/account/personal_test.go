package account_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"poststelle/internal/account"
	"poststelle/internal/db"
	"poststelle/internal/journal"
	"poststelle/internal/tenant"
	"poststelle/internal/vault"
	"poststelle/internal/vault/vaulttest"
	"poststelle/internal/web/webtest"
)

// role adds somebody in a role and signs them in.
func (o *office) role(login string, role account.Role, boxes ...tenant.MailboxID) (person string, b *webtest.Client) {
	o.t.Helper()
	e, err := o.staff().AddStaff(o.t.Context(), account.NewStaff{
		Tenant: "musterstadt", Login: login, Name: "Person " + login, Password: vaulttest.Password(login), Role: role, Mailboxes: boxes,
	})
	o.must(err)
	b = o.browser()
	signIn(b, login, vaulttest.Password(login), "")
	return e.Person, b
}

func TestPersonal_StartPassword(t *testing.T) {
	o := newOffice(t, false)
	_, admin := o.role("chefin", account.Admin)
	p := admin.Get("/amt/personal/neu").Want(200).Form("").Set("name", "Nora Neu").Set("kennung", "neu").Set("rolle", "clerk").Submit().Want(200)
	if p.Path != "/amt/personal/zugang" {
		t.Fatalf("after adding at %s", p.Path)
	}
	secret, start := strings.ReplaceAll(p.Text("#geheimnis"), " ", ""), p.Text("#startpasswort")
	p.Form("").Submit().Want(200)
	if p := admin.Get("/amt/personal/zugang"); p.Path != "/amt/personal" || strings.Contains(p.Body, start) {
		t.Error("the start password is shown again")
	}
	b := o.browser()
	p = signIn(b, "neu", start, code(t, secret, o.Now())).Want(200)
	if p.Path != "/amt/einstellungen/passwort" {
		t.Fatalf("the first sign-in leads to %s", p.Path)
	}
	if p := b.Get("/amt/eingang"); p.Path != "/amt/einstellungen/passwort" {
		t.Errorf("with a start password one gets to %s", p.Path)
	}
	p.Form("").Set("password", "kurz").Submit().Want(http.StatusUnprocessableEntity)
	if p := p.Form("").Set("password", "drei gruene Kraniche").Submit().Want(200); p.Path != "/amt/einstellungen?getan=passwort" {
		t.Errorf("after the own password at %s", p.Path)
	}
	if p := b.Get("/amt/eingang"); !strings.HasPrefix(p.Body, "Nora Neu in []") {
		t.Errorf("with the own password: %q", p.Body)
	}

	// One that nobody used in time opens nothing.
	p = admin.Get("/amt/personal/neu").Form("").Set("name", "Otto Spaet").Set("kennung", "spaet").Set("rolle", "clerk").Submit().Want(200)
	secret, start = strings.ReplaceAll(p.Text("#geheimnis"), " ", ""), p.Text("#startpasswort")
	o.advance(7*24*time.Hour + time.Minute)
	if p := signIn(o.browser(), "spaet", start, code(t, secret, o.Now())).Want(http.StatusUnprocessableEntity); !p.Contains("abgelaufen") {
		t.Error("an old start password is taken")
	}
}

func TestPersonal_PasswordNeedsProof(t *testing.T) {
	o := newOffice(t, false)
	_, b := o.role("thoma", account.Clerk, "rathaus")
	b.Get("/amt/einstellungen/passwort").Want(200)
	o.advance(11 * time.Minute)
	p := b.Get("/amt/einstellungen/passwort").Want(200)
	if !strings.HasPrefix(p.Path, "/amt/einstellungen/nachweis") {
		t.Fatalf("an old sign-in is proof enough: %s", p.Path)
	}
	if q := b.PostForm("/amt/einstellungen/passwort", "password", "drei gruene Kraniche"); !strings.HasPrefix(q.Path, "/amt/einstellungen/nachweis") {
		t.Errorf("posted past the page: %s", q.Path)
	}
	if q := b.PostForm("/amt/einstellungen/sitzungen", "alle", "1"); !strings.HasPrefix(q.Path, "/amt/einstellungen/nachweis") {
		t.Errorf("sessions are ended with an old proof: %s", q.Path)
	}
	p.Form("").Set("password", "falsch").Submit().Want(http.StatusUnprocessableEntity)
	p = p.Form("").Set("password", vaulttest.Password("thoma")).Submit().Want(200)
	if p.Path != "/amt/einstellungen/passwort" {
		t.Errorf("after the proof at %s", p.Path)
	}
}

func TestPersonal_Refused(t *testing.T) {
	o := newOffice(t, false)
	own, admin := o.role("chefin", account.Admin)
	clerk, _ := o.role("thoma", account.Clerk, "rathaus")
	path := "/amt/personal/person/"
	for name, c := range map[string]struct{ path, says string }{
		"own role":     {path + own + "/rolle", "Ihre eigene Rolle"},
		"own access":   {path + own + "/zugang", "Ihren eigenen Zugang"},
		"own sessions": {path + own + "/sitzungen", "Ihren eigenen Zugang"},
		"last admin":   {path + own + "/sperren", "letzte Person mit der Rolle Administration"},
		"self":         {path + own + "/postfach", "Sich selbst nimmt niemand"},
		"role":         {path + clerk + "/rolle", "Rolle"},
		"mailbox":      {path + clerk + "/postfach", "Postfach aus der Liste"},
	} {
		if p := admin.PostForm(c.path, "rolle", "chef", "postfach", "keins").Want(http.StatusUnprocessableEntity); !p.Contains(c.says) {
			t.Errorf("%s: %s", name, p.Text("main"))
		}
	}
	if p := admin.Get(path + clerk).Want(200); !p.Contains("Passkeys0") {
		t.Errorf("how many passkeys somebody has is not said: %s", p.Text("main"))
	}
	if p := admin.Get(path + own).Want(200); p.Has("form[action="+path+own+"/sitzungen]") || !admin.Get(path+clerk).Has("form[action="+path+clerk+"/sitzungen]") {
		t.Error("the button that ends sessions is on the own page, or missing on another one")
	}
	if p := admin.Get("/amt/personal/neu").Want(200); !p.Contains("kann Ihre Vorschläge nicht bestätigen") {
		t.Error("that a second administrator comes from the console is not said")
	}
	if p := admin.Get("/amt/personal").Want(200); p.Count("tbody tr") != 2 {
		t.Errorf("%d people", p.Count("tbody tr"))
	}
	o.advance(time.Second)
	admin.PostForm(path+clerk+"/rolle", "rolle", "lead").Want(200)
	o.must(o.db.View(t.Context(), func(tx *db.Tx) error {
		items, err := journal.List(t.Context(), tx, "musterstadt", clerk, 5)
		if len(items) == 0 || items[0].Action != "staff.role" || items[0].Actor != "staff:"+own || items[0].Detail["role"] != "lead" {
			t.Errorf("journal: %+v", items)
		}
		return err
	}))
}

func TestPersonal_Lead(t *testing.T) {
	o := newOffice(t, false)
	_, lead := o.role("leitung", account.Lead, "rathaus")
	other, _ := o.role("bau", account.Clerk, "bauamt")
	near, _ := o.role("nah", account.Clerk, "rathaus", "bauamt")
	p := lead.Get("/amt/personal").Want(200)
	if p.Contains("Person bau") || !p.Contains("Person nah") || p.Contains("Bauamt") || p.Has(`main tbody a`) {
		t.Errorf("a lead sees %s", p.Text("main"))
	}
	for _, path := range []string{"/amt/personal/neu", "/amt/personal/person/" + other, "/amt/personal/person/" + near} {
		lead.Get(path).Want(http.StatusForbidden)
	}
}

func TestProtocol(t *testing.T) {
	o := newOffice(t, false)
	person, _ := o.role("thoma", account.Clerk, "rathaus")
	_, auditor := o.role("revision", account.Auditor)
	o.must(o.db.Update(t.Context(), func(tx *db.Tx) error {
		return journal.Record(t.Context(), tx, journal.Entry{
			Tenant: "musterstadt", Actor: "staff:" + person, Action: "probe.done", Object: "-2,3", Detail: map[string]string{"count": "1", journal.Reason: "Geheimer Grund"},
		})
	}))
	p := auditor.Get("/amt/protokoll").Want(200)
	if !p.Contains("probe.done") || !p.Contains("Person thoma") || p.Contains("Geheimer Grund") || strings.Contains(p.Body, "staff:"+person) {
		t.Errorf("the log: %s", p.Text("table"))
	}
	if p := auditor.Get("/amt/protokoll?aktion=probe").Want(200); p.Count("tbody tr") != 1 {
		t.Errorf("by action: %d", p.Count("tbody tr"))
	}
	if p := auditor.Get("/amt/protokoll?bis=2026-01-01").Want(200); p.Count("tbody tr") != 0 {
		t.Errorf("by day: %d", p.Count("tbody tr"))
	}
	if p := auditor.Get("/amt/protokoll?quelle=tresor&aktion=sign-in").Want(200); p.Count("tbody tr") != 2 {
		t.Errorf("of the vault: %d", p.Count("tbody tr"))
	}
	notifier, err := o.vault.ServiceToken(vault.ServiceNotifier)
	o.must(err)
	_, err = o.accounts.Vault.StaffMail(t.Context(), notifier, "musterstadt", []string{person})
	o.must(err)
	if p := auditor.Get("/amt/protokoll?quelle=tresor&aktion=staff.mail").Want(200); !p.Contains("Programm (Hinweise)") || !p.Contains("Zweck: Hinweis per E-Mail") || p.Contains("service:") {
		t.Errorf("what the program did: %s", p.Text("table"))
	}
	csv := auditor.Get("/amt/protokoll/export.csv?aktion=probe").Want(200)
	if !strings.Contains(csv.Body, ";'-2,3;") || strings.Contains(csv.Body, "Geheimer") || strings.Count(csv.Body, "\r\n") != 2 {
		t.Errorf("export: %q", csv.Body)
	}
	if p := p.Form("form[action=/amt/protokoll/pruefen]").Submit().Want(200); !p.Contains("vollständig und unverändert") {
		t.Errorf("check: %s", p.Text("main"))
	}
	for range 60 {
		o.must(o.db.Update(t.Context(), func(tx *db.Tx) error {
			return journal.Record(t.Context(), tx, journal.Entry{Tenant: "musterstadt", Actor: "cli", Action: "probe.many", Object: "x"})
		}))
	}
	p = auditor.Get("/amt/protokoll?aktion=probe.many").Want(200)
	rest := p.Click("a[rel=next]").Want(200)
	if p.Count("tbody tr") != 50 || rest.Count("tbody tr") != 10 {
		t.Errorf("pages of %d and %d", p.Count("tbody tr"), rest.Count("tbody tr"))
	}
	o.must(journal.NewChain(o.db).Extend(t.Context()))
	o.must(o.db.Update(t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec(t.Context(), `update journal_entries set actor = 'cli' where action = 'probe.done'`)
		return err
	}))
	if p := auditor.PostForm("/amt/protokoll/pruefen").Want(200); !p.Contains("Das Protokoll wurde verändert") {
		t.Error("a changed entry goes unnoticed")
	}
}
