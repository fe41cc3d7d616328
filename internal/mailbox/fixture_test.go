package mailbox_test

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
	"github.com/gabriel-vasile/mimetype"

	"poststelle/internal/account"
	"poststelle/internal/blob"
	"poststelle/internal/db"
	"poststelle/internal/db/dbtest"
	"poststelle/internal/i18n"
	"poststelle/internal/jobs"
	"poststelle/internal/journal"
	"poststelle/internal/mail"
	"poststelle/internal/mail/mailtest"
	"poststelle/internal/mailbox"
	"poststelle/internal/tenant"
	"poststelle/internal/vault"
	"poststelle/internal/vault/vaulttest"
	"poststelle/internal/web"
	"poststelle/internal/web/ui"
	"poststelle/internal/web/webtest"
)

// clerk is a member of staff who can sign in with login and password.
type clerk struct {
	Person, Name, Login, Password string
}

// post is a whole post office on real stores, with a clock that stands still
// until advance, mail in memory, and jobs and intake that run by hand (settle).
type post struct {
	t *testing.T

	DB        *db.DB
	DBURL     string
	Vault     *vault.Vault
	Switch    *vaulttest.Switch // what the service sees; Off takes the vault away
	Deputy    *vault.Deputy
	BlobDir   string
	DataDir   string
	Blobs     *blob.Dir
	Refs      *blob.Refs
	Jobs      *jobs.Queue
	Directory *tenant.Directory
	Accounts  *account.Accounts
	Sessions  *web.Sessions
	Mail      *mail.Memory
	Service   *mailbox.Service
	Router    *web.Router
	Catalog   *i18n.Catalog

	// Tiefbau is a member of tiefbauamt, Bau of bauamt; both in musterstadt.
	Tiefbau, Bau clerk

	service vault.Service // what start hands to the service; the Switch unless a test wraps it
	blobs   blob.Store
	limits  mailbox.Limits
	logs    slog.Handler // nil keeps nothing
	mu      sync.Mutex
	now     time.Time
}

// Hosts of the fixture's tenants.
const (
	musterstadt   = "vps.musterstadt.example"
	beispielingen = "vps.beispielingen.example"
	betreiber     = "betreiber.example"
)

// newPost opens a post office. Change wraps a store before the service starts;
// it may be nil.
func newPost(t *testing.T, change ...func(*post)) *post {
	t.Helper()
	mimetype.SetLimit(64 << 10)
	dir := t.TempDir()
	p := &post{
		t: t, DataDir: dir, BlobDir: filepath.Join(dir, "blobs"), Mail: mail.NewMemory(0),
		now: time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC), // a Friday
	}
	ctx := t.Context()
	p.DBURL = dbtest.URL(t)
	p.DB = dbtest.Open(t, db.Config{URL: p.DBURL, Now: p.Now})
	err := p.DB.Migrate(ctx, jobs.Migrations(), journal.Migrations(), blob.Migrations(), tenant.Migrations(), account.Migrations(), mailbox.Migrations())
	p.must(err)
	p.must(tenant.Add(ctx, p.DB, tenants()...))
	p.Vault = vaulttest.Open(t, vault.Config{Dir: filepath.Join(dir, "vault"), Now: p.Now})
	p.must(p.Vault.CreateTenants(ctx, specs()))
	p.Switch = vaulttest.NewSwitch(p.Vault)
	p.service = p.Switch
	p.Blobs, err = blob.NewDir(p.BlobDir)
	p.must(err)
	t.Cleanup(func() { p.Blobs.Close() })
	p.blobs = p.Blobs
	p.Directory, err = tenant.NewDirectory(ctx, p.DB, p.log())
	p.must(err)
	p.Catalog, err = i18n.Load()
	p.must(err)
	for _, f := range change {
		f(p)
	}
	p.start()
	p.Tiefbau = p.hire("ayse.kaya", "Ayşe Kaya", account.Clerk, "tiefbauamt")
	p.Bau = p.hire("jonas.berg", "Jonas Berg", account.Clerk, "bauamt")
	return p
}

