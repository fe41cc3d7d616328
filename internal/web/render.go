package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"poststelle/internal/fault"
	"poststelle/internal/i18n"
	"poststelle/internal/web/ui"
)

// View is one page, as handed to Config.Layout. Only Title and Body are needed.
type View struct {
	Title   string // text of the h1 without the name of the product
	Body    templ.Component
	Errors  int    // number of field errors: the title begins with "Fehler:"
	Staff   bool   // staff page: wide frame, keys
	Narrow  bool   // staff page that is a form
	FocusH1 bool   // the h1 takes the focus
	NoIndex bool   // not for search engines
	Print   string // class for a print layout
	Section string // current entry of the navigation, the app's vocabulary
	Status  int    // set by Render
}

// Render draws the page into its frame and writes it with the status. Nothing
// is written when drawing fails. Scripts run only if the page carries the nonce
// of this response; a page without gets script-src 'none'.
func Render(w http.ResponseWriter, r *http.Request, status int, v View) error {
	sc := scopeOf(r.Context())
	v.Status = status
	page := sc.rt.buffer()
	defer sc.rt.release(page)
	if err := sc.rt.cfg.Layout(r, v).Render(sc.drawing(r), page); err != nil {
		return fmt.Errorf("web: page on %s: %w", sc.route, err)
	}
	return writePage(w, sc, status, page.Bytes())
}

// drawing is the context of a page: with the nonce of its scripts and the token
// of its forms.
func (sc *scope) drawing(r *http.Request) context.Context {
	sc.look(r)
	return ui.WithGuard(templ.WithNonce(r.Context(), sc.nonce), sc.formToken())
}

// buffer returns an empty buffer for a page; release takes it back, unless it
// has grown beyond what pages need.
func (rt *Router) buffer() *bytes.Buffer {
	if b, ok := rt.pages.Get().(*bytes.Buffer); ok {
		b.Reset()
		return b
	}
	return bytes.NewBuffer(make([]byte, 0, 32<<10))
}

func (rt *Router) release(b *bytes.Buffer) {
	if b.Cap() <= 256<<10 {
		clear(b.Bytes()) // the next page is somebody else's
		rt.pages.Put(b)
	}
}

func writePage(w http.ResponseWriter, sc *scope, status int, page []byte) error {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(page)))
	if bytes.Contains(page, []byte(sc.nonce)) {
		h.Set("Content-Security-Policy", csp(sc.nonce))
	} else {
		h.Set("Content-Security-Policy", cspNone)
	}
	w.WriteHeader(status)
	_, _ = w.Write(page) // a peer that is gone needs no answer
	return nil
}

// statusError is an answer that no fault kind describes.
type statusError struct {
	status int
	key    string // prefix of title and text, "" for those of the status
}

func status(code int) error { return &statusError{status: code} }

func (e *statusError) Error() string { return "status " + strconv.Itoa(e.status) }

// ErrorView is what an error page shows.
type ErrorView struct {
	Status int
	Title  string // heading
	Text   string // what the person can do
	ID     string // incident id; set for 500 and 503
	Back   string // address of the form that was refused with 413, "" if it has no page
}

var kindStatus = map[fault.Kind]int{
	fault.Internal: 500, fault.NotFound: 404, fault.Denied: 403, fault.Invalid: 422,
	fault.Conflict: 409, fault.Unavailable: 503, fault.TooLarge: 413, fault.TooMany: 429,
}

