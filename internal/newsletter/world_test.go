package newsletter_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/a-h/templ"

	"poststelle/internal/account"
	"poststelle/internal/db"
	"poststelle/internal/db/dbtest"
	"poststelle/internal/i18n"
	"poststelle/internal/jobs"
	"poststelle/internal/journal"
	"poststelle/internal/mail"
	"poststelle/internal/mail/mailtest"
	"poststelle/internal/newsletter"
	"poststelle/internal/tenant"
	"poststelle/internal/vault"
	"poststelle/internal/vault/vaulttest"
	"poststelle/internal/web"
	"poststelle/internal/web/ui"
	"poststelle/internal/web/webtest"
)

const (
	town    = "musterstadt"
	village = "beispielingen"
)

// world is two tenants with newsletters on real stores. Its clock stands still
// until advance, mail is kept in memory, jobs run by hand (settle).
type world struct {
	t         *testing.T
	DB        *db.DB
	DBURL     string
	Vault     *vault.Vault
	Jobs      *jobs.Queue
	Directory *tenant.Directory
	Accounts  *account.Accounts
	Mail      *mail.Memory
	relay     mail.BulkSender // what the service sends with; Mail unless a test sets another
	Service   *newsletter.Service
	Router    *web.Router
	config    func(*newsletter.Config)
	looked    func() // called when somebody asks for the time
	mu        sync.Mutex
	now       time.Time
}

func tenants() []tenant.Tenant {
	box := []tenant.Mailbox{{ID: "rathaus", Name: "Rathaus", Duties: "Alles", Fallback: true}}
	all := []tenant.Module{tenant.Newsletter}
	return []tenant.Tenant{
		{ID: town, Kind: tenant.Authority, Profile: tenant.Vorlage, Name: "Stadt Musterstadt", ARS: "081110000000", Hosts: []string{host(town)}, Modules: all,
			Mailboxes: box, Address: tenant.Address{Street: "Rathausplatz 1", Postcode: "70000", Place: "Musterstadt", Email: "info@musterstadt.example"}},
		{ID: village, Kind: tenant.Authority, Profile: tenant.Streng, Name: "Gemeinde Beispielingen", ARS: "081110000001", Hosts: []string{host(village)}, Modules: all,
			Mailboxes: box, Address: tenant.Address{Street: "Dorfstraße 2", Postcode: "71111", Place: "Beispielingen", Email: "info@beispielingen.example"}},
		{ID: "ohne", Kind: tenant.Authority, Profile: tenant.Vorlage, Name: "Stadt Ohne", ARS: "081110000002", Hosts: []string{host("ohne")}, Mailboxes: box},
	}
}

func host(of string) string { return "vps." + of + ".example" }

func newWorld(t *testing.T, change ...func(*world)) *world {
	t.Helper()
	w := &world{t: t, Mail: mail.NewMemory(100_000), now: time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)}
	w.relay = w.Mail
	ctx := t.Context()
	w.DBURL = dbtest.URL(t)
	w.DB = dbtest.Open(t, db.Config{URL: w.DBURL, Now: w.Now})
	w.must(w.DB.Migrate(ctx, jobs.Migrations(), journal.Migrations(), tenant.Migrations(), account.Migrations(), newsletter.Migrations()))
	w.must(tenant.Add(ctx, w.DB, tenants()...))
	w.Vault = vaulttest.Open(t, vault.Config{Dir: filepath.Join(t.TempDir(), "vault"), Now: w.Now})
	var specs []vault.TenantSpec
	for _, o := range tenants() {
		specs = append(specs, vault.TenantSpec{ID: string(o.ID), Mailboxes: []string{"rathaus"}})
	}
	w.must(w.Vault.CreateTenants(ctx, specs))
	var err error
	w.Directory, err = tenant.NewDirectory(ctx, w.DB, w.log())
	w.must(err)
	for _, f := range change {
		f(w)
	}
	w.start()
	return w
}

// start puts a new process's worth of objects over the stores.
func (w *world) start() {
	w.t.Helper()
	token := func(name string) string { return vaulttest.Service(w.t, w.Vault, name) }
	w.Jobs = jobs.New(jobs.Config{DB: w.DB, Now: w.Now, Log: w.log()})
	w.Accounts = account.New(account.Config{
		DB: w.DB, Vault: w.Vault, Directory: w.Directory, Demo: true, Now: w.Now, Log: w.log(),
	})
	c := newsletter.Config{
		DB: w.DB, Keys: w.Vault, Jobs: w.Jobs, Directory: w.Directory, Accounts: w.Accounts, Mail: mailtest.Wrap(w.t, w.relay), Website: token(vault.ServiceWebsite),
		Notifier: token(vault.ServiceNotifier), MailFrom: "poststelle@betreiber.example", BaseURL: base, Lines: 2, Now: w.Now, Log: w.log(),
	}
	if w.config != nil {
		w.config(&c)
	}
	w.Service = newsletter.New(c)
	catalog, err := i18n.Load()
	w.must(err)
	cookies, err := web.NewRegistry(web.OwnCookies()...)
	w.must(err)
	w.Router, err = web.NewRouter(web.Config{
		Has: func(site web.Site, module string) bool {
			t, ok := w.Directory.ByID(tenant.ID(site.ID))
			return ok && t.Has(tenant.Module(module))
		},
		Site: func(h string) (web.Site, bool) {
			t, ok := w.Directory.ByHost(h)
			if !ok {
				return web.Site{}, false
			}
			return web.Site{ID: string(t.ID), Kind: string(t.Kind), Name: t.Name, Origin: base(t)}, true
		},
		Layout: func(r *http.Request, v web.View) templ.Component {
			f := ui.Frame{Lang: i18n.Lang(r.Context()), Path: r.URL.Path, Now: w.Now(), Staff: v.Staff, ProductName: "Poststelle",
				Display: func(string) string { return "" }, AssetHref: func(name string) string { return "/assets/" + name }}
			return ui.Layout(f, ui.View{Title: v.Title, Body: v.Body, Errors: v.Errors, Narrow: v.Narrow, NoIndex: v.NoIndex})
		},
		Catalog: catalog, Sessions: web.NewSessions(web.SessionConfig{Now: w.Now}), Cookies: cookies, Log: w.log(), Now: time.Now, // deadlines of connections count in real time
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	})
	w.must(err)
	w.Accounts.Routes(w.Router)
	w.Service.Routes(w.Router)
}

