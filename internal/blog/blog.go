// Package blog is the website's news with comments: posts in Markdown, their
// pictures, the feed, comments of visitors, their moderation, reports of
// unlawful content and the sealed evidence of who commented.
//
// # What it keeps true
//
//   - A comment is its text and its time. Nothing else about its author is asked
//     for, stored beside it or published: no name, no address, no cookie
//     (B22–B23). Hidden fields of the form serve the decision whether a person
//     has to look first, and are not kept.
//   - The IP address is sealed apart, to the vault's evidence key of the day, and
//     in the profile vorlage alone (B24). This package cannot open it; the vault
//     does, for two persons with a ground of a closed list, and after the period
//     nobody does (B25–B27).
//   - A comment is looked at before it appears, unless the post says otherwise
//     and nothing about the comment is suspicious. Nothing is thrown away unseen,
//     and no outside service is asked.
//   - A comment is never changed. Its author may delete it with a token that is
//     shown once and stored as a hash.
//   - What is taken down is marked in public, its author reads the reasons and may
//     complain, and so may who reported it (Art. 16, 17 and 20 DSA).
//   - What reports and complaints say is sealed under the key of the module.
//   - Text of visitors is shown as text. Markdown of editors is rendered and
//     cleaned; pictures are encoded anew, without metadata.
//
// # What it does not do
//
// It sends no mail: reports and comments have a page of their own each, whose
// address is the receipt. It keeps no statistics and loads nothing from elsewhere.
package blog

import (
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"poststelle/internal/account"
	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/jobs"
	"poststelle/internal/journal"
	"poststelle/internal/markdown"
	"poststelle/internal/tenant"
	"poststelle/internal/vault"
	"poststelle/internal/web"
	"poststelle/internal/web/ui"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations returns the tables of the blog.
func Migrations() db.Migrations { return db.Migrations{Name: "blog", FS: migrations} }

// Config is what the blog needs. All fields but More are required.
type Config struct {
	DB    *db.DB
	Vault interface {
		vault.EvidenceService
		vault.ModuleService
	}
	// Website is the vault's token for the keys of modules.
	Website   string
	Directory *tenant.Directory
	Accounts  *account.Accounts
	Jobs      *jobs.Queue
	// EvidenceKey returns the vault's key to seal addresses to; an error makes
	// commenting pause.
	EvidenceKey func(time.Time) (vault.DayKey, error)
	// On reports whether a tenant has switched the blog on.
	On func(*tenant.Tenant) bool
	// BaseURL is the address of a tenant's pages, without a slash at its end.
	BaseURL func(*tenant.Tenant) string
	// More are the cards that other parts of the website put on the start page of
	// the desk; nil for none.
	More func(*http.Request, account.Actor) []ui.CardSpec
	Now  func() time.Time
	Log  *slog.Logger
}

// Service is the blog of all tenants of an installation.
type Service struct {
	Config
	article markdown.Article
	key     []byte // signs forms; gone with the process
	often   *rates
	seen    *web.Quota[[32]byte]
	keys    sync.Map // tenant.ID -> seal.Key of its cases
}

// New returns the blog and gives the queue its handlers. It starts nothing.
func New(c Config) *Service {
	s := &Service{Config: c, article: newArticle(), key: make([]byte, 32), often: newRates(), seen: web.NewQuota[[32]byte](1, repeatWindow)}
	rand.Read(s.key) // never fails
	s.registerJobs()
	return s
}

// Bounds of what editors write, in characters, and of the days after which
// comments close.
const (
	maxTitle   = 150
	maxSummary = 400
	maxSource  = 60_000
	maxSlug    = 80
	maxClose   = 3650

	defaultClose = 60
)

// postState says where a post stands.
type postState string

const (
	draft     postState = "draft"
	scheduled postState = "scheduled"
	published postState = "published"
	withdrawn postState = "withdrawn"
)

// post is one article. Source is Markdown; Author is the person who last
// published it, an id that is shown to the staff alone.
type post struct {
	ID, Slug, Title, Summary, Source string
	State                            postState
	Comments, Moderated              bool
	CloseDays                        int // 0 = comments stay open
	Author                           string
	PublishAt, Published, Changed    time.Time
	Version                          int
}

// open reports whether comments may be written at that time.
func (p post) open(now time.Time) bool {
	return p.State == published && p.Comments && (p.CloseDays == 0 || now.Before(p.closes()))
}

func (p post) closes() time.Time { return p.Published.AddDate(0, 0, p.CloseDays) }

// Draft is a post as an editor writes it. Slug may be empty: it is made from the
// title. CloseDays is after how many days comments close, 0 for never.
type Draft struct {
	Title, Slug, Summary, Source string
	Comments, Moderated          bool
	CloseDays                    int
}

// Address is the slug of the post: the one that was chosen, or that of the title.
func (d Draft) Address() string {
	if d.Slug != "" {
		return d.Slug
	}
	return slugOf(d.Title)
}

var slugForm = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// reserved are words that stand in addresses of the blog.
func reserved(slug string) bool {
	switch slug {
	case "bilder", "kommentar", "melden", "meldung", "feed", "neu":
		return true
	}
	return false
}

// noSlug is the address of a title that has no letter or digit for one.
const noSlug = "beitrag"

// slugOf makes an address from a title.
func slugOf(title string) string {
	s := strings.NewReplacer("ä", "ae", "ö", "oe", "ü", "ue", "ß", "ss").Replace(strings.ToLower(title))
	var b strings.Builder
	for _, r := range s {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			b.WriteRune(r)
		} else if n := b.Len(); n > 0 && b.String()[n-1] != '-' {
			b.WriteByte('-')
		}
	}
	out := b.String()
	if len(out) > maxSlug-10 {
		out = out[:maxSlug-10]
	}
	if out = strings.Trim(out, "-"); out == "" || reserved(out) {
		out = strings.Trim(noSlug+"-"+out, "-")
	}
	return out
}

