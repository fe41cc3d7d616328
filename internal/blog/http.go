package blog

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"poststelle/internal/account"
	"poststelle/internal/fault"
	"poststelle/internal/i18n"
	"poststelle/internal/tenant"
	"poststelle/internal/web"
	"poststelle/internal/web/ui"
)

// Routes registers the pages of the blog: those of visitors and the desk.
func (s *Service) Routes(all *web.Router) {
	rt := all.For(web.Public().Of(module))
	rt.Handle("GET /aktuelles", s.getList)
	rt.Handle("GET /aktuelles/feed.xml", s.getFeed)
	rt.Handle("GET /aktuelles/{slug}", s.getPost)
	rt.Handle("GET /aktuelles/{slug}/{part}", s.getPart)
	rt.Handle("POST /aktuelles/{slug}/{part}", s.postComment)
	rt.Handle("GET /aktuelles/bilder/{name}", s.getPicture)
	rt.Handle("GET /aktuelles/kommentar/{token}", s.getMine)
	rt.Handle("POST /aktuelles/kommentar/{token}", s.postMine)
	rt.Handle("GET /aktuelles/melden/{id}", s.getReport)
	rt.Handle("POST /aktuelles/melden/{id}", s.postReport)
	rt.Handle("GET /aktuelles/meldung/{token}", s.getReported)
	rt.Handle("POST /aktuelles/meldung/{token}", s.postAppeal)
	s.deskRoutes(all)
}

// module names the blog in the rules of its routes: where it is off, its
// addresses do not exist.
const module = string(tenant.Blog)

func (s *Service) tenantOf(r *http.Request) (*tenant.Tenant, error) {
	id := tenant.ID(web.SiteOf(r.Context()).ID)
	t, ok := s.Directory.ByID(id)
	if !ok {
		return nil, fmt.Errorf("blog: tenant %s: %w", id, fault.NotFound)
	}
	return t, nil
}

func postPath(slug string) string { return "/aktuelles/" + slug }

const (
	postsPerPage    = 12
	commentsPerPage = 100
)

func (s *Service) getList(w http.ResponseWriter, r *http.Request) error {
	t, err := s.tenantOf(r)
	if err != nil {
		return err
	}
	posts, more, err := s.list(r.Context(), t.ID, placeOf(r), postsPerPage)
	if err != nil {
		return err
	}
	var next cursor
	if more {
		last := posts[len(posts)-1]
		next = cursor{last.Published, last.ID}
	}
	v := listView{Posts: posts, Pager: pagerOf(r, "/aktuelles", next)}
	return web.Render(w, r, http.StatusOK, web.View{Title: i18n.T(r.Context(), "blog.title"), Body: listPage(v), Section: "blog"})
}

// pagerOf leads through the list at base: on to next, unless that is zero, and
// back to the beginning.
func pagerOf(r *http.Request, base string, next cursor) (p ui.PagerSpec) {
	if !next.zero() {
		sep := "?"
		if strings.Contains(base, "?") {
			sep = "&"
		}
		p.Older = base + sep + "nach=" + next.String()
	}
	if !placeOf(r).zero() {
		p.First = base
	}
	return p
}

// placeOf is the place in a list that the address names.
func placeOf(r *http.Request) cursor { return parseCursor(r.URL.Query().Get("nach")) }

// getFeed answers with the Atom feed, and with 304 while it is the same.
func (s *Service) getFeed(w http.ResponseWriter, r *http.Request) error {
	t, err := s.tenantOf(r)
	if err != nil {
		return err
	}
	posts, _, err := s.list(r.Context(), t.ID, cursor{}, feedPosts)
	if err != nil {
		return err
	}
	body, changed, err := s.feed(t, i18n.T(r.Context(), "blog.feed.title", "tenant", t.Name), posts)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/atom+xml; charset=utf-8")
	return cached(w, r, body, changed, "public, max-age=300")
}

