package account_test

import (
	"context"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
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
	"poststelle/internal/tenant"
	"poststelle/internal/vault"
	"poststelle/internal/vault/vaulttest"
	"poststelle/internal/web"
	"poststelle/internal/web/ui"
	"poststelle/internal/web/webtest"
)

const (
	town    = "vps.musterstadt.example"
	village = "vps.beispielingen.example"
	strict  = "vps.strengen.example"
	kim     = "kim@example.org"
	secret  = "drei Kraniche fliegen"
)

// spy is a vault that counts what strangers make it do.
type spy struct {
	vault.Service
	mu    sync.Mutex
	calls []string
}

func (s *spy) note(call string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, call)
}

func (s *spy) Register(ctx context.Context, r vault.Registration) (string, error) {
	s.note("register")
	return s.Service.Register(ctx, r)
}

func (s *spy) Recover(ctx context.Context, r vault.Recovery) (string, error) {
	s.note("recover")
	return s.Service.Recover(ctx, r)
}

func (s *spy) SignInAccount(ctx context.Context, p vault.AccountProof) (vault.Grant, error) {
	s.note("sign in")
	return s.Service.SignInAccount(ctx, p)
}

func (s *spy) RequestMail(ctx context.Context, token, request, to string) (vault.Outgoing, error) {
	s.note("mail")
	return s.Service.RequestMail(ctx, token, request, to)
}

// realm is an installation with three authorities, two of which share accounts.
type realm struct {
	t        *testing.T
	db       *db.DB
	vault    *vault.Vault
	off      *vaulttest.Switch
	spy      *spy
	accounts *account.Accounts
	jobs     *jobs.Queue
	box      *mail.Memory
	router   *web.Router
	routes   []string // as the access log has them
	referers []string
	dropped  []string // accounts that a domain was told to drop
	read     int      // mails that a test has seen
	mu       sync.Mutex
	now      time.Time
}

func (o *realm) Now() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.now
}

func (o *realm) advance(d time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.now = o.now.Add(d)
}

func (o *realm) must(err error) {
	o.t.Helper()
	if err != nil {
		o.t.Fatal(err)
	}
}

func newRealm(t *testing.T) *realm {
	t.Helper()
	o := &realm{t: t, now: time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC), box: mail.NewMemory(100)}
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	o.db = dbtest.NewAt(t, o.Now, jobs.Migrations(), journal.Migrations(), tenant.Migrations(), account.Migrations())
	var specs []vault.TenantSpec
	for _, x := range []tenant.Tenant{
		{ID: "musterstadt", Profile: tenant.Vorlage, Name: "Stadt Musterstadt", ARS: "081110000000", Hosts: []string{town, "localhost"}},
		{ID: "beispielingen", Profile: tenant.Vorlage, Name: "Gemeinde Beispielingen", ARS: "081110000001", Hosts: []string{village}},
		{ID: "strengen", Profile: tenant.Streng, Name: "Stadt Strengen", ARS: "081110000002", Hosts: []string{strict}},
	} {
		x.Kind, x.Mailboxes = tenant.Authority, []tenant.Mailbox{{ID: "rathaus", Name: "Rathaus", Duties: "Alles", Fallback: true}}
		o.must(tenant.Add(t.Context(), o.db, x))
		specs = append(specs, vault.TenantSpec{ID: string(x.ID), Mailboxes: []string{"rathaus"}})
	}
	o.vault = vaulttest.New(t, o.Now)
	o.must(o.vault.CreateTenants(t.Context(), specs))
	o.off = vaulttest.NewSwitch(o.vault)
	o.spy = &spy{Service: o.off}
	directory, err := tenant.NewDirectory(t.Context(), o.db, log)
	o.must(err)
	o.jobs = jobs.New(jobs.Config{DB: o.db, Now: o.Now, Log: log})
	o.accounts = account.New(account.Config{
		DB: o.db, Vault: o.spy, Directory: directory, Demo: true, Now: o.Now, Log: log,
		Jobs: o.jobs, Mail: mailtest.Wrap(t, o.box), Notifier: vaulttest.Service(t, o.vault, vault.ServiceNotifier),
		Retention: vaulttest.Service(t, o.vault, vault.ServiceRetention), MailFrom: "post@example.org",
		BaseURL: func(x *tenant.Tenant) string { return "https://" + x.Hosts[0] },
		Browser: func(string) string { return "Firefox, Linux" },
	})
	o.accounts.OnDelete(func(_ context.Context, _ *db.Tx, id string) error {
		o.dropped = append(o.dropped, id)
		return nil
	})
	o.serve(directory, log)
	return o
}

