package newsletter

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"poststelle/internal/account"
	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/i18n"
	"poststelle/internal/mail"
	"poststelle/internal/tenant"
	"poststelle/internal/web/ui"
)

// deskSize is how many issues the desk lists.
const deskSize = 50

type deskView struct {
	Counts counts
	Issues []Issue
	Done   string
}

// overview is what the desk begins with: subscribers as numbers, never as names.
func (s *Service) overview(ctx context.Context, t *tenant.Tenant) (v deskView, err error) {
	err = s.DB.View(ctx, func(tx *db.Tx) error {
		if v.Counts, err = countSubscribers(ctx, tx, t.ID); err != nil {
			return err
		}
		v.Issues, err = listIssues(ctx, tx, t.ID, deskSize)
		return err
	})
	if err != nil {
		return v, fmt.Errorf("newsletter: overview: %w", err)
	}
	return v, nil
}

// Cards are what the newsletter puts on the start page of the editorial desk: its
// issues by state, and how many people read it. Nil where the tenant has none.
func (s *Service) Cards(r *http.Request, who account.Actor) []ui.CardSpec {
	ctx := r.Context()
	if _, err := s.of(who.Tenant); err != nil {
		return nil
	}
	var c counts
	var states map[State]int
	err := s.DB.View(ctx, func(tx *db.Tx) (err error) {
		if c, err = countSubscribers(ctx, tx, who.Tenant); err != nil {
			return err
		}
		states, err = countIssues(ctx, tx, who.Tenant)
		return err
	})
	if err != nil {
		s.Log.Warn("newsletter not counted for the desk", "tenant", who.Tenant, "error", err)
		return nil
	}
	return []ui.CardSpec{
		{
			Href: deskPath, Icon: "mail", Title: i18n.T(ctx, "newsletter.desk.title"), Text: i18n.T(ctx, "newsletter.card.text"),
			Note: i18n.T(ctx, "newsletter.card.issues", "drafts", states[Draft], "planned", states[Scheduled]+states[Sending], "sent", states[Sent]),
		},
		{
			Href: deskPath + "#leser", Icon: "group", Title: i18n.T(ctx, "newsletter.card.readers"), Text: i18n.T(ctx, "newsletter.card.readerstext"),
			Note: i18n.T(ctx, "newsletter.card.counts", "active", i18n.Number(ctx, c.Active), "pending", i18n.Number(ctx, c.Pending)),
		},
	}
}

// readers is how many people an issue for everybody goes to.
func (s *Service) readers(ctx context.Context, of tenant.ID) (n int64, err error) {
	err = s.DB.View(ctx, func(tx *db.Tx) error {
		c, err := countSubscribers(ctx, tx, of)
		n = c.Active
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("newsletter: readers: %w", err)
	}
	return n, nil
}

type editorView struct {
	Title, Action, Done string
	Issue               Issue
	Topics              []ui.Option
	Errors              problems
}

type reportView struct {
	Issue Issue
	Done  string
}

type releaseView struct {
	Issue            Issue
	Readers          int64
	When, Day, Clock string
	Errors           problems
}

type previewView struct {
	Issue Issue
	Text  string
}

// preview is an issue as its readers will see it.
func (s *Service) preview(ctx context.Context, t *tenant.Tenant, id string) (previewView, error) {
	i, err := s.issue(ctx, t.ID, id)
	if err != nil {
		return previewView{}, err
	}
	set, err := s.settings(ctx, t)
	if err != nil {
		return previewView{}, err
	}
	m, err := s.write(i18n.In(ctx, i.Lang), t, set, i)
	if err != nil {
		return previewView{}, err
	}
	return previewView{Issue: i, Text: strings.ReplaceAll(m.Text, mail.Slot, "…")}, nil
}

// trial sends an issue to the person who asks, as it will look. The link that
// unsubscribes is one that belongs to nobody.
func (s *Service) trial(ctx context.Context, who account.Actor, t *tenant.Tenant, id string) error {
	i, err := s.issue(ctx, t.ID, id)
	if err != nil {
		return err
	}
	templates, err := s.series(ctx, t, i)
	if err != nil {
		return err
	}
	if s.Mail == nil {
		return fmt.Errorf("newsletter: no mail relay is configured: %w", fault.Unavailable)
	}
	addresses, err := s.Keys.StaffMail(ctx, s.Notifier, string(who.Tenant), []string{who.Person})
	if err != nil {
		return fmt.Errorf("newsletter: trial: %w", err)
	}
	to, err := mail.ParseAddress("email", addresses[who.Person])
	if err != nil {
		return &fault.Error{Kind: fault.Conflict, Key: "newsletter.error.noaddress", Err: err}
	}
	k, err := s.keysOf(ctx, t.ID)
	if err != nil {
		return err
	}
	word, err := k.word(toLeave, link{ID: newID()})
	if err != nil {
		return err
	}
	asked, told := false, error(nil)
	err = s.Mail.Many(ctx, templates[i.Lang], func(bool) (mail.Recipient, bool) {
		first := !asked
		asked = true
		return mail.Recipient{To: to, ID: "trial." + newID(), Slot: word}, first
	}, func(_ mail.Recipient, err error) { told = err })
	if err == nil {
		err = told
	}
	if err != nil {
		return &fault.Error{Kind: fault.Unavailable, Key: "newsletter.error.relay", Err: err}
	}
	return nil
}

type settingsView struct {
	Settings Settings
	Topics   string
	Default  string // the sender when none is set
	Errors   problems
}

// topicLines shows the categories as lines to edit: id = name = English name.
func topicLines(set Settings) string {
	var b strings.Builder
	for _, c := range set.offered() {
		b.WriteString(c.ID + " = " + c.Name)
		if c.NameEN != "" {
			b.WriteString(" = " + c.NameEN)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// topicsFrom reads what topicLines wrote. A line that makes no sense becomes a
// category without a name, which the check refuses.
func topicsFrom(text string) []Category {
	var out []Category
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		parts := append(strings.SplitN(line, "=", 3), "", "")
		out = append(out, Category{ID: strings.TrimSpace(parts[0]), Name: strings.TrimSpace(parts[1]), NameEN: strings.TrimSpace(parts[2]), Active: true})
	}
	return out
}

// stateTone is the weight of a state in lists.
func stateTone(st State) ui.Tone {
	switch st {
	case Sent:
		return ui.Good
	case Sending, Scheduled:
		return ui.Info
	}
	return ui.Neutral
}

func stateName(ctx context.Context, st State) string {
	switch st {
	case Scheduled:
		return i18n.T(ctx, "newsletter.state.scheduled")
	case Sending:
		return i18n.T(ctx, "newsletter.state.sending")
	case Sent:
		return i18n.T(ctx, "newsletter.state.sent")
	}
	return i18n.T(ctx, "newsletter.state.draft")
}