// start puts new processes' worth of objects over the stores; newPost calls it,
// and restart.
func (p *post) start() {
	p.t.Helper()
	ctx := p.t.Context()
	var err error
	p.Deputy, err = vault.NewDeputy(ctx, p.service, filepath.Join(p.DataDir, "delegation"), p.Now, p.log())
	p.must(err)
	p.Jobs = jobs.New(jobs.Config{DB: p.DB, Now: p.Now, Log: p.log()})
	p.Refs = blob.NewRefs(blob.RefsConfig{DB: p.DB, Queue: p.Jobs, Store: p.blobs, Log: p.log()})
	p.Sessions = web.NewSessions(web.SessionConfig{Now: p.Now})
	p.Accounts = account.New(account.Config{
		DB: p.DB, Vault: p.service, Directory: p.Directory, Demo: true, Now: p.Now, Log: p.log(),
		Jobs: p.Jobs, Mail: mailtest.Wrap(p.t, p.Mail), Notifier: p.token(vault.ServiceNotifier), Retention: p.token(vault.ServiceRetention),
		MailFrom: "poststelle@betreiber.example", BaseURL: func(t *tenant.Tenant) string { return "http://" + t.Hosts[0] },
		Browser: func(string) string { return "Browser" },
	})
	p.Service = mailbox.New(mailbox.Config{
		DB: p.DB, Vault: p.service, Deputy: p.Deputy, Blobs: p.blobs, Refs: p.Refs, Jobs: p.Jobs, Directory: p.Directory,
		Accounts: p.Accounts, Sessions: p.Sessions, Mail: mailtest.Wrap(p.t, p.Mail), MailFrom: "poststelle@betreiber.example",
		Tokens: mailbox.Tokens{
			Notifier: p.token(vault.ServiceNotifier), Mailer: p.token(vault.ServiceMailer), Retention: p.token(vault.ServiceRetention),
		},
		BaseURL: func(t *tenant.Tenant) string { return "http://" + t.Hosts[0] },
		Limits:  p.limits, Now: p.Now, Log: p.log(),
	})
	cookies, err := web.NewRegistry(web.OwnCookies()...)
	p.must(err)
	p.Router, err = web.NewRouter(web.Config{
		Site: func(host string) (web.Site, bool) {
			t, ok := p.Directory.ByHost(host)
			if !ok {
				return web.Site{}, false
			}
			return web.Site{ID: string(t.ID), Kind: string(t.Kind), Name: t.Name, Origin: "http://" + t.Hosts[0]}, true
		},
		Layout:  p.layout,
		Catalog: p.Catalog, Sessions: p.Sessions, Cookies: cookies, Log: p.log(),
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")},
		Now:            time.Now, // deadlines of connections count in real time
	})
	p.must(err)
	p.Accounts.Routes(p.Router)
	p.Service.Routes(p.Router)
}

// restart is a crash: sessions and everything in memory are gone, the stores
// stay. Browsers made before it speak to the old process.
func (p *post) restart() { p.t.Helper(); p.start() }

func (p *post) layout(r *http.Request, v web.View) templ.Component {
	f := ui.Frame{
		Lang: i18n.Lang(r.Context()), Path: r.URL.Path, Now: p.Now(), Staff: v.Staff, ProductName: "Poststelle",
		Display:   func(name string) string { return web.DisplayState(r, name) },
		AssetHref: func(name string) string { return "/assets/" + name },
	}
	return ui.Layout(f, ui.View{
		Title: v.Title, Body: v.Body, Errors: v.Errors, Narrow: v.Narrow, FocusH1: v.FocusH1, NoIndex: v.NoIndex, Print: v.Print,
	})
}

// browser returns a browser of its own on musterstadt's host.
func (p *post) browser() *webtest.Client {
	p.t.Helper()
	c := webtest.New(p.t, p.Router)
	c.Host = musterstadt
	return c
}

// settle hands waiting boxes to the vault and runs the jobs that are due.
func (p *post) settle() {
	p.t.Helper()
	_, err := p.Service.TakeIn(p.t.Context())
	p.must(err)
	_, err = p.Jobs.RunDue(p.t.Context())
	p.must(err)
}

// Now is the clock of everything.
func (p *post) Now() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

// advance moves the clock.
func (p *post) advance(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now = p.now.Add(d)
}

func (p *post) hire(login, name string, role account.Role, boxes ...tenant.MailboxID) clerk {
	p.t.Helper()
	c := clerk{Name: name, Login: login, Password: vaulttest.Password(login)}
	e, err := p.staff().AddStaff(p.t.Context(), account.NewStaff{
		Tenant: "musterstadt", Login: login, Name: name, Password: c.Password, Role: role,
		Mail: login + "@musterstadt.example", Mailboxes: boxes,
	})
	p.must(err)
	c.Person = e.Person
	return c
}

