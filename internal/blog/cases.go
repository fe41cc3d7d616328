package blog

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"poststelle/internal/account"
	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/tenant"
)

// Kinds of inquiries.
const (
	caseReport    = "report"    // somebody says that a comment is unlawful (Art. 16 DSA)
	caseComplaint = "complaint" // its author objects to a decision (Art. 20)
	caseAppeal    = "appeal"    // who reported objects to a decision (Art. 20)
)

// Decisions on inquiries.
const (
	decisionRemoved  = "removed"  // the comment was taken down
	decisionKept     = "kept"     // the comment stays
	decisionRestored = "restored" // the comment is public again
	decisionUpheld   = "upheld"   // what was decided stays decided
)

// appealPeriod is how long a decision can be objected to: six months (Art. 20(1)
// DSA). So long the text of a comment that was taken down is kept, to be able to
// put it back.
const appealPeriod = 183 * 24 * time.Hour

const maxInquiry = 2000

// inquiry is a report or a complaint.
type inquiry struct {
	ID, Comment, Post, Kind, Ground, Body string
	Open                                  bool
	Decision, Statement, By               string
	Created, Decided                      time.Time
	sealed                                []byte // Body, as it is stored
}

// decisions are what may be decided on a kind of inquiry.
func decisions(kind string) []string {
	if kind == caseComplaint {
		return []string{decisionRestored, decisionUpheld}
	}
	return []string{decisionRemoved, decisionKept}
}

func checkText(name, text string) []fault.Field {
	switch n := utf8.RuneCountInString(strings.TrimSpace(text)); {
	case n == 0:
		return []fault.Field{{Name: name, Key: "blog.error.reason"}}
	case n > maxInquiry:
		return []fault.Field{{Name: name, Key: "blog.error.long", Args: []any{"max", maxInquiry}}}
	}
	return nil
}

// checkDecision checks the ground and the words of a report, or of a decision
// against a comment.
func checkDecision(ground, statement string) error {
	var f []fault.Field
	if !slices.Contains(grounds(), ground) {
		f = append(f, fault.Field{Name: "grund", Key: "blog.error.ground"})
	}
	return fault.Fields(append(f, checkText("begruendung", statement)...)...)
}

// Report takes a report about a public comment and returns the token of its
// page, which is the acknowledgement of receipt. Nothing about the person is
// asked for or kept.
func (s *Service) Report(ctx context.Context, t *tenant.Tenant, id, ground, body string, from netip.Addr) (string, error) {
	if err := checkDecision(ground, body); err != nil {
		return "", err
	}
	if _, ok := s.often.take(from, s.Now()); !ok {
		return "", fault.With(fault.TooMany, "blog.error.often")
	}
	token := rand.Text()
	n := inquiry{ID: rand.Text(), Kind: caseReport, Ground: ground, Body: strings.TrimSpace(body)}
	if err := s.sealCase(ctx, t.ID, &n); err != nil {
		return "", err
	}
	err := s.DB.Update(ctx, func(tx *db.Tx) error {
		c, err := selectComment(ctx, tx, t.ID, id)
		if err == nil && c.State != shown {
			err = fault.NotFound
		}
		if err != nil {
			return err
		}
		n.Comment, n.Post = c.ID, c.Post
		_, err = insertCase(ctx, tx, t.ID, n, hashToken(token))
		return err
	})
	if err != nil {
		return "", fmt.Errorf("blog: report %s: %w", id, err)
	}
	return token, nil
}

// reported is what a reporter sees with the token of the report.
type reported struct {
	inquiry
	Slug, Title string
	Appeal      inquiry // its ID is "" while there is none
}

// appealToken is where the objection against the decision on a report is found.
func appealToken(token string) []byte { return hashToken(token + ":" + caseAppeal) }

// complaintToken is where the objection of an author is found: one for each
// decision.
func complaintToken(token string, decided time.Time) []byte {
	return hashToken(token + ":" + caseComplaint + ":" + strconv.FormatInt(db.Millis(decided), 10))
}

func (s *Service) report(ctx context.Context, of tenant.ID, token string) (m reported, err error) {
	err = s.DB.View(ctx, func(tx *db.Tx) error {
		if m.inquiry, err = selectCaseByToken(ctx, tx, of, hashToken(token)); err != nil {
			return err
		}
		p, err := selectPost(ctx, tx, of, m.Post)
		if err != nil {
			return err
		}
		m.Slug, m.Title = p.Slug, p.Title
		m.Appeal, err = selectCaseByToken(ctx, tx, of, appealToken(token))
		if errors.Is(err, fault.NotFound) {
			err = nil
		}
		return err
	})
	if err == nil {
		err = s.openCases(ctx, of, &m.inquiry, &m.Appeal)
	}
	if err != nil {
		return reported{}, fmt.Errorf("blog: report by token: %w", err)
	}
	return m, nil
}