func (d *Draft) check() error {
	d.Title, d.Slug, d.Summary = strings.TrimSpace(d.Title), strings.TrimSpace(d.Slug), strings.TrimSpace(d.Summary)
	var f []fault.Field
	long := func(name, value string, most int) {
		if utf8.RuneCountInString(value) > most {
			f = append(f, fault.Field{Name: name, Key: "blog.error.long", Args: []any{"max", most}})
		}
	}
	if d.Title == "" {
		f = append(f, fault.Field{Name: "titel", Key: "blog.error.title"})
	}
	long("titel", d.Title, maxTitle)
	d.Slug = d.Address()
	if len(d.Slug) > maxSlug || !slugForm.MatchString(d.Slug) || reserved(d.Slug) {
		f = append(f, fault.Field{Name: "adresse", Key: "blog.error.slug"})
	}
	long("kurz", d.Summary, maxSummary)
	if strings.TrimSpace(d.Source) == "" {
		f = append(f, fault.Field{Name: "text", Key: "blog.error.text"})
	}
	long("text", d.Source, maxSource)
	if d.CloseDays < 0 || d.CloseDays > maxClose {
		f = append(f, fault.Field{Name: "tage", Key: "blog.error.days", Args: []any{"max", maxClose}})
	}
	return fault.Fields(f...)
}

// Create stores a new draft and returns its id. A slug that is taken is a
// fault.Invalid at the field.
func (s *Service) Create(ctx context.Context, who account.Actor, d Draft) (string, error) {
	if err := d.check(); err != nil {
		return "", err
	}
	id := rand.Text()
	err := s.DB.Update(ctx, func(tx *db.Tx) error {
		if err := slugFree(ctx, tx, who.Tenant, d.Slug, id); err != nil {
			return err
		}
		if err := insertPost(ctx, tx, who.Tenant, id, d, who.Person); err != nil {
			return err
		}
		return record(ctx, tx, who, "post.created", id)
	})
	if err != nil {
		return "", fmt.Errorf("blog: create: %w", err)
	}
	return id, nil
}

// Save stores a changed post; version is the one that the editor saw, 1 for a new
// one. A newer one is fault.Conflict.
func (s *Service) Save(ctx context.Context, who account.Actor, id string, version int, d Draft) error {
	if err := d.check(); err != nil {
		return err
	}
	err := s.DB.Update(ctx, func(tx *db.Tx) error {
		if err := slugFree(ctx, tx, who.Tenant, d.Slug, id); err != nil {
			return err
		}
		ok, err := updatePost(ctx, tx, who.Tenant, id, version, d)
		if err == nil && !ok {
			err = fault.With(fault.Conflict, "blog.error.changed")
		}
		if err != nil {
			return err
		}
		return record(ctx, tx, who, "post.saved", id)
	})
	if err != nil {
		return fmt.Errorf("blog: save %s: %w", id, err)
	}
	return nil
}

func slugFree(ctx context.Context, tx *db.Tx, of tenant.ID, slug, id string) error {
	p, err := selectPostBySlug(ctx, tx, of, slug)
	switch {
	case errors.Is(err, fault.NotFound):
		return nil
	case err == nil && p.ID != id:
		return fault.Fields(fault.Field{Name: "adresse", Key: "blog.error.slugtaken"})
	}
	return err
}

// Publish makes a post public now.
func (s *Service) Publish(ctx context.Context, who account.Actor, id string) error {
	return s.setState(ctx, who, id, published, time.Time{}, "post.published")
}

// Schedule makes a post public by itself at a time that is still to come.
func (s *Service) Schedule(ctx context.Context, who account.Actor, id string, at time.Time) error {
	if now := s.Now(); !at.After(now) || at.Sub(now) > 366*24*time.Hour {
		return fault.Fields(fault.Field{Name: "wann", Key: "blog.error.when"})
	}
	return s.setState(ctx, who, id, scheduled, at, "post.scheduled")
}