// grant signs a clerk in at the vault, for tests that need no page.
func (p *post) grant(c clerk) vault.Grant {
	p.t.Helper()
	g, err := p.Vault.SignIn(p.t.Context(), vault.Proof{Tenant: "musterstadt", Login: c.Login, Password: c.Password})
	p.must(err)
	return g
}

func (p *post) token(name string) string {
	p.t.Helper()
	return vaulttest.Service(p.t, p.Vault, name)
}

// staff changes staff as the command line does.
func (p *post) staff() account.Console {
	p.t.Helper()
	return p.Accounts.Console(p.token(vault.ServiceConsole))
}

func (p *post) log() *slog.Logger {
	if p.logs != nil {
		return slog.New(p.logs)
	}
	return slog.New(slog.DiscardHandler)
}

func (p *post) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// count returns the number of rows that a query counts.
func (p *post) count(q string, args ...any) (n int) {
	p.t.Helper()
	p.must(p.DB.View(context.Background(), func(tx *db.Tx) error {
		return tx.QueryRow(context.Background(), q, args...).Scan(&n)
	}))
	return n
}

func tenants() []tenant.Tenant {
	return []tenant.Tenant{
		{
			ID: "musterstadt", Kind: tenant.Authority, Profile: tenant.Vorlage, Name: "Stadt Musterstadt", ARS: "081110000000",
			Address: tenant.Address{Street: "Rathausplatz 1", Postcode: "70000", Place: "Musterstadt"},
			Hosts:   []string{musterstadt},
			Mailboxes: []tenant.Mailbox{
				{
					ID: "buergerbuero", Name: "Bürgerbüro", NameEN: "Citizens' office", Duties: "Ausweise, Meldewesen und alles andere",
					DutiesEN: "Identity cards, registration and everything else", Fallback: true, Position: 1,
					Topics: []tenant.Topic{{ID: "ausweis", Name: "Ausweis", NameEN: "Identity card"}, {ID: "sonstiges", Name: "Sonstiges", NameEN: "Something else"}},
				},
				{
					ID: "tiefbauamt", Name: "Tiefbauamt", NameEN: "Civil engineering office", Duties: "Straßen, Wege, Laternen",
					DutiesEN: "Roads, paths, street lights", EmailReply: true, Position: 2, MaxFile: 1 << 20, MaxMessage: 2 << 20, MaxFiles: 5,
					Topics: []tenant.Topic{{ID: "schaden", Name: "Schaden melden", NameEN: "Report damage"}, {ID: "baustelle", Name: "Baustelle", NameEN: "Building site"}},
				},
				{
					ID: "bauamt", Name: "Bauamt", NameEN: "Building office", Duties: "Bauanträge", DutiesEN: "Building permits", SenderRequired: true, Position: 3,
					Topics: []tenant.Topic{{ID: "antrag", Name: "Bauantrag", NameEN: "Building application"}},
				},
			},
		},
		{
			ID: "beispielingen", Kind: tenant.Authority, Profile: tenant.Streng, Name: "Gemeinde Beispielingen", ARS: "081110000001",
			Address:   tenant.Address{Postcode: "71111", Place: "Beispielingen"},
			Hosts:     []string{beispielingen},
			Mailboxes: []tenant.Mailbox{{ID: "rathaus", Name: "Rathaus", Duties: "Alle Anliegen", Fallback: true, Topics: []tenant.Topic{{ID: "allgemein", Name: "Allgemeines"}}}},
		},
		{
			ID: "betreiber", Kind: tenant.Operator, Profile: tenant.Vorlage, Name: "Betreiberverbund", Hosts: []string{betreiber},
			Mailboxes: []tenant.Mailbox{{ID: "kontakt", Name: "Kontakt", Duties: "Fragen zur Poststelle", Fallback: true}},
		},
	}
}

func specs() []vault.TenantSpec {
	var out []vault.TenantSpec
	for _, t := range tenants() {
		s := vault.TenantSpec{ID: string(t.ID), Operator: t.Kind == tenant.Operator}
		for _, m := range t.Mailboxes {
			s.Mailboxes = append(s.Mailboxes, string(m.ID))
		}
		out = append(out, s)
	}
	return out
}