// cached writes a body that browsers and proxies may keep, with a validator of
// its content (RFC 9110, 8.8).
func cached(w http.ResponseWriter, r *http.Request, body []byte, changed time.Time, control string) error {
	sum := sha256.Sum256(body)
	tag := `"` + hex.EncodeToString(sum[:12]) + `"`
	h := w.Header()
	h.Set("ETag", tag)
	h.Set("Cache-Control", control)
	if !changed.IsZero() {
		h.Set("Last-Modified", changed.UTC().Format(http.TimeFormat))
	}
	if same(r, tag, changed) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(body) // a peer that is gone needs no answer
	return nil
}

// same decides on a conditional request; If-None-Match goes before
// If-Modified-Since.
func same(r *http.Request, tag string, changed time.Time) bool {
	if match := r.Header.Get("If-None-Match"); match != "" {
		for part := range strings.SplitSeq(match, ",") {
			if p := strings.TrimPrefix(strings.TrimSpace(part), "W/"); p == tag || p == "*" {
				return true
			}
		}
		return false
	}
	since, err := http.ParseTime(r.Header.Get("If-Modified-Since"))
	return err == nil && !changed.IsZero() && !changed.Truncate(time.Second).After(since)
}

func (s *Service) getPost(w http.ResponseWriter, r *http.Request) error {
	return s.showPost(w, r, http.StatusOK, typedComment{Parent: r.URL.Query().Get("antwort")})
}

// typedComment is what the form under a post shows again.
type typedComment struct {
	Text, Parent, Error string
	Notice              string // where the whole form was refused
}

// showPost draws a post with a page of its comments and the form.
func (s *Service) showPost(w http.ResponseWriter, r *http.Request, status int, typed typedComment) error {
	ctx := r.Context()
	t, err := s.tenantOf(r)
	if err != nil {
		return err
	}
	after := placeOf(r)
	d, err := s.discussion(ctx, t.ID, r.PathValue("slug"), after)
	if err != nil {
		return err
	}
	p := d.post
	v := s.postView(r, t, p, d.Thread, d.Count)
	v.form(s, r, t, p, typed)
	if d.More {
		last := d.Thread[len(d.Thread)-1]
		v.Pager.Older = postPath(p.Slug) + "?nach=" + cursor{last.Created, last.ID}.String() + "#kommentare"
	}
	if !after.zero() {
		v.Pager.First = postPath(p.Slug) + "#kommentare"
	}
	return web.Render(w, r, status, web.View{Title: p.Title, Body: postPage(v), Errors: len(v.Errors), Section: "blog"})
}

// getPart answers what stands below a post: its comments as JSON. After a form
// was refused the browser stands at the address of the form, which leads back.
func (s *Service) getPart(w http.ResponseWriter, r *http.Request) error {
	switch r.PathValue("part") {
	case "kommentare":
		return web.Redirect(w, r, postPath(url.PathEscape(r.PathValue("slug")))+"#kommentare")
	case "kommentare.json":
		return s.getComments(w, r)
	}
	return fault.NotFound
}

// publicComment is everything that is public of a comment: content and time. Its
// place in the list, and the answers below it, say what it answers.
type publicComment struct {
	Text    string          `json:"text"`
	Time    time.Time       `json:"time"`
	Removed bool            `json:"removed,omitempty"`
	Answers []publicComment `json:"answers,omitempty"`
}

func publicOf(c comment) publicComment {
	out := publicComment{Text: c.Body, Time: c.Created}
	if c.State != shown {
		out.Text, out.Removed = "", true
	}
	for _, a := range c.Answers {
		out.Answers = append(out.Answers, publicOf(a))
	}
	return out
}

func (s *Service) getComments(w http.ResponseWriter, r *http.Request) error {
	t, err := s.tenantOf(r)
	if err != nil {
		return err
	}
	p, err := s.one(r.Context(), t.ID, r.PathValue("slug"))
	if err != nil {
		return err
	}
	all, more, err := s.thread(r.Context(), t.ID, p.ID, placeOf(r), commentsPerPage, answersShown)
	if err != nil {
		return err
	}
	out := struct {
		Comments []publicComment `json:"comments"`
		Next     string          `json:"next,omitempty"`
	}{Comments: []publicComment{}}
	for _, c := range all {
		out.Comments = append(out.Comments, publicOf(c))
	}
	if more {
		last := all[len(all)-1]
		out.Next = postPath(p.Slug) + "/kommentare.json?nach=" + cursor{last.Created, last.ID}.String()
	}
	body, err := json.Marshal(out)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	return cached(w, r, body, time.Time{}, "no-cache")
}

