// Package newsletter lets people subscribe to what an authority or the operator
// has to tell, and sends it to them (B13–B21).
//
// What it keeps true:
//
//   - Nobody gets an issue who has not confirmed (double opt-in). Before that
//     there is one mail, with the link that confirms, and at most one a day to an
//     address, whoever types it and however often.
//   - Opening a link changes nothing: scanners of mail open them all. A button
//     does, or the one-click POST of RFC 8058.
//   - A mail to the authority unsubscribes too: by its word, or by what a proven
//     sender writes. Who is not proven is asked; who says more is heard by a clerk.
//   - The links in mails are for one purpose and one tenant. The one in an issue
//     unsubscribes and does nothing else, so that a forwarded issue gives nobody
//     more; the others end by themselves.
//   - Unsubscribing counts at once, also for an issue that is being sent: each
//     recipient is looked at immediately before the relay hears of them.
//   - No issue leaves without the link that unsubscribes at its end, and the
//     headers List-Unsubscribe, List-Unsubscribe-Post and List-Id. Nothing in an
//     issue counts who reads it: no pictures, no links but those that were written.
//   - Addresses and the evidence of consent stand in the database as ciphertext,
//     and are found by a keyed hash. What is kept of a consent is what Evidence
//     has fields for, and ends by itself.
//   - No page, no answer and no amount of work tells whether an address is
//     subscribed.
//
// An interrupted sending goes on where it was: at most one batch goes out twice,
// with the same Message-IDs, so that the recipient's side can tell.
//
// What it does not do: count openings or clicks, share addresses with another
// tenant or another purpose, or send to a list without evidence of consent.
package newsletter

import (
	"context"
	"embed"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"poststelle/internal/account"
	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/jobs"
	"poststelle/internal/mail"
	"poststelle/internal/seal"
	"poststelle/internal/tenant"
	"poststelle/internal/vault"
	"poststelle/internal/web"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations are the tables of this package.
func Migrations() db.Migrations { return db.Migrations{Name: "newsletter", FS: migrations} }

// Keys is the part of the vault that a newsletter needs.
type Keys interface {
	ModuleKey(ctx context.Context, token, tenant, module string) (seal.Key, error)
	StaffMail(ctx context.Context, token, tenant string, persons []string) (map[string]string, error)
}

var _ Keys = vault.Service(nil)

// Config is what newsletters need. All fields but Mail, DKIM, Lines and Pace are
// required.
type Config struct {
	DB        *db.DB
	Keys      Keys
	Jobs      *jobs.Queue
	Directory *tenant.Directory
	Accounts  *account.Accounts
	// Mail may be nil: then mail waits until a relay is configured.
	Mail mail.BulkSender
	// DKIM returns what signs mail of a tenant from a sender; nil, or a nil result,
	// for unsigned mail.
	DKIM func(ctx context.Context, of tenant.ID, from string) *mail.DKIM
	// Website and Notifier are the vault's tokens for module keys and for the
	// addresses of staff.
	Website, Notifier string
	// MailFrom is the sender of tenants that have not set one.
	MailFrom string
	// BaseURL is the address of a tenant's pages, without a slash at its end.
	BaseURL func(*tenant.Tenant) string
	// Lines is how many connections to the relay an issue uses; 4.
	Lines int
	// Pace is how many messages a second go to addresses of one domain; 0 sets no
	// limit. Paces are those of domains, in small letters, that have one of their
	// own.
	Pace  int
	Paces map[string]int
	Now   func() time.Time
	Log   *slog.Logger
}

// Limits against using the form to annoy somebody.
const (
	networkHour = 20  // sign-ups from one network in an hour
	tenantHour  = 600 // mails that strangers can cause at one tenant in an hour
	purgeAfter  = 7 * 24 * time.Hour
	mailEvery   = 24 * time.Hour // between two mails to an address that strangers can cause
	manageFor   = 24 * time.Hour // how long a link to the settings counts
)

// Service is the newsletter of all tenants.
type Service struct {
	Config
	cache     sync.Map // tenant.ID -> *keys
	gone      gone
	networks  *web.Quota[string]
	tenants   *web.Quota[tenant.ID]
	persons   *web.Quota[string]
	pace      pace
	tampering func(*mail.Series) // tests: break an issue before it is looked at
}

// New returns the service and registers its jobs. It starts nothing.
func New(c Config) *Service {
	if c.Lines <= 0 {
		c.Lines = 4
	}
	s := &Service{
		Config: c, networks: web.NewQuota[string](networkHour, time.Hour), tenants: web.NewQuota[tenant.ID](tenantHour, time.Hour),
		persons: web.NewQuota[string](1, mailEvery),
	}
	s.pace.most, s.pace.of = c.Pace, c.Paces
	s.registerJobs()
	return s
}

// keys are what is derived from the module key of a tenant.
type keys struct {
	address seal.Key // hash by which an address is found
	rows    seal.Key // seals rows, one key each
	links   map[purpose]seal.Tickets
}

// purpose is what a link is for. Each has keys of its own.
type purpose string

const (
	toConfirm purpose = "confirm"
	toLeave   purpose = "leave"   // in each issue
	toManage  purpose = "manage"  // on request only
	asMessage purpose = "message" // Message-ID of an issue to a subscriber
)

func (s *Service) keysOf(ctx context.Context, of tenant.ID) (*keys, error) {
	if k, ok := s.cache.Load(of); ok {
		return k.(*keys), nil
	}
	root, err := s.Keys.ModuleKey(ctx, s.Website, string(of), string(tenant.Newsletter))
	if err != nil {
		return nil, fmt.Errorf("newsletter: keys of %s: %w", of, err)
	}
	k := &keys{address: root.Derive("address"), rows: root.Derive("rows"), links: map[purpose]seal.Tickets{}}
	links := root.Derive("links")
	for _, p := range []purpose{toConfirm, toLeave, toManage, asMessage} {
		k.links[p] = links.Tickets(string(of) + "/" + string(p))
	}
	s.cache.Store(of, k)
	return k, nil
}

// Prepare makes the keys of all tenants that have a newsletter, so that no reading
// of a page has to: at start, and when a tenant gets one.
func (s *Service) Prepare(ctx context.Context) error {
	for _, t := range s.Directory.All() {
		if t.Has(tenant.Newsletter) {
			if _, err := s.keysOf(ctx, t.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// of returns the tenant with a newsletter; NotFound where the module is off.
func (s *Service) of(id tenant.ID) (*tenant.Tenant, error) {
	t, ok := s.Directory.ByID(id)
	if !ok || !t.Has(tenant.Newsletter) {
		return nil, fmt.Errorf("newsletter: tenant %s: %w", id, fault.NotFound)
	}
	return t, nil
}

// gone are the subscriptions that ended a moment ago in this process: a batch
// that was read before must not reach them.
type gone struct {
	mu  sync.Mutex
	ids map[string]time.Time
}

// goneFor is longer than a batch is in use without being read again.
const goneFor = time.Minute

func (g *gone) add(id string, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ids == nil {
		g.ids = map[string]time.Time{}
	}
	g.ids[id] = now
	if len(g.ids)%256 == 0 {
		for old, at := range g.ids {
			if now.Sub(at) > goneFor {
				delete(g.ids, old)
			}
		}
	}
}

func (g *gone) has(id string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	_, ok := g.ids[id]
	return ok
}