// Complain takes the objection of an author against a decision on the comment.
// It may be made once, within six months (fault.Conflict otherwise).
func (s *Service) Complain(ctx context.Context, of tenant.ID, token, body string) error {
	if err := fault.Fields(checkText("begruendung", body)...); err != nil {
		return err
	}
	n := inquiry{ID: rand.Text(), Kind: caseComplaint, Body: strings.TrimSpace(body)}
	if err := s.sealCase(ctx, of, &n); err != nil {
		return err
	}
	err := s.DB.Update(ctx, func(tx *db.Tx) error {
		c, err := selectCommentByToken(ctx, tx, of, hashToken(token))
		if err != nil {
			return err
		}
		if c.State != rejected && c.State != removed || tx.Now.Sub(c.Decided) > appealPeriod {
			return fault.With(fault.Conflict, "blog.error.nocomplaint")
		}
		n.Comment, n.Post = c.ID, c.Post
		_, err = insertCase(ctx, tx, of, n, complaintToken(token, c.Decided))
		return err
	})
	if err != nil {
		return fmt.Errorf("blog: complain: %w", err)
	}
	return nil
}

// Appeal takes the objection of a reporter whose report was not followed.
func (s *Service) Appeal(ctx context.Context, of tenant.ID, token, body string) error {
	if err := fault.Fields(checkText("begruendung", body)...); err != nil {
		return err
	}
	a := inquiry{ID: rand.Text(), Kind: caseAppeal, Body: strings.TrimSpace(body)}
	if err := s.sealCase(ctx, of, &a); err != nil {
		return err
	}
	err := s.DB.Update(ctx, func(tx *db.Tx) error {
		n, err := selectCaseByToken(ctx, tx, of, hashToken(token))
		if err != nil {
			return err
		}
		if n.Open || n.Kind != caseReport || n.Decision != decisionKept || tx.Now.Sub(n.Decided) > appealPeriod {
			return fault.With(fault.Conflict, "blog.error.nocomplaint")
		}
		a.Comment, a.Post, a.Ground = n.Comment, n.Post, n.Ground
		_, err = insertCase(ctx, tx, of, a, appealToken(token))
		return err
	})
	if err != nil {
		return fmt.Errorf("blog: appeal: %w", err)
	}
	return nil
}

// asked is an inquiry with the comment it is about, for the staff. The comment
// is empty when it was deleted meanwhile.
type asked struct {
	inquiry
	Subject     comment
	Slug, Title string
}

func (s *Service) cases(ctx context.Context, of tenant.ID, open bool, after cursor, most int) (all []asked, more bool, err error) {
	err = s.DB.View(ctx, func(tx *db.Tx) error {
		all, err = selectCases(ctx, tx, of, open, after, most+1)
		return err
	})
	all, more = page(all, most)
	for i := 0; err == nil && i < len(all); i++ {
		err = s.openCases(ctx, of, &all[i].inquiry)
	}
	if err != nil {
		return nil, false, fmt.Errorf("blog: cases: %w", err)
	}
	return all, more, nil
}

func (s *Service) inquiry(ctx context.Context, of tenant.ID, id string) (a asked, err error) {
	err = s.DB.View(ctx, func(tx *db.Tx) error {
		if a.inquiry, err = selectCase(ctx, tx, of, id); err != nil {
			return err
		}
		p, err := selectPost(ctx, tx, of, a.Post)
		if err != nil {
			return err
		}
		a.Slug, a.Title = p.Slug, p.Title
		a.Subject, err = selectComment(ctx, tx, of, a.Comment)
		if errors.Is(err, fault.NotFound) {
			err = nil
		}
		return err
	})
	if err == nil {
		err = s.openCases(ctx, of, &a.inquiry)
	}
	if err != nil {
		return asked{}, fmt.Errorf("blog: inquiry %s: %w", id, err)
	}
	return a, nil
}

// Answer decides on a report or a complaint, once (fault.Conflict). The
// statement of reasons is what the person reads who asked; the author of the
// comment reads it too when the comment is taken down.
func (s *Service) Answer(ctx context.Context, who account.Actor, id, decision, ground, statement string) error {
	f := checkText("begruendung", statement)
	if decision == decisionRemoved && !slices.Contains(grounds(), ground) {
		f = append(f, fault.Field{Name: "grund", Key: "blog.error.ground"})
	}
	err := s.DB.Update(ctx, func(tx *db.Tx) error {
		n, err := selectCase(ctx, tx, who.Tenant, id)
		if err != nil {
			return err
		}
		if !slices.Contains(decisions(n.Kind), decision) {
			return fault.Fields(append([]fault.Field{{Name: "entscheidung", Key: "blog.error.decision"}}, f...)...)
		}
		if err := fault.Fields(f...); err != nil {
			return err
		}
		ok, err := updateCase(ctx, tx, who.Tenant, id, decision, strings.TrimSpace(statement), who.Person)
		if err == nil && !ok {
			err = fault.With(fault.Conflict, "blog.error.answered")
		}
		if err == nil {
			err = follow(ctx, tx, who, n, decision, ground, strings.TrimSpace(statement))
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("blog: answer %s: %w", id, err)
	}
	return nil
}

// follow does to the comment what was decided.
func follow(ctx context.Context, tx *db.Tx, who account.Actor, n inquiry, decision, ground, statement string) error {
	to := shown
	switch decision {
	case decisionRemoved:
		to = removed
	case decisionRestored:
		ground, statement = "", ""
	default:
		return record(ctx, tx, who, "case.answered", n.ID)
	}
	c, err := selectComment(ctx, tx, who.Tenant, n.Comment)
	if err == nil && c.State != deleted {
		err = updateDecision(ctx, tx, who.Tenant, c.ID, to, ground, statement)
	}
	if err != nil && !errors.Is(err, fault.NotFound) { // deleted meanwhile: nothing to do
		return err
	}
	return record(ctx, tx, who, "case.answered", n.ID)
}