// getPicture answers with a picture: for ever the same under its name, and never
// anything but a picture.
func (s *Service) getPicture(w http.ResponseWriter, r *http.Request) error {
	t, err := s.tenantOf(r)
	if err != nil {
		return err
	}
	kind, data, public, err := s.file(r.Context(), t.ID, r.PathValue("name"), func() bool {
		who, err := s.Accounts.Actor(r)
		return err == nil && who.May(account.Editor, account.Admin)
	})
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	keep := "public, max-age=31536000, immutable"
	if !public { // of a draft: no cache on the way keeps it
		keep = "private, no-store"
	}
	return cached(w, r, data, time.Time{}, keep)
}

func (s *Service) postComment(w http.ResponseWriter, r *http.Request) error {
	if r.PathValue("part") != "kommentare" {
		return fault.NotFound
	}
	t, err := s.tenantOf(r)
	if err != nil {
		return err
	}
	form, err := web.Form(r)
	if form == nil {
		return err
	}
	in := Submission{
		Body: form.Get("kommentar"), Parent: form.Get("antwort"), Form: form.Get("formular"), Trap: form.Get("website"), Proof: form.Get("nachweis"),
		From: web.ClientIP(r.Context()),
	}
	var got Receipt
	if err == nil {
		got, err = s.Comment(r.Context(), t, r.PathValue("slug"), in)
	}
	typed, status, refused := refusal(r, err)
	if refused {
		typed.Text, typed.Parent = in.Body, in.Parent
		return s.showPost(w, r, status, typed)
	}
	if err != nil {
		return err
	}
	return web.Redirect(w, r, "/aktuelles/kommentar/"+got.Token)
}

// refusal says which errors are shown at the form, with what was typed.
func refusal(r *http.Request, err error) (typed typedComment, status int, ok bool) {
	ctx := r.Context()
	switch kind := fault.KindOf(err); {
	case err == nil:
		return typed, 0, false
	case kind == fault.Invalid:
		typed.Error = i18n.T(ctx, "blog.error.sent")
		for _, f := range fault.FieldsOf(err) {
			if f.Name == "kommentar" {
				typed.Error = i18n.T(ctx, f.Key, f.Args...)
			}
		}
		return typed, http.StatusUnprocessableEntity, true
	case kind == fault.TooMany:
		typed.Notice = i18n.T(ctx, "blog.error.often")
		return typed, http.StatusTooManyRequests, true
	case kind == fault.Conflict:
		typed.Notice = i18n.T(ctx, "blog.error.closed")
		return typed, http.StatusConflict, true
	case kind == fault.Unavailable:
		typed.Notice = i18n.T(ctx, "blog.error.pause")
		return typed, http.StatusServiceUnavailable, true
	}
	return typed, 0, false
}

// fieldErrors turns the fields of an error into sentences for a page.
type fieldErrors []fault.Field

func (e fieldErrors) of(r *http.Request, name string) string {
	for _, f := range e {
		if f.Name == name {
			return i18n.T(r.Context(), f.Key, f.Args...)
		}
	}
	return ""
}

func (e fieldErrors) summary(r *http.Request) []ui.FieldError {
	out := make([]ui.FieldError, 0, len(e))
	for _, f := range e {
		out = append(out, ui.FieldError{ID: f.Name, Text: i18n.T(r.Context(), f.Key, f.Args...)})
	}
	return out
}

// invalid reports whether an error is about fields, and returns them.
func invalid(err error) (fieldErrors, bool) {
	f := fault.FieldsOf(err)
	return f, errors.Is(err, fault.Invalid) && len(f) > 0
}
