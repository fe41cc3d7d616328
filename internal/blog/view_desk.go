package blog

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/a-h/templ"

	"poststelle/internal/db"
	"poststelle/internal/i18n"
	"poststelle/internal/tenant"
	"poststelle/internal/vault"
	"poststelle/internal/web/ui"
)

// deskView is the landing page of the desk.
type deskView struct {
	Blog            bool
	Comments, Cases int
	More            []ui.CardSpec
}

// waiting counts what waits for a person at a tenant: comments, and reports with
// complaints.
func (s *Service) waiting(ctx context.Context, of tenant.ID) (comments, cases int, err error) {
	err = s.DB.View(ctx, func(tx *db.Tx) error {
		comments, cases, err = countWaiting(ctx, tx, of)
		return err
	})
	return comments, cases, err
}

// all returns the posts of the desk, those changed last first.
func (s *Service) all(ctx context.Context, of tenant.ID, after cursor, most int) (posts []post, more bool, err error) {
	err = s.DB.View(ctx, func(tx *db.Tx) error {
		posts, err = selectAll(ctx, tx, of, after, most+1)
		return err
	})
	if err != nil {
		return nil, false, fmt.Errorf("blog: posts: %w", err)
	}
	posts, more = page(posts, most)
	return posts, more, nil
}

type postsView struct {
	Posts []post
	Pager ui.PagerSpec
	Said  string
}

// editView is the form of a post.
type editView struct {
	Draft
	ID, Heading, Action, Path string
	Version                   int
	State                     postState
	PublishAt                 time.Time
	Days                      string // as typed
	Pictures                  []picture
	Preview                   bool
	Body                      templ.Component
	Said, Conflict            string
	When, WhenError           string
	Alt, AltError             string
	PictureError              string
	Errors                    []ui.FieldError
	fields                    func(name string) string
}

// wrong is the sentence at a field, "" when nothing is wrong with it.
func (v editView) wrong(name string) string {
	if v.fields == nil {
		return ""
	}
	return v.fields(name)
}

// tone is the colour of a post's state.
func (p postState) tone() ui.Tone {
	switch p {
	case published:
		return ui.Good
	case scheduled:
		return ui.Info
	case withdrawn:
		return ui.Warn
	}
	return ui.Neutral
}

type queueView struct {
	Rows    []queued
	Chips   []ui.NavItem
	Pager   ui.PagerSpec
	Waiting bool
	Said    string
}

type moderateView struct {
	queued
	Reasons                []string
	Evidence               bool
	Ground, Text           string
	Grounds                []ui.Option
	GroundError, TextError string
	Errors                 []ui.FieldError
	Said                   string
}

type casesView struct {
	Rows  []asked
	Chips []ui.NavItem
	Pager ui.PagerSpec
	Said  string
}

type caseView struct {
	asked
	Choice, Ground, Text                string
	Decisions, Grounds                  []ui.Option
	ChoiceError, GroundError, TextError string
	Errors                              []ui.FieldError
}

type evidenceView struct {
	Rows   []evidenceRow
	Opened opened
	Said   string
	Desk   bool // the reader works at the desk, whose tabs are shown
}

type evidenceRow struct {
	vault.EvidenceRequest
	Name, Ground string
}

type askView struct {
	queued
	Ground, Text           string
	Grounds                []ui.Option
	GroundError, TextError string
	Errors                 []ui.FieldError
}

// beginning is the first words of a comment, for a line of a table.
func beginning(s string) string {
	const most = 90
	r := []rune(squeezeSpace(s))
	if len(r) > most {
		return string(r[:most]) + " …"
	}
	return string(r)
}

// days is the number of days in the form: as typed, if it was.
func (v editView) days() string {
	if v.Days != "" || v.CloseDays < 0 {
		return v.Days
	}
	return strconv.Itoa(v.CloseDays)
}

func queueCols(ctx context.Context, choose bool) []ui.Col {
	cols := []ui.Col{
		{Label: i18n.T(ctx, "blog.queue.comment")}, {Label: i18n.T(ctx, "blog.cases.post"), Class: "ps-w-post"},
		{Label: i18n.T(ctx, "blog.posts.state"), Class: "ps-w-status"}, {Label: i18n.T(ctx, "blog.cases.at"), Class: "ps-w-date"},
	}
	if choose {
		cols = append([]ui.Col{{Label: i18n.T(ctx, "blog.queue.all"), Check: true}}, cols...)
	}
	return cols
}

// rejectTitle names what a decision against a comment does.
func rejectTitle(ctx context.Context, st commentState) string {
	if st == shown {
		return i18n.T(ctx, "blog.moderate.takedown")
	}
	return i18n.T(ctx, "blog.moderate.reject")
}

func refuseLabel(ctx context.Context, mine bool) string {
	if mine {
		return i18n.T(ctx, "blog.evidence.back")
	}
	return i18n.T(ctx, "blog.evidence.refuse")
}

func casePairs(ctx context.Context, a asked) []ui.Pair {
	out := []ui.Pair{{Key: i18n.T(ctx, "blog.reported.at"), Node: ui.DateTime(a.inquiry.Created)}}
	if a.inquiry.Ground != "" {
		out = append(out, ui.Pair{Key: i18n.T(ctx, "blog.report.ground"), Text: i18n.T(ctx, "blog.ground."+a.inquiry.Ground)})
	}
	return append(out, ui.Pair{Key: i18n.T(ctx, "blog.report.reason"), Node: ui.SafeLines(a.inquiry.Body)})
}