// Withdraw takes a post back from the public; its comments stay with it.
func (s *Service) Withdraw(ctx context.Context, who account.Actor, id string) error {
	return s.setState(ctx, who, id, withdrawn, time.Time{}, "post.withdrawn")
}

func (s *Service) setState(ctx context.Context, who account.Actor, id string, to postState, at time.Time, action string) error {
	err := s.DB.Update(ctx, func(tx *db.Tx) error {
		p, err := selectPost(ctx, tx, who.Tenant, id)
		if err != nil {
			return err
		}
		if err := updateState(ctx, tx, who.Tenant, p, to, at, who.Person); err != nil {
			return err
		}
		if to == scheduled {
			if err := s.Jobs.Enqueue(ctx, tx, publishKind, string(who.Tenant)+":"+id, jobs.At(at)); err != nil {
				return err
			}
		}
		return record(ctx, tx, who, action, id)
	})
	if err != nil {
		return fmt.Errorf("blog: %s %s: %w", to, id, err)
	}
	return nil
}

// remove deletes a post with its pictures, its comments and all that belongs to
// them.
func (s *Service) remove(ctx context.Context, who account.Actor, id string) error {
	err := s.DB.Update(ctx, func(tx *db.Tx) error {
		if _, err := selectPost(ctx, tx, who.Tenant, id); err != nil {
			return err
		}
		if err := deletePost(ctx, tx, who.Tenant, id); err != nil {
			return err
		}
		return record(ctx, tx, who, "post.deleted", id)
	})
	if err != nil {
		return fmt.Errorf("blog: remove %s: %w", id, err)
	}
	return nil
}

func record(ctx context.Context, tx *db.Tx, who account.Actor, action, object string) error {
	return journal.Record(ctx, tx, journal.Entry{Tenant: string(who.Tenant), Actor: "staff:" + who.Person, Action: action, Object: object})
}

// one returns a public post.
func (s *Service) one(ctx context.Context, of tenant.ID, slug string) (p post, err error) {
	err = s.DB.View(ctx, func(tx *db.Tx) error {
		p, err = selectPublic(ctx, tx, of, slug)
		return err
	})
	if err != nil {
		return post{}, fmt.Errorf("blog: post: %w", err)
	}
	return p, nil
}

// get returns a post for its editor.
func (s *Service) get(ctx context.Context, of tenant.ID, id string) (p post, pictures []picture, err error) {
	err = s.DB.View(ctx, func(tx *db.Tx) error {
		if p, err = selectPost(ctx, tx, of, id); err != nil {
			return err
		}
		pictures, err = selectPictures(ctx, tx, of, id)
		return err
	})
	if err != nil {
		return post{}, nil, fmt.Errorf("blog: post %s: %w", id, err)
	}
	return p, pictures, nil
}

// cursor is a place in a list: the time of the last row seen, and its id.
type cursor struct {
	At time.Time
	ID string
}

func (c cursor) zero() bool { return c.ID == "" }

func (c cursor) String() string {
	if c.zero() {
		return ""
	}
	return fmt.Sprintf("%d-%s", db.Millis(c.At), c.ID)
}

var cursorForm = regexp.MustCompile(`^([0-9]{1,15})-([A-Z2-7]{1,40})$`)

// parseCursor reads a place; what is none is the beginning.
func parseCursor(s string) cursor {
	m := cursorForm.FindStringSubmatch(s)
	if m == nil {
		return cursor{}
	}
	ms, _ := strconv.ParseInt(m[1], 10, 64) // at most 15 digits
	return cursor{At: db.Time(ms), ID: m[2]}
}

// before is the place as the key of a list that is newest first: the beginning is
// behind everything.
func (c cursor) before(now time.Time) int64 {
	if c.zero() {
		return db.Millis(now.AddDate(100, 0, 0))
	}
	return db.Millis(c.At)
}

// page cuts a list of which one row more was read than it shows.
func page[T any](rows []T, most int) (some []T, more bool) {
	if len(rows) > most {
		return rows[:most], true
	}
	return rows, false
}

// list returns public posts, newest first, and whether there are more.
func (s *Service) list(ctx context.Context, of tenant.ID, after cursor, most int) (posts []post, more bool, err error) {
	err = s.DB.View(ctx, func(tx *db.Tx) error {
		posts, err = selectPublished(ctx, tx, of, after, most+1)
		return err
	})
	if err != nil {
		return nil, false, fmt.Errorf("blog: list: %w", err)
	}
	posts, more = page(posts, most)
	return posts, more, nil
}

// keepsAddress reports whether an address is kept as evidence at this tenant: the
// model notice says so (B24); the strict profile does without.
func keepsAddress(t *tenant.Tenant, from netip.Addr) bool {
	return t.Profile == tenant.Vorlage && from.IsValid()
}
