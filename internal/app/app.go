// Package app is the composition root: it opens the stores, joins the packages
// and runs them. It is the only package that knows all others, and holds no
// rules of its own.
package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
	_ "time/tzdata" // Europe/Berlin on machines without zone files

	"github.com/gabriel-vasile/mimetype"

	"poststelle/internal/accesslog"
	"poststelle/internal/account"
	"poststelle/internal/blob"
	"poststelle/internal/blog"
	"poststelle/internal/db"
	"poststelle/internal/i18n"
	"poststelle/internal/inbound"
	"poststelle/internal/jobs"
	"poststelle/internal/journal"
	"poststelle/internal/mail"
	"poststelle/internal/mailbox"
	"poststelle/internal/newsletter"
	"poststelle/internal/personal"
	"poststelle/internal/tenant"
	"poststelle/internal/vault"
	"poststelle/internal/web"
	"poststelle/internal/web/ui"
	"poststelle/internal/web/valkey"
)

// Config says where the data are and how the world reaches the server.
type Config struct {
	Data     string // directory of everything that is kept; created owner-only
	Database string // "" = SQLite in Data; else a postgres:// address
	// SessionServer is the Valkey or Redis server that keeps the sessions; "" keeps
	// them in memory. SessionsTrusted skips the check that it writes nothing to
	// disk, which the operator then answers for.
	SessionServer   string
	SessionsTrusted bool
	// LegacyCookies sends cookies under the names of the program that is
	// replaced.
	LegacyCookies bool
	// Demo asks for no second factor and shows it.
	Demo bool
	// PublicPort is the port that addresses in mails name; 0 leaves it out.
	PublicPort int
	TLS        bool
	Proxies    []netip.Prefix
	Provider   []string // files of the provider table
	MailFrom   string
	Limits     mailbox.Limits // zero fields take their defaults
	// InboundLimits bound incoming mail; zero fields take their defaults.
	InboundLimits inbound.Limits
	// Resolver is the name service that ServeMail asks about senders; nil asks none.
	Resolver inbound.Resolver
	// Pace is how many messages of a newsletter go to one domain in a second, Paces
	// the same for single domains; 0 sets no limit.
	Pace  int
	Paces map[string]int
	// Light uses cheap password hashing: the demonstration only, whose
	// passwords are public anyway and which has to be ready at once.
	Light bool
	Log   *slog.Logger
	Now   func() time.Time
}

// App is an opened installation.
type App struct {
	Config
	DB         *db.DB
	Vault      *vault.Vault
	Deputy     *vault.Deputy
	Blobs      *blob.Dir
	Refs       *blob.Refs
	Jobs       *jobs.Queue
	Chain      *journal.Chain
	Directory  *tenant.Directory
	Accounts   *account.Accounts
	Staff      account.Console // for the command line
	Mailboxes  *mailbox.Service
	Blog       *blog.Service
	Newsletter *newsletter.Service
	Sessions   *web.Sessions
	Access     *accesslog.Log
	Catalog    *i18n.Catalog
	Signing    *mail.Keyring
	Outbox     *mail.Memory // the demonstration's mail; nil otherwise

	store   *valkey.Store // of the sessions; nil for memory
	sender  mail.Sender   // signs what the operator sends; nil where no mail can be sent
	relay   string        // host of the relay, "" where none is known
	console string
	checked checked
	lock    *os.File
	closers []func() error
}

// Migrations are the tables of all packages, in the order in which they are
// made.
func Migrations() []db.Migrations {
	return []db.Migrations{
		ownMigrations(), jobs.Migrations(), journal.Migrations(), blob.Migrations(), mail.Migrations(), tenant.Migrations(), account.Migrations(), mailbox.Migrations(),
		blog.Migrations(), newsletter.Migrations(),
	}
}

// Declarations are the personal data of all packages: what the register, the
// notice and the census are made from.
func Declarations() []personal.Declaration {
	cookies, err := registry(nil, false)
	if err != nil {
		panic(err) // the declarations of package web contradict each other
	}
	return []personal.Declaration{
		ownData(), jobs.Personal(), journal.Personal(), blob.Personal(), mail.Personal(), vault.Personal(), web.Personal(cookies),
		tenant.Personal(), account.Personal(), mailbox.Personal(), inbound.Personal(), accesslog.Personal(), blog.Personal(),
		newsletter.Personal(),
	}
}

// registry is the list of all cookies that may be set. knownBanner says which
// system messages exist, so that the cookie that hides one can name no other.
func registry(knownBanner func(context.Context, string) bool, legacy bool) (*web.Registry, error) {
	cookies := web.OwnCookies()
	if legacy {
		cookies = web.LegacyNames(cookies)
	}
	for i := range cookies {
		if cookies[i].Name == "ps_meldung_*" {
			cookies[i].Known = knownBanner
		}
	}
	return web.NewRegistry(cookies...)
}

