package newsletter

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"poststelle/internal/account"
	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/jobs"
	"poststelle/internal/journal"
	"poststelle/internal/mail"
	"poststelle/internal/tenant"
)

// State is how far an issue has come.
type State string

// The states of an issue, in their order.
const (
	Draft     State = "draft"
	Scheduled State = "scheduled"
	Sending   State = "sending"
	Sent      State = "sent"
)

// Issue is one edition of a newsletter. Body is Markdown. Number is 0 until it is
// sent. Without categories it is for all subscribers.
type Issue struct {
	ID         string
	Number     int64
	State      State
	Lang       string
	Subject    string
	Body       string
	Categories []string
	Archived   bool   // everybody may read it once it is sent
	Author     string // person who began it
	Version    int64
	Changed    time.Time
	SendAt     time.Time
	Started    time.Time
	Sent       time.Time
	Delivered  int64 // taken by the relay
	Failed     int64

	cursor string
}

// Category is a kind of content that people choose.
type Category struct {
	ID, Name, NameEN string
	Active           bool
}

// Title returns the name in a language.
func (c Category) Title(lang string) string {
	if lang == "en" && c.NameEN != "" {
		return c.NameEN
	}
	return c.Name
}

// Settings are what a tenant says of its newsletter. Sender is the address it is
// sent from; empty means that of the installation.
type Settings struct {
	Title, TitleEN string
	About, AboutEN string
	Sender         string
	Archive        bool // the list of archived issues and the feed are public
	Categories     []Category
	Version        int64
}

func (set Settings) name(lang string) string {
	if lang == "en" && set.TitleEN != "" {
		return set.TitleEN
	}
	return set.Title
}

func (set Settings) about(lang string) string {
	if lang == "en" && set.AboutEN != "" {
		return set.AboutEN
	}
	return set.About
}

// offered are the categories that can be chosen now.
func (set Settings) offered() []Category {
	return slices.DeleteFunc(slices.Clone(set.Categories), func(c Category) bool { return !c.Active })
}

// choose returns the topics of a choice in the order of the tenant; none chosen
// means all of them. A topic that is not offered, perhaps any more, is an error at
// the field "thema": nobody consents to what they did not choose.
func (set Settings) choose(ids []string) ([]string, error) {
	var out, all []string
	for _, c := range set.offered() {
		all = append(all, c.ID)
		if slices.Contains(ids, c.ID) {
			out = append(out, c.ID)
		}
	}
	if len(ids) == 0 {
		return all, nil
	}
	if slices.ContainsFunc(ids, func(id string) bool { return !slices.Contains(all, id) }) {
		return nil, fault.Fields(fault.Field{Name: "thema", Key: "newsletter.error.topic"})
	}
	return out, nil
}

// first is what a newsletter begins with.
func first() Settings {
	return Settings{Title: "Aktuelles", TitleEN: "News", Archive: true}
}

// settings returns what the tenant has set, or what it begins with.
func (s *Service) settings(ctx context.Context, t *tenant.Tenant) (set Settings, err error) {
	err = s.DB.View(ctx, func(tx *db.Tx) error {
		set, err = selectSettings(ctx, tx, t.ID)
		return err
	})
	if errors.Is(err, fault.NotFound) {
		return first(), nil
	}
	if err != nil {
		return set, fmt.Errorf("newsletter: settings: %w", err)
	}
	return set, nil
}

var categoryForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)

func (set Settings) check() error {
	var f []fault.Field
	long := func(s string) bool { return len([]rune(s)) > 80 || strings.ContainsAny(s, "\r\n\t") }
	if set.Title == "" || long(set.Title) {
		f = append(f, fault.Field{Name: "title", Key: "newsletter.error.title"})
	}
	if long(set.TitleEN) {
		f = append(f, fault.Field{Name: "title_en", Key: "newsletter.error.title_en"})
	}
	if len(set.About) > 1000 {
		f = append(f, fault.Field{Name: "about", Key: "newsletter.error.about"})
	}
	if len(set.AboutEN) > 1000 {
		f = append(f, fault.Field{Name: "about_en", Key: "newsletter.error.about_en"})
	}
	if set.Sender != "" {
		if _, err := mail.ParseAddress("sender", set.Sender); err != nil {
			f = append(f, fault.FieldsOf(err)...)
		}
	}
	for i, c := range set.Categories {
		twice := slices.ContainsFunc(set.Categories[:i], func(o Category) bool { return o.ID == c.ID })
		if !categoryForm.MatchString(c.ID) || c.Name == "" || len(c.Name) > 80 || len(c.NameEN) > 80 || twice {
			f = append(f, fault.Field{Name: "categories", Key: "newsletter.error.categories"})
			break
		}
	}
	return fault.Fields(f...)
}

// SetSettings stores what an editor has set. Version is that which was read, 0
// where nothing has been set yet.
func (s *Service) SetSettings(ctx context.Context, who account.Actor, set Settings) error {
	if err := set.check(); err != nil {
		return err
	}
	err := s.DB.Update(ctx, func(tx *db.Tx) error {
		if set.Version == 0 {
			if err := insertSettings(ctx, tx, who.Tenant, set); err != nil {
				return err
			}
			set.Version = 1
		}
		if err := updateSettings(ctx, tx, who.Tenant, set); err != nil {
			return err
		}
		if err := putCategories(ctx, tx, who.Tenant, set.Categories); err != nil {
			return err
		}
		return journal.Record(ctx, tx, entry(who, "newsletter.settings", ""))
	})
	if err != nil {
		return fmt.Errorf("newsletter: set settings: %w", err)
	}
	return nil
}

