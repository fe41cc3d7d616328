package account_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/a-h/templ"

	"poststelle/internal/account"
	"poststelle/internal/db"
	"poststelle/internal/db/dbtest"
	"poststelle/internal/i18n"
	"poststelle/internal/journal"
	"poststelle/internal/tenant"
	"poststelle/internal/vault"
	"poststelle/internal/vault/vaulttest"
	"poststelle/internal/web"
	"poststelle/internal/web/ui"
	"poststelle/internal/web/webtest"
)

const host = "vps.musterstadt.example"

// office is an authority with sign-in pages on real stores.
type office struct {
	t        *testing.T
	db       *db.DB
	vault    *vault.Vault
	vaultOff *vaulttest.Switch
	accounts *account.Accounts
	router   *web.Router
	mu       sync.Mutex
	now      time.Time
}

// console is the token of the command line, staff what it changes people with.
func (o *office) console() string {
	o.t.Helper()
	return vaulttest.Service(o.t, o.vault, vault.ServiceConsole)
}

func (o *office) staff() account.Console {
	o.t.Helper()
	return o.accounts.Console(o.console())
}

func (o *office) Now() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.now
}

func (o *office) advance(d time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.now = o.now.Add(d)
}

func (o *office) must(err error) {
	o.t.Helper()
	if err != nil {
		o.t.Fatal(err)
	}
}

func newOffice(t *testing.T, demo bool) *office {
	t.Helper()
	o := &office{t: t, now: time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)}
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	o.db = dbtest.NewAt(t, o.Now, journal.Migrations(), tenant.Migrations(), account.Migrations())
	o.must(tenant.Add(t.Context(), o.db, tenant.Tenant{
		ID: "musterstadt", Kind: tenant.Authority, Profile: tenant.Vorlage, Name: "Stadt Musterstadt", ARS: "081110000000", Hosts: []string{host},
		Mailboxes: []tenant.Mailbox{{ID: "rathaus", Name: "Rathaus", Duties: "Alles", Fallback: true}, {ID: "bauamt", Name: "Bauamt", Duties: "Bauen"}},
	}))
	o.vault = vaulttest.New(t, o.Now)
	o.must(o.vault.CreateTenants(t.Context(), []vault.TenantSpec{{ID: "musterstadt", Mailboxes: []string{"rathaus", "bauamt"}}}))
	o.vaultOff = vaulttest.NewSwitch(o.vault)
	directory, err := tenant.NewDirectory(t.Context(), o.db, log)
	o.must(err)
	o.accounts = account.New(account.Config{
		DB: o.db, Vault: o.vaultOff, Directory: directory, Demo: demo, Now: o.Now, Log: log,
	})
	catalog, err := i18n.Load()
	o.must(err)
	cookies, err := web.NewRegistry(web.OwnCookies()...)
	o.must(err)
	o.router, err = web.NewRouter(web.Config{
		Site: func(h string) (web.Site, bool) {
			return web.Site{ID: "musterstadt", Name: "Stadt Musterstadt"}, h == host
		},
		Layout: func(r *http.Request, v web.View) templ.Component {
			return ui.Layout(ui.Frame{Lang: i18n.Lang(r.Context()), Path: r.URL.Path, Now: o.Now(), Staff: v.Staff, ProductName: "Poststelle"},
				ui.View{Title: v.Title, Body: v.Body, Errors: v.Errors, Narrow: v.Narrow})
		},
		Catalog: catalog, Sessions: web.NewSessions(web.SessionConfig{Now: o.Now}), Cookies: cookies, Log: log, Now: time.Now, // deadlines of connections count in real time
	})
	o.must(err)
	o.accounts.Routes(o.router)
	o.router.Handle("GET /amt/eingang", o.accounts.Staff(func(w http.ResponseWriter, r *http.Request, who account.Actor) error {
		_, err := fmt.Fprintf(w, "%s in %v", who.Name, who.Mailboxes)
		return err
	}))
	o.router.Handle("POST /amt/eingang", o.accounts.Staff(func(w http.ResponseWriter, r *http.Request, _ account.Actor) error {
		return web.Redirect(w, r, "/amt/eingang")
	}))
	return o
}

func (o *office) hire(login string, second bool) vault.Enrolment {
	o.t.Helper()
	e, err := o.staff().AddStaff(o.t.Context(), account.NewStaff{
		Tenant: "musterstadt", Login: login, Name: "Ayşe Kaya", Password: vaulttest.Password(login), Role: account.Clerk,
		Mailboxes: []tenant.MailboxID{"rathaus"}, SecondFactor: second,
	})
	o.must(err)
	return e
}

func (o *office) browser() *webtest.Client {
	c := webtest.New(o.t, o.router)
	c.Host = host
	return c
}

func signIn(b *webtest.Client, login, password, otp string) *webtest.Page {
	return b.Get("/amt/anmelden").Want(200).Form("").Set("login", login).Set("password", password).Set("otp", otp).Submit()
}

