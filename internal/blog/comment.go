package blog

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
	"unicode/utf8"

	"poststelle/internal/account"
	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/tenant"
	"poststelle/internal/vault"
)

// maxComment is the length of a comment in characters.
const maxComment = 4000

// commentState says where a comment stands.
type commentState string

const (
	waiting  commentState = "waiting"   // nobody has looked at it
	shown    commentState = "published" // public
	rejected commentState = "rejected"  // never was public
	removed  commentState = "removed"   // was public and was taken down: a marker remains
	deleted  commentState = "deleted"   // by its author, where answers hang on it
)

// comment is a comment as the staff see it. What is public of it is Body and
// Created, see published.
type comment struct {
	ID, Post, Parent, Body string
	State                  commentState
	Score                  int
	Flags                  string // words of package spam.go, empty once decided
	Ground, Statement      string // of a decision against it
	Created, Decided       time.Time
	Answers                []comment // one level deep
}

// Submission is a comment as it comes in. Parent is the comment that it answers,
// "" for none. Form, Trap and Proof are what the form adds against abuse, and are
// not kept. From is the address of the client.
type Submission struct {
	Body, Parent      string
	Form, Trap, Proof string
	From              netip.Addr
}

// Receipt is what the author of a comment gets: the token is shown once and
// deletes the comment. Public says that the comment can be read already.
type Receipt struct {
	ID     string // what the staff call the comment
	Token  string
	Public bool
}

// Comment takes a comment to the post with that slug. It is fault.Invalid at the
// field "kommentar", fault.NotFound where there is no such post, fault.Conflict
// when comments are closed, fault.TooMany from a network that writes very often.
// Sending the same form again gives the same receipt.
func (s *Service) Comment(ctx context.Context, t *tenant.Tenant, slug string, in Submission) (Receipt, error) {
	body := strings.TrimSpace(in.Body)
	switch n := utf8.RuneCountInString(body); {
	case n == 0:
		return Receipt{}, fault.Fields(fault.Field{Name: "kommentar", Key: "blog.error.empty"})
	case n > maxComment:
		return Receipt{}, fault.Fields(fault.Field{Name: "kommentar", Key: "blog.error.long", Args: []any{"max", maxComment}})
	}
	now := s.Now()
	ids, age, known := s.readForm(t.ID, slug, in.Form, now)
	if !known {
		ids = [2]string{rand.Text(), rand.Text()}
	}
	busy, ok := s.often.take(in.From, now)
	if !ok {
		return Receipt{}, fault.With(fault.TooMany, "blog.error.often")
	}
	verdict := s.judge(t.ID, body, in, judged{known: known, age: age, busy: busy && !proves(in.Form, in.Proof), now: now})
	box, day, err := s.sealAddress(t, ids[0], in.From, now)
	if err != nil {
		return Receipt{}, err
	}
	c := comment{ID: ids[0], Parent: in.Parent, Body: body, Score: verdict.score, Flags: verdict.words()}
	err = s.DB.Update(ctx, func(tx *db.Tx) error {
		p, err := selectPublic(ctx, tx, t.ID, slug)
		if err == nil && !p.open(tx.Now) {
			err = fault.With(fault.Conflict, "blog.error.closed")
		}
		if err != nil {
			return err
		}
		c.Post, c.State, c.Created = p.ID, waiting, tx.Now
		if !p.Moderated && !verdict.suspicious() {
			c.State, c.Score, c.Flags = shown, 0, ""
		}
		if err := answerable(ctx, tx, t.ID, p.ID, c.Parent); err != nil {
			return err
		}
		isNew, err := insertComment(ctx, tx, t.ID, c, hashToken(ids[1]))
		if err != nil || !isNew || box == nil {
			return err
		}
		return insertEvidence(ctx, tx, t.ID, c.ID, day, box, c.Created)
	})
	if err != nil {
		return Receipt{}, fmt.Errorf("blog: comment: %w", err)
	}
	return Receipt{ID: ids[0], Token: ids[1], Public: c.State == shown}, nil
}

