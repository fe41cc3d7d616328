package blog_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/a-h/templ"

	"poststelle/internal/account"
	"poststelle/internal/blog"
	"poststelle/internal/db"
	"poststelle/internal/db/dbtest"
	"poststelle/internal/i18n"
	"poststelle/internal/jobs"
	"poststelle/internal/journal"
	"poststelle/internal/tenant"
	"poststelle/internal/vault"
	"poststelle/internal/vault/vaulttest"
	"poststelle/internal/web"
	"poststelle/internal/web/ui"
	"poststelle/internal/web/webtest"
)

const (
	operator = "betreiber.example"
	village  = "vps.beispielingen.example"
	// visitor is the address that comments come from in these tests.
	visitor = "203.0.113.77"
)

// site is a whole website on real stores, with a clock that stands still.
type site struct {
	t         testing.TB
	DB        *db.DB
	Vault     *vault.Vault
	Deputy    *vault.Deputy
	Jobs      *jobs.Queue
	Directory *tenant.Directory
	Accounts  *account.Accounts
	Blog      *blog.Service
	Router    *web.Router
	Catalog   *i18n.Catalog
	editor    account.Actor

	noKey bool // the evidence key is away
	mu    sync.Mutex
	now   time.Time
}

func newSite(t testing.TB) *site {
	t.Helper()
	s := &site{t: t, now: time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)}
	ctx := t.Context()
	s.DB = dbtest.Open(t, db.Config{URL: dbtest.URL(t), Now: s.Now})
	s.must(s.DB.Migrate(ctx, jobs.Migrations(), journal.Migrations(), tenant.Migrations(), account.Migrations(), blog.Migrations()))
	s.must(tenant.Add(ctx, s.DB,
		tenant.Tenant{ID: "betreiber", Kind: tenant.Operator, Profile: tenant.Vorlage, Name: "Betreiberverbund", Hosts: []string{operator}},
		tenant.Tenant{ID: "beispielingen", Kind: tenant.Authority, Profile: tenant.Streng, Name: "Gemeinde Beispielingen", ARS: "081110000001", Hosts: []string{village}},
	))
	dir := t.TempDir()
	s.Vault = vaulttest.Open(t, vault.Config{Dir: filepath.Join(dir, "vault"), Now: s.Now})
	s.must(s.Vault.CreateTenants(ctx, []vault.TenantSpec{{ID: "betreiber", Operator: true}, {ID: "beispielingen"}}))
	log := slog.New(slog.DiscardHandler)
	var err error
	s.Directory, err = tenant.NewDirectory(ctx, s.DB, log)
	s.must(err)
	s.Catalog, err = i18n.Load()
	s.must(err)
	s.Deputy, err = vault.NewDeputy(ctx, s.Vault, filepath.Join(dir, "delegation"), s.Now, log)
	s.must(err)
	s.Jobs = jobs.New(jobs.Config{DB: s.DB, Now: s.Now, Log: log})
	s.Accounts = account.New(account.Config{DB: s.DB, Vault: s.Vault, Directory: s.Directory, Demo: true, Now: s.Now, Log: log})
	s.Blog = blog.New(blog.Config{
		DB: s.DB, Vault: s.Vault, Website: vaulttest.Service(t, s.Vault, vault.ServiceWebsite), Directory: s.Directory, Accounts: s.Accounts, Jobs: s.Jobs, EvidenceKey: s.key,
		On:      func(t *tenant.Tenant) bool { return t.Has(tenant.Blog) },
		BaseURL: func(t *tenant.Tenant) string { return "http://" + t.Hosts[0] }, Now: s.Now, Log: log,
	})
	s.Accounts.Desk(s.Blog.Desk)
	cookies, err := web.NewRegistry(web.OwnCookies()...)
	s.must(err)
	s.Router, err = web.NewRouter(web.Config{
		Has: func(site web.Site, module string) bool {
			t, ok := s.Directory.ByID(tenant.ID(site.ID))
			return ok && t.Has(tenant.Module(module))
		},
		Site: func(host string) (web.Site, bool) {
			t, ok := s.Directory.ByHost(host)
			if !ok {
				return web.Site{}, false
			}
			return web.Site{ID: string(t.ID), Kind: string(t.Kind), Name: t.Name, Origin: "http://" + t.Hosts[0]}, true
		},
		Layout: s.layout, Catalog: s.Catalog, Sessions: web.NewSessions(web.SessionConfig{Now: s.Now}), Cookies: cookies, Log: log,
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")},
		Now:            time.Now, // deadlines of connections count in real time
	})
	s.must(err)
	s.Accounts.Routes(s.Router)
	s.Blog.Routes(s.Router)
	s.editor = s.hire("e.redaktion", account.Editor)
	return s
}