// StatusOf returns the HTTP status of an error from a handler.
func StatusOf(err error) int {
	if se, ok := errors.AsType[*statusError](err); ok {
		return se.status
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return http.StatusRequestEntityTooLarge
	}
	if kind := fault.KindOf(err); kind != fault.Internal {
		return kindStatus[kind]
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// fail answers a request whose handler returned an error, and logs what is our
// fault, once.
func (rt *Router) fail(res *response, r *http.Request, err error) {
	sc := res.sc
	code := StatusOf(err)
	gone := clientGone(r, err)
	if gone {
		code = http.StatusBadRequest
		rt.cfg.Log.Debug("client went away", "id", sc.id, "site", sc.site.ID, "route", sc.route)
	}
	if !gone && (code >= 500 || res.status != 0) {
		rt.cfg.Log.Error("request failed", "id", sc.id, "site", sc.site.ID, "route", sc.route, "status", code, "err", err)
	}
	if res.status != 0 {
		panic(http.ErrAbortHandler) // half a response must not look whole
	}
	rt.errorPage(res, r, code, err)
}

func (rt *Router) errorPage(res *response, r *http.Request, code int, err error) {
	sc := res.sc
	ctx := context.WithoutCancel(r.Context()) // who has closed one side may still read
	if sc.localizer != nil {
		ctx = i18n.With(ctx, sc.localizer)
	}
	r = r.WithContext(ctx)
	h := res.Header()
	for _, name := range [...]string{"Content-Length", "Content-Disposition", "Content-Encoding", "ETag", "Last-Modified"} {
		h.Del(name)
	}
	h.Set("Cache-Control", "no-store")
	switch code {
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		if h.Get("Retry-After") == "" {
			h.Set("Retry-After", "30")
		}
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge:
		if res.http1 {
			h.Set("Connection", "close")
		}
	}
	name := "web.error." + strconv.Itoa(code) + "."
	e := ErrorView{Status: code, Title: i18n.T(ctx, name+"title"), Text: i18n.T(ctx, name+"text")}
	if se, ok := errors.AsType[*statusError](err); ok && se.key != "" {
		e.Title, e.Text = i18n.T(ctx, se.key+"title"), i18n.T(ctx, se.key+"text")
	} else if fe, ok := errors.AsType[*fault.Error](err); ok && fe.Key != "" {
		e.Text = ui.Spelled(i18n.T(ctx, fe.Key, fe.Args...))
	}
	if code >= 500 {
		e.ID = sc.id
	}
	if code == http.StatusRequestEntityTooLarge {
		e.Back = rt.pageOf(r)
	}
	if !rt.framed(res, r, e) {
		bare(res, ctx, e)
	}
}

// framed draws the error page in the frame of the site. It reports false when
// that is impossible: no site, or the frame itself is what fails.
func (rt *Router) framed(res *response, r *http.Request, e ErrorView) (ok bool) {
	if res.sc.site.ID == "" {
		return false
	}
	defer func() {
		if p := recover(); p != nil {
			rt.cfg.Log.Error("panic in error page", "id", res.sc.id, "type", fmt.Sprintf("%T", p), "at", callers())
			ok = res.status != 0
		}
	}()
	c := errorBody(e)
	if rt.cfg.ErrorBody != nil {
		c = rt.cfg.ErrorBody(r, e)
	}
	if t := res.sc.typed; t != nil && res.sc.away != nil && e.Status == http.StatusServiceUnavailable {
		c = t.body(c)
	}
	if err := Render(res, r, e.Status, View{Title: e.Title, Body: c, NoIndex: true}); err != nil {
		rt.cfg.Log.Error("error page failed", "id", res.sc.id, "route", res.sc.route, "err", err)
		return false
	}
	return true
}

func errorBody(e ErrorView) templ.Component {
	return templ.ComponentFunc(func(ctx context.Context, w io.Writer) error {
		s := `<h1 class="kern-heading-large">` + html.EscapeString(e.Title) + `</h1><p class="kern-body">` + html.EscapeString(e.Text) + `</p>`
		if e.ID != "" {
			s += `<p class="kern-body">` + html.EscapeString(i18n.T(ctx, "web.error.id", "id", e.ID)) + `</p>`
		}
		if e.Back != "" {
			s += `<p class="kern-body"><a class="kern-link" href="` + html.EscapeString(e.Back) + `">` + html.EscapeString(i18n.T(ctx, "web.error.back")) + `</a></p>`
		}
		_, err := io.WriteString(w, s)
		return err
	})
}

// bareStyle is the look of a page that stands alone: whatever else is missing,
// it comes with the page, allowed by its hash.
const bareStyle = `:root{color-scheme:light dark}body{max-width:38rem;margin:0 auto;padding:4rem 1.25rem;font:1.125rem/1.6 "Fira Sans",system-ui,sans-serif}h1{font-size:1.75rem;line-height:1.25}`

// pageOf returns the address of the page that a form was posted from: where the
// browser says it came from, otherwise the one with the address of the form; ""
// if neither is a page of this site.
func (rt *Router) pageOf(r *http.Request) string {
	for _, s := range []string{r.Referer(), r.RequestURI} {
		u, err := url.Parse(s)
		if err != nil || u.Host != "" && u.Host != r.Host {
			continue
		}
		_, path := rt.language(u.EscapedPath())
		plain, err := url.PathUnescape(path)
		if err != nil {
			continue
		}
		get := &http.Request{Method: http.MethodGet, URL: &url.URL{Path: plain, RawPath: path}}
		if m, ok := rt.match(get); !ok || !rt.has(scopeOf(r.Context()).site, m) {
			continue
		}
		if local, ok := LocalPath((&url.URL{Path: u.Path, RawPath: u.RawPath, RawQuery: u.RawQuery}).String()); ok {
			return local
		}
	}
	return ""
}

// bare writes an error page that needs no site and no stylesheet.
func bare(res *response, ctx context.Context, e ErrorView) {
	var b bytes.Buffer
	b.WriteString(`<!DOCTYPE html><html lang="` + html.EscapeString(i18n.Lang(ctx)) + `"><head><meta charset="utf-8">` +
		`<meta name="viewport" content="width=device-width, initial-scale=1"><title>` + html.EscapeString(e.Title) + `</title><style>` + bareStyle + `</style></head><body><main>`)
	_ = errorBody(e).Render(ctx, &b)
	b.WriteString(`</main></body></html>`)
	_ = writePage(barePolicy{res}, res.sc, e.Status, b.Bytes())
}

// barePolicy allows the style of a bare page, and no other.
type barePolicy struct{ http.ResponseWriter }

func (p barePolicy) WriteHeader(status int) {
	sum := sha256.Sum256([]byte(bareStyle))
	hash := "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	p.Header().Set("Content-Security-Policy", strings.Replace(cspNone, "style-src 'self'", "style-src "+hash, 1))
	p.ResponseWriter.WriteHeader(status)
}

// RefuseSession answers a posted form that needs a session and has none: with
// the page "cookies refused" if the browser sent no cookie of ours at all (the
// form page had set one), otherwise with "session ended".
func RefuseSession(w http.ResponseWriter, r *http.Request) error {
	key := "web.session.ended."
	if SessionState(r) == None {
		key = "web.session.refused."
	}
	return &statusError{status: http.StatusForbidden, key: key}
}

// RetryAfter sets the header for an answer 429 or 503, in whole seconds.
func RetryAfter(w http.ResponseWriter, d time.Duration) {
	w.Header().Set("Retry-After", strconv.Itoa(max(1, int(d.Round(time.Second)/time.Second))))
}