// answerable makes sure that a comment answers a public one of the same post
// that is no answer itself.
func answerable(ctx context.Context, tx *db.Tx, of tenant.ID, post, parent string) error {
	if parent == "" {
		return nil
	}
	c, err := selectComment(ctx, tx, of, parent)
	if errors.Is(err, fault.NotFound) || err == nil && (c.Post != post || c.Parent != "" || c.State != shown) {
		return fault.Fields(fault.Field{Name: "kommentar", Key: "blog.error.parent"})
	}
	return err
}

// sealAddress seals where a comment comes from, where that is kept at all.
// Without a key nothing is taken: the notice promises the evidence.
func (s *Service) sealAddress(t *tenant.Tenant, id string, from netip.Addr, now time.Time) (box []byte, day string, err error) {
	if !keepsAddress(t, from) {
		return nil, "", nil
	}
	k, err := s.EvidenceKey(now)
	if err == nil {
		box, err = vault.SealEvidence(k, string(t.ID), id, []byte(from.Unmap().WithZone("").String()))
	}
	if err != nil {
		return nil, "", fmt.Errorf("blog: seal address: %w", err)
	}
	return box, k.Day, nil
}

// The form token says when a form was drawn, for which post, and makes sending
// twice the same as sending once. It is signed by this process and kept nowhere.
const (
	formHead = 8 + 10
	formMAC  = 16
	formAge  = 24 * time.Hour
)

func (s *Service) newForm(of tenant.ID, slug string, now time.Time) string {
	raw := binary.BigEndian.AppendUint64(nil, uint64(db.Millis(now)))
	nonce := make([]byte, 10)
	rand.Read(nonce) // never fails
	raw = append(raw, nonce...)
	return base64.RawURLEncoding.EncodeToString(append(raw, s.mac("form", of, slug, raw)[:formMAC]...))
}

func (s *Service) mac(what string, of tenant.ID, slug string, raw []byte) []byte {
	m := hmac.New(sha256.New, s.key)
	fmt.Fprintf(m, "%s\x00%s\x00%s\x00", what, of, slug)
	m.Write(raw)
	return m.Sum(nil)
}

// readForm returns the id and the token that belong to a form, and its age.
func (s *Service) readForm(of tenant.ID, slug, form string, now time.Time) (ids [2]string, age time.Duration, ok bool) {
	raw, err := base64.RawURLEncoding.DecodeString(form)
	if err != nil || len(raw) != formHead+formMAC || !hmac.Equal(raw[formHead:], s.mac("form", of, slug, raw[:formHead])[:formMAC]) {
		return ids, 0, false
	}
	age = now.Sub(db.Time(int64(binary.BigEndian.Uint64(raw[:8]))))
	if age < 0 || age > formAge {
		return ids, age, false
	}
	for i, what := range []string{"id", "token"} {
		ids[i] = base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(s.mac(what, of, slug, raw[:formHead])[:16])
	}
	return ids, age, true
}

func hashToken(token string) []byte {
	h := sha256.Sum256([]byte("poststelle/blog/token\x00" + token))
	return h[:]
}

// thread returns a page of public comments, oldest first, each with its answers,
// of which there are answersMost together.
func (s *Service) thread(ctx context.Context, of tenant.ID, post string, after cursor, most, answersMost int) (all []comment, more bool, err error) {
	err = s.DB.View(ctx, func(tx *db.Tx) error {
		all, more, err = threadOf(ctx, tx, of, post, after, most, answersMost)
		return err
	})
	if err != nil {
		return nil, false, fmt.Errorf("blog: comments of %s: %w", post, err)
	}
	return all, more, nil
}

func threadOf(ctx context.Context, tx *db.Tx, of tenant.ID, post string, after cursor, most, answersMost int) (all []comment, more bool, err error) {
	if all, err = selectThread(ctx, tx, of, post, after, most+1); err != nil || len(all) == 0 {
		return nil, false, err
	}
	all, more = page(all, most)
	answers, err := selectAnswers(ctx, tx, of, post, all, answersMost)
	if err != nil {
		return nil, false, err
	}
	at := make(map[string]int, len(all))
	for i := range all {
		at[all[i].ID] = i
	}
	for _, a := range answers {
		i := at[a.Parent]
		all[i].Answers = append(all[i].Answers, a)
	}
	return all, more, nil
}