// code is the one-time code of RFC 6238 at a time.
func code(t *testing.T, secret string, at time.Time) string {
	t.Helper()
	seed, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secret)
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha1.New, seed)
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(at.Unix()/30)))
	sum := mac.Sum(nil)
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[sum[19]&15:])&0x7fffffff%1_000_000)
}

// A stranger's address may be longer than what the way back keeps: the sign-in
// page comes all the same, and the way back ends at the path or the start.
func TestSignIn_LongWayBack(t *testing.T) {
	o := newOffice(t, false)
	if page := o.browser().Get("/amt/eingang?sicht=" + strings.Repeat("x", 3000)).Want(200); page.Path != "/amt/anmelden?weiter=%2Famt%2Feingang" {
		t.Errorf("a long query leads to %.80s", page.Path)
	}
	if page := o.browser().Get("/amt/" + strings.Repeat("ä", 300)); page.Status >= 500 {
		t.Errorf("a long path that nobody knows: %d", page.Status)
	}
	if page := o.browser().Get("/amt/protokoll?" + strings.Repeat("%2F", 600)).Want(200); page.Path != "/amt/anmelden?weiter=%2Famt%2Fprotokoll" {
		t.Errorf("a query of escapes leads to %.80s", page.Path)
	}
}

func TestSignIn_SecondFactor(t *testing.T) {
	o := newOffice(t, false)
	e := o.hire("ayse.kaya", true)
	password := vaulttest.Password("ayse.kaya")
	b := o.browser()
	page := b.Get("/amt/eingang?sicht=neu").Want(200)
	if page.Path != "/amt/anmelden?weiter=%2Famt%2Feingang%3Fsicht%3Dneu" {
		t.Errorf("a stranger is at %s", page.Path)
	}
	if page.Contains("Vorführung") {
		t.Error("the page speaks of a demonstration")
	}
	good := code(t, e.TOTPSecret, o.Now())
	planted := b.Cookie("ps_sitzung")
	page = page.Form("").Set("login", "Ayse.Kaya ").Set("password", password).Set("otp", good[:3]+" "+good[3:]).Submit().Want(200)
	if page.Path != "/amt/eingang?sicht=neu" || page.Body != "Ayşe Kaya in [rathaus]" {
		t.Errorf("after sign-in at %s: %q", page.Path, page.Body)
	}
	if now := b.Cookie("ps_sitzung"); now == "" || now == planted {
		t.Error("the session kept its id")
	}
	// The same code a second time is worth nothing.
	sentences := map[string]bool{}
	for _, wrong := range [][3]string{
		{"ayse.kaya", password, good}, {"ayse.kaya", password, "000000"}, {"ayse.kaya", "falsch-falsch", good}, {"niemand", password, good}, {"", "", ""},
	} {
		o.advance(2 * time.Minute) // past the slow-down
		page := signIn(o.browser(), wrong[0], wrong[1], wrong[2]).Want(422)
		sentences[page.Text("#fehler li")] = true
		if page.Form("").Get("password") != "" || strings.Contains(page.Body, wrong[1]) && wrong[1] != "" {
			t.Error("the page repeats the password")
		}
	}
	if len(sentences) != 1 {
		t.Errorf("wrong parts can be told apart: %v", sentences)
	}
}

func TestSignIn_SlowDown(t *testing.T) {
	o := newOffice(t, true)
	o.hire("ayse.kaya", false)
	b := o.browser()
	var page *webtest.Page
	for range 6 {
		page = signIn(b, "ayse.kaya", "falsch-falsch", "")
	}
	page.Want(429)
	if page.Header.Get("Retry-After") == "" || !page.Contains("Warten Sie bis zu einer Minute") {
		t.Error("the wait is not said")
	}
	o.advance(2 * time.Minute)
	signIn(b, "ayse.kaya", vaulttest.Password("ayse.kaya"), "").Want(200)
}

func TestSignIn_BackIsLocal(t *testing.T) {
	o := newOffice(t, true)
	o.hire("ayse.kaya", false)
	for _, bad := range []string{"https://fremd.example/", "//fremd.example/amt/", "/\\fremd.example", "/abholen", "/amt/anmelden?weiter=x", "javascript:x", "/amt/../x"} {
		b := o.browser()
		page := b.PostForm("/amt/anmelden", "login", "ayse.kaya", "password", vaulttest.Password("ayse.kaya"), "weiter", bad)
		if page.Path != "/amt/eingang" || page.Host != host {
			t.Errorf("weiter=%q leads to %s%s", bad, page.Host, page.Path)
		}
	}
}

func TestSignIn_CookiesRefused(t *testing.T) {
	o := newOffice(t, true)
	o.hire("ayse.kaya", false)
	b := o.browser()
	b.RefuseCookies = true
	page := signIn(b, "ayse.kaya", vaulttest.Password("ayse.kaya"), "").Want(403)
	if !page.Contains("Cookie") {
		t.Error("the page does not explain why it failed")
	}
}