func (s *site) key(at time.Time) (vault.DayKey, error) {
	if s.noKey {
		return vault.Delegation{}.EvidenceKey(at)
	}
	return s.Deputy.EvidenceKey(at)
}

func (s *site) layout(r *http.Request, v web.View) templ.Component {
	f := ui.Frame{
		Lang: i18n.Lang(r.Context()), Path: r.URL.Path, Now: s.Now(), Staff: v.Staff, ProductName: "Poststelle",
		Display:   func(name string) string { return web.DisplayState(r, name) },
		AssetHref: func(name string) string { return "/assets/" + name },
	}
	return ui.Layout(f, ui.View{Title: v.Title, Body: v.Body, Errors: v.Errors, Narrow: v.Narrow, FocusH1: v.FocusH1, NoIndex: v.NoIndex, Print: v.Print})
}

func (s *site) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *site) advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

func (s *site) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// visitor returns a browser of somebody at the visitor's address.
func (s *site) visitor() *webtest.Client { return s.visitorAt(visitor) }

func (s *site) visitorAt(ip string) *webtest.Client {
	s.t.Helper()
	c := webtest.New(s.t, s.Router)
	c.Host, c.Header = operator, http.Header{"X-Forwarded-For": {ip}}
	return c
}

// hire adds a person to the operator's staff and returns who they are.
func (s *site) hire(login string, role account.Role) account.Actor {
	s.t.Helper()
	e, err := s.Accounts.Console(vaulttest.Service(s.t, s.Vault, vault.ServiceConsole)).AddStaff(s.t.Context(), account.NewStaff{Tenant: "betreiber", Login: login, Name: login, Password: vaulttest.Password(login), Role: role})
	s.must(err)
	g, err := s.Vault.SignIn(s.t.Context(), vault.Proof{Tenant: "betreiber", Login: login, Password: vaulttest.Password(login)})
	s.must(err)
	return account.Actor{Tenant: "betreiber", Person: e.Person, Name: login, Role: role, Grant: g.Token}
}

// staff returns a browser that is signed in.
func (s *site) staff(login string) *webtest.Client {
	s.t.Helper()
	c := s.visitorAt("198.51.100.1")
	form := c.Get("/amt/anmelden").Form("")
	form.Set("login", login).Set("password", vaulttest.Password(login))
	form.Submit()
	return c
}

// post publishes a post and returns its path and id.
func (s *site) post(title string, change ...func(*blog.Draft)) (path, id string) {
	s.t.Helper()
	d := blog.Draft{Title: title, Summary: "Kurz gesagt.", Source: "## Worum es geht\n\nEin **Text**.", Comments: true, Moderated: true, CloseDays: 60}
	for _, f := range change {
		f(&d)
	}
	id, err := s.Blog.Create(s.t.Context(), s.editor, d)
	s.must(err)
	s.must(s.Blog.Publish(s.t.Context(), s.editor, id))
	return "/aktuelles/" + blog.SlugOf(title), id
}

func unmoderated(d *blog.Draft) { d.Moderated = false }

// write sends a comment by the form, after a while, and returns the page that
// follows.
func (s *site) write(c *webtest.Client, path, text string) *webtest.Page {
	s.t.Helper()
	form := c.Get(path).Want(http.StatusOK).Form("#kommentarformular")
	s.advance(20 * time.Second)
	return form.Set("kommentar", text).Submit()
}

func (s *site) count(q string, args ...any) (n int) {
	s.t.Helper()
	s.must(s.DB.View(context.Background(), func(tx *db.Tx) error { return tx.QueryRow(context.Background(), q, args...).Scan(&n) }))
	return n
}

func (s *site) tenant(id tenant.ID) *tenant.Tenant {
	s.t.Helper()
	t, ok := s.Directory.ByID(id)
	if !ok {
		s.t.Fatalf("no tenant %s", id)
	}
	return t
}