// countLimit is up to where comments are counted: a longer list is "more than".
const countLimit = 1000

// discussion is a public post with a page of its comments, and how many there are.
type discussion struct {
	post
	Thread []comment
	More   bool
	Count  int
}

// discussion reads all that the page of a post shows, at one moment.
func (s *Service) discussion(ctx context.Context, of tenant.ID, slug string, after cursor) (d discussion, err error) {
	err = s.DB.View(ctx, func(tx *db.Tx) error {
		if d.post, err = selectPublic(ctx, tx, of, slug); err != nil {
			return err
		}
		if d.Thread, d.More, err = threadOf(ctx, tx, of, d.ID, after, commentsPerPage, answersShown); err != nil {
			return err
		}
		if d.Count = len(d.Thread); d.Count > 0 || !after.zero() {
			d.Count, err = countShown(ctx, tx, of, d.ID)
		}
		return err
	})
	if err != nil {
		return discussion{}, fmt.Errorf("blog: post: %w", err)
	}
	return d, nil
}

// mine is what the author of a comment sees with the token.
type mine struct {
	comment
	Slug, Title string
	Complaints  []inquiry // without what they say
}

// mine finds a comment by its token. An unknown token is fault.NotFound.
func (s *Service) mine(ctx context.Context, of tenant.ID, token string) (m mine, err error) {
	err = s.DB.View(ctx, func(tx *db.Tx) error {
		if m.comment, err = selectCommentByToken(ctx, tx, of, hashToken(token)); err != nil {
			return err
		}
		p, err := selectPost(ctx, tx, of, m.Post)
		if err != nil {
			return err
		}
		m.Slug, m.Title = p.Slug, p.Title
		m.Complaints, err = selectCasesOf(ctx, tx, of, m.ID, caseComplaint)
		return err
	})
	if err != nil {
		return mine{}, fmt.Errorf("blog: comment by token: %w", err)
	}
	return m, nil
}

// Delete deletes a comment for its author: the text at once, and the evidence
// with it unless somebody has reported the comment and is not answered yet, or
// its evidence is asked for.
func (s *Service) Delete(ctx context.Context, of tenant.ID, token string) error {
	asked := false
	mine, err := s.commentID(ctx, of, token)
	if err == nil {
		asked, err = s.Vault.EvidenceAsked(ctx, s.Website, string(of), mine)
	}
	if err != nil {
		return fmt.Errorf("blog: delete comment: %w", err)
	}
	err = s.DB.Update(ctx, func(tx *db.Tx) error {
		c, err := selectCommentByToken(ctx, tx, of, hashToken(token))
		if err != nil {
			return err
		}
		open, err := countOpenCases(ctx, tx, of, c.ID)
		if err != nil {
			return err
		}
		return dropComment(ctx, tx, of, c, open == 0 && !asked)
	})
	if err != nil {
		return fmt.Errorf("blog: delete comment: %w", err)
	}
	return nil
}

func (s *Service) commentID(ctx context.Context, of tenant.ID, token string) (id string, err error) {
	err = s.DB.View(ctx, func(tx *db.Tx) error {
		c, err := selectCommentByToken(ctx, tx, of, hashToken(token))
		id = c.ID
		return err
	})
	return id, err
}

// dropComment deletes a comment. One with answers leaves an empty place.
func dropComment(ctx context.Context, tx *db.Tx, of tenant.ID, c comment, evidence bool) error {
	if evidence {
		if err := deleteEvidence(ctx, tx, of, c.ID); err != nil {
			return err
		}
	}
	answers, err := countAnswers(ctx, tx, of, c.Post, c.ID)
	if err != nil {
		return err
	}
	if answers == 0 {
		return deleteComment(ctx, tx, of, c.ID)
	}
	return blankComment(ctx, tx, of, c.ID, hashToken(rand.Text()))
}