func TestSignOut_AndEndOfGrant(t *testing.T) {
	o := newOffice(t, true)
	o.hire("ayse.kaya", false)
	b := o.browser()
	signIn(b, "ayse.kaya", vaulttest.Password("ayse.kaya"), "").Want(200)
	if page := b.Get("/amt/anmelden"); page.Path != "/amt/eingang" {
		t.Errorf("signed in, the sign-in page leads to %s", page.Path)
	}
	kept := b.Cookie("ps_sitzung")
	b.Get("/amt/einstellungen").Want(200)
	if page := b.PostForm("/amt/abmelden").Want(200); page.Path != "/amt/anmelden" {
		t.Errorf("after sign-out at %s", page.Path)
	}
	thief := o.browser()
	thief.SetCookie("ps_sitzung", kept)
	if page := thief.Get("/amt/eingang"); !strings.HasPrefix(page.Path, "/amt/anmelden") {
		t.Error("the session lives on after sign-out")
	}
	// After half an hour without a request a post is refused, not lost in a redirect.
	signIn(b, "ayse.kaya", vaulttest.Password("ayse.kaya"), "").Want(200)
	o.advance(31 * time.Minute)
	b.PostForm("/amt/eingang").Want(403)
}

func TestSignIn_AnotherPersonInheritsNothing(t *testing.T) {
	o := newOffice(t, true)
	o.hire("ayse.kaya", false)
	o.hire("jonas.berg", false)
	b := o.browser()
	signIn(b, "ayse.kaya", vaulttest.Password("ayse.kaya"), "").Want(200)
	first := b.Cookie("ps_sitzung")
	b.PostForm("/amt/anmelden", "login", "jonas.berg", "password", vaulttest.Password("jonas.berg")).Want(200)
	old := o.browser()
	old.SetCookie("ps_sitzung", first)
	if page := old.Get("/amt/eingang"); !strings.HasPrefix(page.Path, "/amt/anmelden") {
		t.Error("the first person's session lives on beside the second")
	}
}

func TestVaultAway(t *testing.T) {
	o := newOffice(t, true)
	o.hire("ayse.kaya", false)
	b := o.browser()
	signIn(b, "ayse.kaya", vaulttest.Password("ayse.kaya"), "").Want(200)
	o.vaultOff.Off()
	if page := b.Get("/amt/eingang").Want(503); !page.Contains("Neue Nachrichten nehmen wir weiter an") {
		t.Error("the page does not say what still works")
	}
	signIn(o.browser(), "ayse.kaya", vaulttest.Password("ayse.kaya"), "").Want(503)
	if page := b.PostForm("/amt/abmelden"); page.Status != 200 {
		t.Errorf("sign-out with the vault away: %d", page.Status)
	}
}

func TestSettingsAndKeys(t *testing.T) {
	o := newOffice(t, true)
	o.hire("ayse.kaya", false)
	b := o.browser()
	b.Get("/amt/einstellungen").Want(200) // the sign-in page
	signIn(b, "ayse.kaya", vaulttest.Password("ayse.kaya"), "").Want(200)
	form := b.Get("/amt/einstellungen").Want(200).Form("")
	form.Check("postfach", "rathaus").Add("postfach", "bauamt") // no member there
	if page := form.Submit().Want(200); !page.Contains("gespeichert") || page.Count("input[name=postfach][checked]") != 1 {
		t.Error("the choice is not kept")
	}
	o.must(o.db.View(t.Context(), func(tx *db.Tx) error {
		people, err := o.accounts.NoticePeople(t.Context(), tx, "musterstadt", "bauamt")
		if len(people) != 0 {
			t.Errorf("notices for a mailbox without membership: %v", people)
		}
		return err
	}))
	for _, lang := range []string{"", "/en"} {
		if page := b.Get(lang + "/amt/tasten").Want(200); page.Count("kbd") < 10 {
			t.Error("the list of keys is short")
		}
	}
}

func TestStaff_AddListDisable(t *testing.T) {
	o := newOffice(t, true)
	e := o.hire("ayse.kaya", false)
	list, err := o.accounts.List(t.Context(), "musterstadt")
	if err != nil || len(list) != 1 || list[0].Name != "Ayşe Kaya" || list[0].Disabled {
		t.Errorf("List() = %+v, %v", list, err)
	}
	if _, err := o.staff().AddStaff(t.Context(), account.NewStaff{Tenant: "musterstadt", Login: "x", Name: " ", Password: "lang-genug"}); err == nil {
		t.Error("a person without a name was added")
	}
	b := o.browser()
	signIn(b, "ayse.kaya", vaulttest.Password("ayse.kaya"), "").Want(200)
	o.must(o.staff().Disable(t.Context(), "musterstadt", e.Person))
	if page := b.Get("/amt/eingang"); !strings.HasPrefix(page.Path, "/amt/anmelden") {
		t.Error("a disabled person is still inside")
	}
	signIn(o.browser(), "ayse.kaya", vaulttest.Password("ayse.kaya"), "").Want(422)
}