func (o *realm) serve(directory *tenant.Directory, log *slog.Logger) {
	catalog, err := i18n.Load()
	o.must(err)
	cookies, err := web.NewRegistry(web.OwnCookies()...)
	o.must(err)
	o.router, err = web.NewRouter(web.Config{
		Site: func(h string) (web.Site, bool) {
			x, ok := directory.ByHost(h)
			if !ok {
				return web.Site{}, false
			}
			return web.Site{ID: string(x.ID), Kind: string(x.Kind), Name: x.Name}, true
		},
		Layout: func(r *http.Request, v web.View) templ.Component {
			return ui.Layout(ui.Frame{Lang: i18n.Lang(r.Context()), Path: r.URL.Path, Now: o.Now(), Staff: v.Staff, ProductName: "Poststelle"},
				ui.View{Title: v.Title, Body: v.Body, Errors: v.Errors, Narrow: v.Narrow, FocusH1: v.FocusH1, NoIndex: v.NoIndex})
		},
		Catalog: catalog, Sessions: web.NewSessions(web.SessionConfig{Now: o.Now}), Cookies: cookies, Log: log, Now: time.Now,
		Access: func(r web.AccessRecord) {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.routes, o.referers = append(o.routes, r.Route), append(o.referers, r.Referer)
		},
	})
	o.must(err)
	o.accounts.Routes(o.router)
	o.router.Handle("GET /postfach", o.accounts.SignedIn(func(w http.ResponseWriter, r *http.Request) error {
		who, err := o.accounts.Citizen(r)
		if err != nil {
			return err
		}
		draft := ""
		if kept, ok := web.SessionOf(r).Get("draft"); ok {
			draft = string(kept)
		}
		_, err = w.Write([]byte("<html><body>Postfach " + string(who.Realm) + " [" + draft + "]</body></html>"))
		return err
	}))
	o.router.Handle("GET /amt/eingang", o.accounts.Staff(func(w http.ResponseWriter, _ *http.Request, who account.Actor) error {
		_, err := w.Write([]byte("Eingang " + who.Name))
		return err
	}))
	// A letter that an anonymous visitor begins.
	o.router.Handle("POST /entwurf", func(w http.ResponseWriter, r *http.Request) error {
		s, err := web.StartSession(w, r)
		if err != nil {
			return err
		}
		return s.Put("draft", []byte("halbfertig"))
	})
}

func (o *realm) browser(host string) *webtest.Client {
	c := webtest.New(o.t, o.router)
	c.Host = host
	return c
}

// work runs the jobs that are due.
func (o *realm) work() {
	o.t.Helper()
	_, err := o.jobs.RunDue(o.t.Context())
	o.must(err)
}

// mails returns what was sent since the last call, oldest first.
func (o *realm) mails() []mail.Sent {
	o.t.Helper()
	o.work()
	all := o.box.Messages()
	slices.Reverse(all)
	fresh := all[o.read:]
	o.read = len(all)
	return fresh
}

var linkForm = regexp.MustCompile(`https://[a-z.]+(/[^\s]+)`)

// link returns the path of the link in the only mail that has one with a part.
func (o *realm) link(part string) string {
	o.t.Helper()
	for _, m := range o.mails() {
		for _, found := range linkForm.FindAllStringSubmatch(m.Text, -1) {
			if strings.Contains(found[1], part) {
				return found[1]
			}
		}
	}
	o.t.Fatalf("no mail with a link to %s", part)
	return ""
}

// register opens an account and leaves the browser signed in.
func (o *realm) register(b *webtest.Client, address, password string) {
	o.t.Helper()
	b.Get("/konto/registrieren").Want(200).Form("").Set("email", address).Set("password", password).Submit().Want(200)
	page := b.Get(o.link("/konto/bestaetigen/")).Want(200)
	if page = page.Form("").Submit().Want(200); !strings.HasPrefix(page.Path, "/konto?getan=eroeffnet") {
		o.t.Fatalf("after confirmation at %s", page.Path)
	}
}

func enter(b *webtest.Client, address, password string) *webtest.Page {
	return b.Get("/konto/anmelden").Want(200).Form("").Set("email", address).Set("password", password).Submit()
}

func (o *realm) count(query string) (n int) {
	o.t.Helper()
	o.must(o.db.View(o.t.Context(), func(tx *db.Tx) error {
		return tx.QueryRow(o.t.Context(), query).Scan(&n)
	}))
	return n
}

// grant signs in beside the pages.
func (o *realm) grant(address, password string) string {
	o.t.Helper()
	g, err := o.vault.SignInAccount(o.t.Context(), vault.AccountProof{Realm: "*", Mail: address, Password: password})
	o.must(err)
	return g.Token
}

const vaultPassword = "ayse.kaya-ayse.kaya-pass"

// vaultClerk hires a clerk of the town and returns the login.
func vaultClerk(o *realm) string {
	o.t.Helper()
	_, err := o.accounts.Console(vaulttest.Service(o.t, o.vault, vault.ServiceConsole)).AddStaff(o.t.Context(), account.NewStaff{
		Tenant: "musterstadt", Login: "ayse.kaya", Name: "Ayşe Kaya", Password: vaultPassword, Role: account.Clerk,
		Mailboxes: []tenant.MailboxID{"rathaus"},
	})
	o.must(err)
	return "ayse.kaya"
}