func (a *App) knownBanner(_ context.Context, id string) bool {
	return slices.ContainsFunc(a.Directory.AllBanners(), func(b tenant.Banner) bool { return b.ID == id })
}

// Open opens an installation: one process at a time, because the data directory
// holds SQLite files and the access log. sender may be nil: then mail waits.
func Open(ctx context.Context, c Config, sender mail.Sender) (a *App, err error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	a = &App{Config: c}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
			a = nil
		}
	}()
	mimetype.SetLimit(64 << 10) // office documents name their kind within this
	if err := a.openStores(ctx); err != nil {
		return a, err
	}
	if err := a.openFloor(ctx); err != nil {
		return a, err
	}
	return a, a.openDomains(ctx, sender)
}

func (a *App) openStores(ctx context.Context) error {
	if err := os.MkdirAll(a.Data, 0o700); err != nil {
		return fmt.Errorf("app: data directory: %w", err)
	}
	lock, err := lockDir(a.Data)
	if err != nil {
		return err
	}
	a.lock = lock
	if err := a.checkNew(); err != nil {
		return err
	}
	url := a.Database
	if url == "" {
		url = "sqlite:" + filepath.Join(a.Data, "poststelle.db")
	}
	if a.DB, err = db.Open(ctx, db.Config{URL: url, Now: a.Now, Log: a.Log}); err != nil {
		return err
	}
	a.closers = append(a.closers, a.DB.Close)
	if err := a.DB.Migrate(ctx, Migrations()...); err != nil {
		return err
	}
	argon := vault.Argon{}
	if a.Light {
		argon = vault.Argon{MemoryKiB: 1 << 10, Time: 1}
	}
	if err := a.refuseNewVault(ctx); err != nil {
		return err
	}
	a.Vault, err = vault.Open(ctx, vault.Config{Dir: filepath.Join(a.Data, "vault"), Now: a.Now, Log: a.Log, Argon: argon, FourEyes: true})
	if err != nil {
		return err
	}
	a.closers = append(a.closers, a.Vault.Close)
	if a.Blobs, err = blob.NewDir(a.blobDir()); err != nil {
		return err
	}
	a.closers = append(a.closers, a.Blobs.Close)
	return a.join(ctx)
}

// refuseNewVault keeps a start without the vault's directory (not mounted, not
// restored) from beginning a new vault under letters that only the old one
// opens: it would refuse the keys that still wait for it.
func (a *App) refuseNewVault(ctx context.Context) error {
	store := filepath.Join(a.Data, "vault", "vault.db")
	if _, err := os.Stat(store); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	d, err := tenant.NewDirectory(ctx, a.DB, a.Log)
	if err != nil || len(d.All()) == 0 {
		return err
	}
	return &vault.Refusal{Reason: "the database has authorities, but there is no vault at " + store + ": put it back, or the letters stay closed"}
}

func (a *App) openFloor(ctx context.Context) (err error) {
	if a.Catalog, err = i18n.Load(); err != nil {
		return err
	}
	if a.Directory, err = tenant.NewDirectory(ctx, a.DB, a.Log); err != nil {
		return err
	}
	if a.Deputy, err = vault.NewDeputy(ctx, a.Vault, filepath.Join(a.Data, "delegation"), a.Now, a.Log); err != nil {
		return err
	}
	a.Jobs = jobs.New(jobs.Config{DB: a.DB, Now: a.Now, Log: a.Log})
	a.Chain = journal.NewChain(a.DB)
	a.Jobs.Every("journal.chain", 5*time.Second, func(ctx context.Context, _ jobs.Job) error { return a.Chain.Extend(ctx) })
	a.Jobs.Every("journal.expire", 24*time.Hour, func(ctx context.Context, _ jobs.Job) error { return a.expireJournal(ctx) })
	a.Refs = blob.NewRefs(blob.RefsConfig{DB: a.DB, Store: a.Blobs, Queue: a.Jobs, Log: a.Log})
	if err := a.openSessions(ctx); err != nil {
		return err
	}
	return a.openAccessLog()
}