// queue returns the comments in a state for the staff, oldest first where they
// wait, newest first otherwise.
func (s *Service) queue(ctx context.Context, of tenant.ID, st commentState, after cursor, most int) (all []queued, more bool, err error) {
	err = s.DB.View(ctx, func(tx *db.Tx) error {
		if st == waiting {
			all, err = selectWaiting(ctx, tx, of, after, most+1)
		} else {
			all, err = selectDecided(ctx, tx, of, st, after, most+1)
		}
		return err
	})
	if err != nil {
		return nil, false, fmt.Errorf("blog: queue: %w", err)
	}
	all, more = page(all, most)
	return all, more, nil
}

// queued is a comment with the post it stands under.
type queued struct {
	comment
	Slug, Title string
}

func (s *Service) comment(ctx context.Context, of tenant.ID, id string) (q queued, evidenceDay string, err error) {
	err = s.DB.View(ctx, func(tx *db.Tx) error {
		if q.comment, err = selectComment(ctx, tx, of, id); err != nil {
			return err
		}
		p, err := selectPost(ctx, tx, of, q.Post)
		if err != nil {
			return err
		}
		q.Slug, q.Title = p.Slug, p.Title
		evidenceDay, _, err = selectEvidence(ctx, tx, of, id)
		if errors.Is(err, fault.NotFound) {
			err = nil
		}
		return err
	})
	if err != nil {
		return queued{}, "", fmt.Errorf("blog: comment %s: %w", id, err)
	}
	return q, evidenceDay, nil
}

// Grounds of a decision against a comment, for its statement of reasons.
func grounds() []string {
	return []string{"beleidigung", "hass", "persoenlich", "werbung", "urheber", "rechtswidrig", "regeln"}
}

// Approve publishes a comment that waits or was rejected. It reports false when
// there is nothing to approve.
func (s *Service) Approve(ctx context.Context, who account.Actor, id string) (bool, error) {
	return s.decide(ctx, who, id, shown, "", "", "comment.approved")
}

// Reject keeps a comment from the public, or takes down one that is public. The
// author reads ground and statement with the token.
func (s *Service) Reject(ctx context.Context, who account.Actor, id, ground, statement string) (bool, error) {
	if err := checkDecision(ground, statement); err != nil {
		return false, err
	}
	return s.decide(ctx, who, id, rejected, ground, strings.TrimSpace(statement), "comment.rejected")
}

func (s *Service) decide(ctx context.Context, who account.Actor, id string, to commentState, ground, statement, action string) (done bool, err error) {
	err = s.DB.Update(ctx, func(tx *db.Tx) error {
		done = false
		c, err := selectComment(ctx, tx, who.Tenant, id)
		if err != nil || c.State == deleted || c.State == to {
			return err
		}
		if to == rejected && (c.State == shown || c.State == removed) {
			to = removed
		}
		done = true
		if err := updateDecision(ctx, tx, who.Tenant, id, to, ground, statement); err != nil {
			return err
		}
		return record(ctx, tx, who, action, id)
	})
	if err != nil {
		return false, fmt.Errorf("blog: decide on %s: %w", id, err)
	}
	return done, nil
}

// discard deletes a comment for the staff, with its evidence unless that is asked
// for.
func (s *Service) discard(ctx context.Context, who account.Actor, id string) error {
	asked, err := s.Vault.EvidenceAsked(ctx, s.Website, string(who.Tenant), id)
	if err != nil {
		return fmt.Errorf("blog: discard %s: %w", id, err)
	}
	err = s.DB.Update(ctx, func(tx *db.Tx) error {
		c, err := selectComment(ctx, tx, who.Tenant, id)
		if err != nil {
			return err
		}
		if open, err := countOpenCases(ctx, tx, who.Tenant, id); err != nil || open > 0 {
			return errors.Join(err, fault.With(fault.Conflict, "blog.error.opencase"))
		}
		if err := dropComment(ctx, tx, who.Tenant, c, !asked); err != nil {
			return err
		}
		return record(ctx, tx, who, "blog.comment.deleted", id)
	})
	if err != nil {
		return fmt.Errorf("blog: discard %s: %w", id, err)
	}
	return nil
}
