package blog

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/journal"
	"poststelle/internal/markdown"
	"poststelle/internal/tenant"
)

// What an import does with posts of an export that are not here.
const (
	PostsNone      = "none"      // their threads are listed as unmatched
	PostsDraft     = "draft"     // they become drafts
	PostsPublished = "published" // what was public there is public here, with its time
)

// Import is what to take over. Dry writes nothing and tells what would happen.
type Import struct {
	Format Format
	Posts  string // PostsNone, PostsDraft or PostsPublished
	Dry    bool
}

// Imported is what an import did. Left counts comments that were not taken over,
// by reason; Known those that an earlier run has brought. Addresses counts the
// sealed ones.
type Imported struct {
	Threads                    []ImportedThread
	Comments, Known, Addresses int
	Left                       map[string]int
}

// ImportedThread is a post of an export. Slug is its address here; Fate is one of
// "found", "made" and "unmatched".
type ImportedThread struct {
	Title, Link, Slug, Fate string
	Comments                int // new ones
}

// Import takes over comments, and posts where the export holds them. Of a comment
// it keeps content and time, and the comment that it answers; an answer to an
// answer stands below the first one. The address it came from is sealed like that
// of every comment while its period lasts, counted from the comment; everything
// else about its author is dropped. Only what was approved there is public here.
//
// It may be repeated: what is here stays as it is, and what was deleted here does
// not come back. A file that is no such export is fault.Invalid; what was written
// until an error stays, and the next run goes on there.
func (s *Service) Import(ctx context.Context, t *tenant.Tenant, what Import, from io.Reader) (Imported, error) {
	out := Imported{Left: map[string]int{}}
	all, err := readExport(from, what.Format)
	if err != nil {
		return out, err
	}
	for _, f := range all {
		if len(f.Comments) == 0 && f.Post == nil {
			continue // pages that nobody wrote about
		}
		got, err := s.importThread(ctx, t, what, f, &out)
		if err != nil {
			return out, fmt.Errorf("blog: import thread %d: %w", len(out.Threads)+1, err)
		}
		out.Threads = append(out.Threads, got)
	}
	return out, nil
}

func (s *Service) importThread(ctx context.Context, t *tenant.Tenant, what Import, f foreignThread, out *Imported) (ImportedThread, error) {
	got := ImportedThread{Title: f.Title, Link: f.Link, Fate: "unmatched"}
	thread := foreignID(t.ID, what.Format, "thread", f.Key)
	var p post
	err := s.DB.View(ctx, func(tx *db.Tx) (err error) {
		p, err = findForeign(ctx, tx, t.ID, thread, f.Slugs)
		return err
	})
	switch {
	case err == nil:
		got.Fate = "found"
	case !errors.Is(err, fault.NotFound):
		return got, err
	case f.Post == nil || what.Posts == PostsNone:
		return got, nil
	default:
		if p, err = f.post(what.Posts); err != nil || p.ID == "" {
			return got, err
		}
		got.Fate = "made"
	}
	if !what.Dry {
		if err := s.keepThread(ctx, t.ID, thread, p, got.Fate == "made"); err != nil {
			return got, err
		}
	}
	got.Slug = p.Slug
	got.Comments, err = s.importComments(ctx, t, what, p.ID, f.Comments, out)
	return got, err
}

// keepThread remembers which post a thread belongs to, and writes the post where
// it is new.
func (s *Service) keepThread(ctx context.Context, of tenant.ID, thread string, p post, isNew bool) error {
	return s.DB.Update(ctx, func(tx *db.Tx) error {
		if isNew {
			if p.Changed = p.Published; p.State != published {
				p.Changed = tx.Now
			}
			if err := insertForeignPost(ctx, tx, of, p); err != nil {
				return err
			}
		}
		if err := insertImported(ctx, tx, of, thread, p.ID); err != nil {
			return err
		}
		return journal.Record(ctx, tx, journal.Entry{Tenant: string(of), Actor: "cli", Action: "post.imported", Object: p.ID})
	})
}

// findForeign finds the post of a thread: the one that an earlier run found, else
// the first with one of the addresses.
func findForeign(ctx context.Context, tx *db.Tx, of tenant.ID, thread string, slugs []string) (post, error) {
	p, err := selectImportedPost(ctx, tx, of, thread)
	for _, slug := range slugs {
		if !errors.Is(err, fault.NotFound) {
			break
		}
		p, err = selectPostBySlug(ctx, tx, of, slug)
	}
	return p, err
}

// post is a post of an export as one of this blog; one without ID says nothing. A
// text that is too long for the desk is taken whole: who edits it next shortens it.
func (f foreignThread) post(mode string) (p post, err error) {
	source, err := markdown.FromHTML(f.Post.Markup)
	if err != nil {
		return p, err
	}
	summary, err := plainText(f.Post.Summary)
	if err != nil {
		return p, err
	}
	title := cut(f.Title, maxTitle)
	if strings.TrimSpace(source) == "" || title == "" {
		return p, nil
	}
	p = post{
		ID: rand.Text(), Slug: slugOf(title), Title: title, Summary: cut(oneLine(summary), maxSummary), Source: source, State: draft,
		Comments: f.Post.Open, Moderated: true, CloseDays: defaultClose,
	}
	if len(f.Slugs) > 0 {
		p.Slug = f.Slugs[0]
	}
	if f.Post.Public {
		p.Published = f.Post.At
	}
	if mode == PostsPublished && !p.Published.IsZero() {
		p.State = published
	}
	return p, nil
}