func (a *App) openDomains(ctx context.Context, sender mail.Sender) (err error) {
	if a.console, err = a.Vault.ServiceToken(vault.ServiceConsole); err != nil {
		return err
	}
	var tokens mailbox.Tokens
	for name, to := range map[string]*string{
		vault.ServiceNotifier: &tokens.Notifier, vault.ServiceMailer: &tokens.Mailer, vault.ServiceRetention: &tokens.Retention,
	} {
		if *to, err = a.Vault.ServiceToken(name); err != nil {
			return err
		}
	}
	if err := a.openSigning(sender); err != nil {
		return err
	}
	if box, ok := sender.(*mail.Memory); ok {
		a.Outbox = box
	}
	a.Accounts = account.New(account.Config{
		DB: a.DB, Vault: a.Vault, Directory: a.Directory, Demo: a.Demo, Now: a.Now, Log: a.Log,
		Jobs: a.Jobs, Mail: a.sender, Notifier: tokens.Notifier, Retention: tokens.Retention, MailFrom: a.MailFrom, BaseURL: a.baseURL,
		Browser: browserOf,
	})
	a.Staff = a.Accounts.Console(a.console)
	a.Mailboxes = mailbox.New(mailbox.Config{
		DB: a.DB, Vault: a.Vault, Deputy: a.Deputy, Blobs: a.Blobs, Refs: a.Refs, Jobs: a.Jobs, Directory: a.Directory,
		Accounts: a.Accounts, Sessions: a.Sessions, Mail: a.sender, Tokens: tokens, MailFrom: a.MailFrom, BaseURL: a.baseURL, Limits: a.Limits,
		Now: a.Now, Log: a.Log,
	})
	website, err := a.Vault.ServiceToken(vault.ServiceWebsite)
	if err != nil {
		return err
	}
	a.Blog = blog.New(blog.Config{
		DB: a.DB, Vault: a.Vault, Website: website, Directory: a.Directory, Accounts: a.Accounts, Jobs: a.Jobs, EvidenceKey: a.Deputy.EvidenceKey,
		On: func(t *tenant.Tenant) bool { return t.Has(tenant.Blog) }, BaseURL: a.baseURL, Now: a.Now, Log: a.Log,
		More: func(r *http.Request, who account.Actor) []ui.CardSpec { return a.Newsletter.Cards(r, who) },
	})
	a.Accounts.Desk(a.Blog.Desk)
	if err := a.Blog.Prepare(ctx); err != nil {
		return err
	}
	return a.openNewsletter(ctx, sender, tokens.Notifier)
}

// browserOf names browser and system of a session in the person's own list, as
// coarsely as the access log does.
func browserOf(userAgent string) string {
	browser, system := accesslog.Agent(userAgent)
	if browser == accesslog.Unknown {
		return ""
	}
	return browser + ", " + system
}

// expireJournal drops the entries whose declared period is over, tenant by
// tenant; the chain keeps their place.
func (a *App) expireJournal(ctx context.Context) error {
	cutoff := a.Now().Add(-journal.Period)
	for _, id := range a.journals() {
		if _, err := a.Chain.Expire(ctx, id, "job:journal.expire", cutoff); err != nil {
			return err
		}
	}
	return nil
}

// journals are the tenants that have a journal, and "-" for what concerns none.
func (a *App) journals() []string {
	var ids []string
	for _, t := range a.Directory.All() {
		ids = append(ids, string(t.ID))
	}
	return append(ids, "-")
}

// baseURL is the address of a tenant's pages, from the directory and the
// configuration, never from a request.
func (a *App) baseURL(t *tenant.Tenant) string {
	scheme := "https"
	if !a.TLS {
		scheme = "http"
	}
	url := scheme + "://" + t.Hosts[0]
	if a.PublicPort != 0 {
		url += fmt.Sprintf(":%d", a.PublicPort)
	}
	return url
}

// work runs everything that works in the background until ctx ends, and waits
// for it.
func (a *App) work(ctx context.Context) {
	var wg sync.WaitGroup
	for name, run := range map[string]func(context.Context) error{
		"vault": a.Vault.Run, "delegation": a.Deputy.Run, "directory": a.Directory.Run, "sessions": a.Sessions.Run,
		"jobs": a.Jobs.Run, "intake": a.Mailboxes.Run, "access log": a.Access.Run, "uploads": a.sweepUploads,
	} {
		wg.Go(func() {
			if err := run(ctx); err != nil {
				a.Log.Error("background work ended", "part", name, "error", err)
			}
		})
	}
	wg.Wait()
}

// sweepUploads removes, every hour, the files of letters that were never sent and
// the files of the access log whose keys are destroyed.
func (a *App) sweepUploads(ctx context.Context) error {
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := a.SweepUploads(ctx); err != nil && ctx.Err() == nil {
				a.Log.Warn("uploads of ended sessions not swept", "error", err)
			}
			if _, err := a.Access.Sweep(ctx); err != nil && ctx.Err() == nil {
				a.Log.Warn("access log not swept", "error", err)
			}
		}
	}
}

// Close ends the sessions, so that their uploads go, and closes the stores in
// reverse order.
func (a *App) Close() error {
	if a.Sessions != nil {
		a.Sessions.Close()
	}
	var errs []error
	for i := len(a.closers) - 1; i >= 0; i-- {
		errs = append(errs, a.closers[i]())
	}
	a.closers = nil
	if a.lock != nil {
		errs = append(errs, a.lock.Close())
		a.lock = nil
	}
	return errors.Join(errs...)
}