func entry(who account.Actor, action, object string) journal.Entry {
	return journal.Entry{Tenant: string(who.Tenant), Actor: "staff:" + who.Person, Action: action, Object: object}
}

// Limits of an issue.
const (
	maxSubject = 150
	maxBody    = 200 << 10
)

func (i Issue) check() error {
	var f []fault.Field
	if n := len([]rune(i.Subject)); strings.TrimSpace(i.Subject) == "" || n > maxSubject || strings.ContainsAny(i.Subject, "\r\n\t") {
		f = append(f, fault.Field{Name: "subject", Key: "newsletter.error.subject"})
	}
	if strings.TrimSpace(i.Body) == "" || len(i.Body) > maxBody || strings.Contains(i.Body, mail.Slot) {
		f = append(f, fault.Field{Name: "body", Key: "newsletter.error.body"})
	}
	if i.Lang != "de" && i.Lang != "en" {
		f = append(f, fault.Field{Name: "lang", Key: "newsletter.error.lang"})
	}
	return fault.Fields(f...)
}

// Create stores a new draft, whose Version is 1, and returns its id.
func (s *Service) Create(ctx context.Context, who account.Actor, i Issue) (string, error) {
	if err := i.check(); err != nil {
		return "", err
	}
	i.ID, i.Author = newID(), who.Person
	err := s.DB.Update(ctx, func(tx *db.Tx) error {
		if err := insertIssue(ctx, tx, who.Tenant, i); err != nil {
			return err
		}
		return journal.Record(ctx, tx, entry(who, "newsletter.drafted", i.ID))
	})
	if err != nil {
		return "", fmt.Errorf("newsletter: create: %w", err)
	}
	return i.ID, nil
}

// save stores a draft; fault.Conflict when somebody else has changed it since.
func (s *Service) save(ctx context.Context, who account.Actor, i Issue) error {
	if err := i.check(); err != nil {
		return err
	}
	err := s.DB.Update(ctx, func(tx *db.Tx) error {
		if err := updateIssue(ctx, tx, who.Tenant, i); err != nil {
			return err
		}
		return journal.Record(ctx, tx, entry(who, "newsletter.changed", i.ID))
	})
	if err != nil {
		return fmt.Errorf("newsletter: save %s: %w", i.ID, err)
	}
	return nil
}

// issue returns one issue of the tenant.
func (s *Service) issue(ctx context.Context, of tenant.ID, id string) (i Issue, err error) {
	err = s.DB.View(ctx, func(tx *db.Tx) error {
		i, err = issueByID(ctx, tx, of, id)
		return err
	})
	if err != nil {
		return i, fmt.Errorf("newsletter: issue %s: %w", id, err)
	}
	return i, nil
}

// Schedule releases a draft of who's tenant for sending at a time; the zero time is
// now. It is refused when the issue would leave without what every issue needs.
func (s *Service) Schedule(ctx context.Context, who account.Actor, t *tenant.Tenant, i Issue, at time.Time) error {
	if _, err := s.series(ctx, t, i); err != nil {
		return err
	}
	err := s.DB.Update(ctx, func(tx *db.Tx) error {
		if at.Before(tx.Now) {
			at = tx.Now
		}
		if err := insertSettings(ctx, tx, who.Tenant, first()); err != nil { // a tenant that has set nothing yet
			return err
		}
		if err := moveIssue(ctx, tx, who.Tenant, i.ID, Draft, Scheduled, i.Version, at); err != nil {
			return err
		}
		if err := s.Jobs.Enqueue(ctx, tx, jobSend, sendRef(who.Tenant, i.ID, i.Version+1), jobs.At(at)); err != nil {
			return err
		}
		return journal.Record(ctx, tx, entry(who, "newsletter.released", i.ID))
	})
	if err != nil {
		return fmt.Errorf("newsletter: schedule %s: %w", i.ID, err)
	}
	return nil
}

// recall makes a scheduled issue a draft again; fault.Conflict when it has begun.
func (s *Service) recall(ctx context.Context, who account.Actor, i Issue) error {
	err := s.DB.Update(ctx, func(tx *db.Tx) error {
		if err := moveIssue(ctx, tx, who.Tenant, i.ID, Scheduled, Draft, i.Version, time.Time{}); err != nil {
			return err
		}
		return journal.Record(ctx, tx, entry(who, "newsletter.recalled", i.ID))
	})
	if err != nil {
		return fmt.Errorf("newsletter: recall %s: %w", i.ID, err)
	}
	return nil
}

// drop deletes a draft.
func (s *Service) drop(ctx context.Context, who account.Actor, i Issue) error {
	err := s.DB.Update(ctx, func(tx *db.Tx) error {
		if err := deleteDraft(ctx, tx, who.Tenant, i.ID, i.Version); err != nil {
			return err
		}
		return journal.Record(ctx, tx, entry(who, "newsletter.dropped", i.ID))
	})
	if err != nil {
		return fmt.Errorf("newsletter: drop %s: %w", i.ID, err)
	}
	return nil
}