// plainText is what a person reads of markup.
func plainText(markup string) (string, error) {
	source, err := markdown.FromHTML(markup)
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(markdown.Text(source)), nil
}

func cut(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return strings.TrimSpace(string(r[:most-1])) + "…"
	}
	return s
}

// foreignID is how something of an export is called here, at every run the same.
func foreignID(of tenant.ID, f Format, kind, key string) string {
	h := sha256.Sum256([]byte("poststelle/blog/import\x00" + string(of) + "\x00" + string(f) + "\x00" + kind + "\x00" + key))
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(h[:16])
}

// importBatch is how many comments are written in one transaction.
const importBatch = 200

func (s *Service) importComments(ctx context.Context, t *tenant.Tenant, what Import, post string, list []foreignComment, out *Imported) (n int, err error) {
	for batch := range slices.Chunk(arrivals(t.ID, what.Format, post, list, s.Now(), out.Left), importBatch) {
		fresh, err := s.unknown(ctx, t.ID, batch)
		if err != nil {
			return n, err
		}
		if !what.Dry {
			if err := s.keepArrivals(ctx, t, fresh); err != nil {
				return n, err
			}
		}
		for _, a := range fresh {
			if s.sealable(t, a) {
				out.Addresses++
			}
		}
		n += len(fresh)
		out.Comments, out.Known = out.Comments+len(fresh), out.Known+len(batch)-len(fresh)
	}
	return n, nil
}

// arrival is a comment of an export on its way in, with the address that it came
// from.
type arrival struct {
	comment
	key  string // there
	from netip.Addr
	box  []byte
	day  string
}

// unknown are those that no run has brought yet.
func (s *Service) unknown(ctx context.Context, of tenant.ID, batch []arrival) (fresh []arrival, err error) {
	ids := make([]string, 0, len(batch))
	for _, a := range batch {
		ids = append(ids, a.ID)
	}
	var known map[string]bool
	err = s.DB.View(ctx, func(tx *db.Tx) error {
		known, err = selectImported(ctx, tx, of, ids)
		return err
	})
	for _, a := range batch {
		if !known[a.ID] {
			fresh = append(fresh, a)
		}
	}
	return fresh, err
}

// sealable reports whether the address of a comment is evidence still.
func (s *Service) sealable(t *tenant.Tenant, a arrival) bool {
	return keepsAddress(t, a.from) && s.Now().Sub(a.Created) < EvidencePeriod
}

func (s *Service) keepArrivals(ctx context.Context, t *tenant.Tenant, list []arrival) (err error) {
	for i, a := range list {
		if s.sealable(t, a) {
			// The key of its own day may be gone; that of today lives long enough, and the
			// row goes when its period is over.
			if list[i].box, list[i].day, err = s.sealAddress(t, a.ID, a.from, s.Now()); err != nil {
				return err
			}
		}
	}
	return s.DB.Update(ctx, func(tx *db.Tx) error {
		for _, a := range list {
			// Nobody knows a token of it: its author asks the staff to delete it.
			isNew, err := insertComment(ctx, tx, t.ID, a.comment, hashToken(rand.Text()))
			if err == nil && isNew && a.box != nil {
				err = insertEvidence(ctx, tx, t.ID, a.ID, a.day, a.box, a.Created)
			}
			if err == nil {
				err = insertImported(ctx, tx, t.ID, a.ID, a.Post)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// arrivals are the comments of a thread that are taken over, with their ids and
// parents of here; the others are counted by reason.
func arrivals(of tenant.ID, f Format, post string, list []foreignComment, now time.Time, left map[string]int) []arrival {
	var out []arrival
	parents, taken := make(map[string]string, len(list)), make(map[string]bool, len(list))
	for _, c := range list {
		if _, twice := parents[c.Key]; twice {
			continue
		}
		parents[c.Key] = c.Parent
		body, why := c.body(now)
		if why != "" {
			left[why]++
			continue
		}
		taken[c.Key] = true
		out = append(out, arrival{key: c.Key, from: c.From, comment: comment{
			ID: foreignID(of, f, "comment", c.Key), Post: post, Parent: c.Parent, Body: body, State: shown, Created: c.At,
		}})
	}
	tops := map[string]string{}
	for i, a := range out {
		out[i].Parent = ""
		if top := topOf(a.Parent, parents, taken, tops); top != "" && top != a.key {
			out[i].Parent = foreignID(of, f, "comment", top)
		}
	}
	return out
}

// body is the text of a comment, or why it is not taken over.
func (c foreignComment) body(now time.Time) (text, left string) {
	switch {
	case c.Left != "":
		return "", c.Left
	case c.At.IsZero() || c.At.After(now):
		return "", leftUndated
	case len(c.Markup) > maxMarkup:
		return "", leftLong
	}
	text, err := plainText(c.Markup)
	switch {
	case err != nil:
		return "", leftLong // nested beyond reading
	case text == "":
		return "", leftEmpty
	case utf8.RuneCountInString(text) > maxForeigner:
		return "", leftLong
	}
	return text, ""
}

// topOf is the highest comment above and including key that is taken over, ""
// for none. tops remembers what was found. A circle has no top.
func topOf(key string, parents map[string]string, taken map[string]bool, tops map[string]string) string {
	var path []string
	top := ""
	for on := map[string]bool{}; key != "" && !on[key]; key = parents[key] {
		if known, ok := tops[key]; ok {
			top = known
			break
		}
		on[key] = true
		path = append(path, key)
	}
	for _, k := range slices.Backward(path) {
		if top == "" && taken[k] {
			top = k
		}
		tops[k] = top
	}
	return top
}