func base(t *tenant.Tenant) string { return "https://" + t.Hosts[0] }

func (w *world) log() *slog.Logger { return slog.New(slog.NewTextHandler(w.t.Output(), nil)) }

func (w *world) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.looked != nil {
		w.looked()
	}
	return w.now
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) settle() {
	w.t.Helper()
	_, err := w.Jobs.RunDue(w.t.Context())
	w.must(err)
}

func (w *world) browser(of string) *webtest.Client {
	w.t.Helper()
	c := webtest.New(w.t, w.Router)
	c.Host = host(of)
	return c
}

// count returns the number of rows that a query counts.
func (w *world) count(q string, args ...any) (n int) {
	w.t.Helper()
	w.must(w.DB.View(context.Background(), func(tx *db.Tx) error {
		return tx.QueryRow(context.Background(), q, args...).Scan(&n)
	}))
	return n
}

// ask signs an address up at a tenant, up to the page that says to look for mail.
func (w *world) ask(c *webtest.Client, address string) *webtest.Page {
	w.t.Helper()
	p := c.Get("/newsletter").Want(200).Form("form[action=/newsletter]").Set("email", address).Submit()
	return p
}

var wordForm = regexp.MustCompile(`/newsletter/([a-z]+)/([A-Za-z0-9_-]{20,})`)

// to returns the mails to an address, newest first.
func (w *world) to(address string) (out []mail.Sent) {
	for _, m := range w.Mail.Messages() {
		if m.To == address {
			out = append(out, m)
		}
	}
	return out
}

// wordIn returns the word of a link for a purpose in a text.
func wordIn(t *testing.T, text, path string) string {
	t.Helper()
	for _, m := range wordForm.FindAllStringSubmatch(text, -1) {
		if m[1] == path {
			return m[2]
		}
	}
	t.Fatalf("no link /newsletter/%s/ in %q", path, text)
	return ""
}

// subscribe takes an address through sign-up and confirmation.
func (w *world) subscribe(of, address string) {
	w.t.Helper()
	c := w.browser(of)
	w.ask(c, address).Want(200)
	w.settle()
	mails := w.to(address)
	if len(mails) == 0 {
		w.t.Fatalf("no mail to %s", address)
	}
	word := wordIn(w.t, mails[0].Text, "bestaetigen")
	c.Get("/newsletter/bestaetigen/" + word).Want(200).Form("form[action=/newsletter/bestaetigen/" + word + "]").Submit().Want(200)
}

// editor signs a person of that role in and returns their browser.
func (w *world) editor(of string, role account.Role) *webtest.Client {
	w.t.Helper()
	login := strings.ToLower(string(role)) + ".person"
	n := account.NewStaff{Tenant: tenant.ID(of), Login: login, Name: "Petra Presse", Password: vaulttest.Password(login), Role: role, Mail: login + "@" + of + ".example"}
	if role == account.Clerk || role == account.Lead {
		n.Mailboxes = []tenant.MailboxID{"rathaus"}
	}
	_, err := w.Accounts.Console(vaulttest.Service(w.t, w.Vault, vault.ServiceConsole)).AddStaff(w.t.Context(), n)
	w.must(err)
	c := w.browser(of)
	w.signIn(c, login)
	return c
}

func (w *world) signIn(c *webtest.Client, login string) {
	w.t.Helper()
	c.NoFollow = true
	p := c.Get("/amt/anmelden").Want(200).Form("form[action=/amt/anmelden]").Set("login", login).Set("password", vaulttest.Password(login)).Submit()
	if p.Status != http.StatusSeeOther {
		w.t.Fatalf("sign-in of %s: %d", login, p.Status)
	}
	c.NoFollow = false
}

// draft writes an issue at the desk and returns its path.
func (w *world) draft(c *webtest.Client, subject, body string) string {
	w.t.Helper()
	p := c.Get("/amt/redaktion/newsletter/neu").Want(200).Form("form[action=/amt/redaktion/newsletter/neu]").Set("subject", subject).Set("body", body).Submit().Want(200)
	path := strings.TrimSuffix(p.Attr("main form", "action"), "/")
	if path == "" || path == "/amt/redaktion/newsletter/neu" {
		w.t.Fatalf("no draft: %q", p.Text("h1"))
	}
	return path
}

// release sends an issue off from the desk.
func (w *world) release(c *webtest.Client, path string) *webtest.Page {
	w.t.Helper()
	return c.Get(path + "/senden").Want(200).Form("form[action=" + path + "/senden]").Submit()
}
