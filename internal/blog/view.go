package blog

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/a-h/templ"

	"poststelle/internal/fault"
	"poststelle/internal/i18n"
	"poststelle/internal/tenant"
	"poststelle/internal/web"
	"poststelle/internal/web/ui"
)

var errNoComment = fmt.Errorf("blog: comment is not public: %w", fault.NotFound)

// listView is the list of posts.
type listView struct {
	Posts []post
	Pager ui.PagerSpec
}

// postView is a post with its comments.
type postView struct {
	Slug, Title, Summary, By, Reading string
	Published, Changed                time.Time
	Body                              templ.Component
	Comments                          []commentView
	Count                             string
	HasComments                       bool // the post has or had comments
	Pager                             ui.PagerSpec
	Deleted                           bool // somebody comes from deleting a comment

	Open      bool
	Closed    string // why nobody can comment now
	Text      string
	Error     string
	Notice    string
	Errors    []ui.FieldError
	Form      string
	Answer    string // the comment that is answered
	AnswerTo  string // sentence that names it
	Promise   string // what is stored and published
	Moderated bool
	Work      bool // the browser is asked to prove some work
}

// commentView is a public comment.
type commentView struct {
	ID       string
	At       time.Time
	Segments []segment
	Gone     string // sentence in place of a comment that is gone
	Report   string
	Reply    string // "" where it cannot be answered
	Answers  []commentView
}

// wordsPerMinute is how fast people read, for the time that a post takes.
const wordsPerMinute = 200

func (s *Service) postView(r *http.Request, t *tenant.Tenant, p post, comments []comment, n int) postView {
	ctx := r.Context()
	v := postView{
		Slug: p.Slug, Title: p.Title, Summary: p.Summary, By: t.Name, Published: p.Published, Body: s.article.Show(p.Source),
		Reading: i18n.T(ctx, "blog.post.reading", "n", max(1, (len(strings.Fields(p.Source))+wordsPerMinute/2)/wordsPerMinute)),
		Deleted: r.URL.Query().Get("geloescht") == "ja",
	}
	if p.Changed.Sub(p.Published) > time.Hour {
		v.Changed = p.Changed
	}
	v.Count = i18n.T(ctx, "blog.comments.count", "n", n)
	if n > countLimit {
		v.Count = i18n.T(ctx, "blog.comments.many", "n", countLimit)
	}
	v.HasComments = p.Comments || n > 0
	open := p.open(s.Now())
	for _, c := range comments {
		v.Comments = append(v.Comments, commentViewOf(r, p, c, open))
	}
	return v
}

func commentViewOf(r *http.Request, p post, c comment, open bool) commentView {
	v := commentView{ID: c.ID, At: c.Created}
	switch c.State {
	case shown:
		v.Segments, v.Report = segments(c.Body), "/aktuelles/melden/"+c.ID
		if open && c.Parent == "" {
			v.Reply = postPath(p.Slug) + "?antwort=" + c.ID + "#kommentieren"
		}
	case removed:
		v.Gone = i18n.T(r.Context(), "blog.comment.removed", "ground", i18n.T(r.Context(), "blog.ground."+c.Ground))
	default:
		v.Gone = i18n.T(r.Context(), "blog.comment.deleted")
	}
	for _, a := range c.Answers {
		v.Answers = append(v.Answers, commentViewOf(r, p, a, open))
	}
	return v
}

// form fills what the form below a post shows.
func (v *postView) form(s *Service, r *http.Request, t *tenant.Tenant, p post, typed typedComment) {
	ctx, now := r.Context(), s.Now()
	v.Open, v.Moderated = p.open(now), p.Moderated
	if p.Comments && !v.Open {
		v.Closed = i18n.T(ctx, "blog.comments.closed", "date", i18n.Date(ctx, p.closes()))
	}
	v.Text, v.Error, v.Notice = typed.Text, typed.Error, typed.Notice
	if v.Error != "" {
		v.Errors = []ui.FieldError{{ID: "kommentar", Text: v.Error}}
	}
	v.Form = s.newForm(t.ID, p.Slug, now)
	v.Work = !p.Moderated && s.often.near(web.ClientIP(ctx), now)
	for _, c := range v.Comments {
		if c.ID == typed.Parent && c.Reply != "" {
			v.Answer, v.AnswerTo = c.ID, i18n.T(ctx, "blog.form.answerto", "time", i18n.DateTime(ctx, c.At))
		}
	}
	v.Promise = i18n.T(ctx, "blog.form.promise")
	if t.Profile == tenant.Vorlage {
		v.Promise = i18n.T(ctx, "blog.form.promiseaddress", "days", int(EvidencePeriod/(24*time.Hour)))
	}
}

// mineView is a comment for its author.
type mineView struct {
	mine
	Action, Address, Typed, Error string
	Errors                        []ui.FieldError
	MayComplain                   bool
}

// reportView is the form to report a comment.
type reportView struct {
	Comment                comment
	Title, Action          string
	Ground, Text           string
	Grounds                []ui.Option
	GroundError, TextError string
	Errors                 []ui.FieldError
}

// reportedView is a report for the person who made it.
type reportedView struct {
	reported
	Action, Address, Typed, Error string
	Errors                        []ui.FieldError
	MayAppeal                     bool
}
