// Package web is the way from an HTTP request to a domain's handler and back.
//
// A domain registers handlers that return an error; everything else happens
// here, in this order: request id, recovery from panics, security headers,
// checks of the target, host to site (unknown host: 421), path and language,
// method, match, cross-origin protection, body limit and deadlines, handler,
// error page, access record. The package knows no database and no account.
//
// What it keeps true:
//
//   - Every response, errors included, carries the security headers, and a page
//     may run a script only if it was rendered with the nonce of this response.
//   - The access hook is called exactly once for a request, with the pattern of
//     the route and never with the path, which may hold a secret.
//   - A cookie leaves only if it was declared, with a value of its list. See
//     Registry.
//   - Sessions live in memory, or sealed in a Store without persistence, and in
//     no other place. See Sessions.
//   - A form that is posted with a session carries its token, or is served as if
//     there was none. See FormToken.
//   - Nothing of a request is believed that the connection does not show:
//     X-Forwarded-For and -Proto count only from a configured proxy,
//     X-Forwarded-Host never.
//   - An error after the first byte cuts the connection: half a file never
//     looks like a whole one.
//
// What it does not do: sign people in (package account), choose the layout (the
// Layout hook), keep the access log (the Access hook), terminate requests that
// compute for too long (handlers pass on the context).
package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/a-h/templ"

	"poststelle/internal/i18n"
)

// Handler answers a request. A returned error becomes the page of its fault
// kind, unless the response has begun, when it cuts the connection.
type Handler func(w http.ResponseWriter, r *http.Request) error

// Site is what a host name stands for. The app derives it from its directory of
// authorities; ID must not be empty.
type Site struct {
	ID     string
	Kind   string // kind of site, the app's vocabulary
	Name   string
	Origin string // "https://vps.musterstadt.example", for addresses in e-mail; never taken from a request
}

// Config configures a Router. Site, Layout, Catalog, Sessions, Cookies, Log and
// Now are required.
type Config struct {
	// Site finds the site of a host name, which is in lower case and has no
	// port. False answers 421 Misdirected Request.
	Site func(host string) (Site, bool)
	// Has reports whether a site has a module (Rule.Module); nil: none has any.
	Has func(site Site, module string) bool
	// Layout puts a page into the frame of its site. It must not fail for a
	// page without session: error pages go through it as well.
	Layout func(r *http.Request, v View) templ.Component
	// ErrorBody draws the body of an error page; nil draws heading, sentence
	// and id.
	ErrorBody func(r *http.Request, e ErrorView) templ.Component
	Catalog   *i18n.Catalog
	Sessions  *Sessions
	Cookies   *Registry
	// Assets are served under /assets/; nil serves none.
	Assets *Assets
	// Access is called once for every request, after the response.
	Access func(AccessRecord)
	// TLS says that browsers reach the server by https, directly or through a
	// proxy: cookies are Secure and HSTS is sent. Without it the connection
	// decides.
	TLS bool
	// TrustedProxies are the peers whose X-Forwarded-For and -Proto count.
	TrustedProxies []netip.Prefix
	Log            *slog.Logger
	Now            func() time.Time
}

// AccessRecord is what the access hook learns about one request.
type AccessRecord struct {
	ID        string // request id, as on error pages
	Site      Site   // zero for an unknown host
	Method    string
	Route     string // path pattern, with language prefix; "unmatched" if no route was found
	Time      time.Time
	Duration  time.Duration
	Bytes     int64 // of the body
	Status    int
	UserAgent string // at most 512 bytes, as sent
	Referer   string // at most 2048 bytes, as sent
	IP        netip.Addr
}

// Unmatched is the route of a request that matched none.
const Unmatched = "unmatched"

// Router holds the routes and serves them. Register all routes before the first
// request.
type Router struct {
	cfg     Config
	mux     *http.ServeMux
	cop     *http.CrossOriginProtection
	routes  []string
	rules   map[string]string
	modules map[string]string
	langs   []string // prefixes in use, without the reference
	pages   sync.Pool
}

// NewRouter returns a router that serves the assets and POST /anzeige.
func NewRouter(cfg Config) (*Router, error) {
	var missing []string
	for name, absent := range map[string]bool{
		"Site": cfg.Site == nil, "Layout": cfg.Layout == nil, "Catalog": cfg.Catalog == nil,
		"Sessions": cfg.Sessions == nil, "Cookies": cfg.Cookies == nil, "Log": cfg.Log == nil, "Now": cfg.Now == nil,
	} {
		if absent {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		return nil, fmt.Errorf("web: config lacks %s", strings.Join(missing, ", "))
	}
	rt := &Router{cfg: cfg, mux: http.NewServeMux(), cop: http.NewCrossOriginProtection(), rules: map[string]string{}, modules: map[string]string{}}
	for _, lang := range cfg.Catalog.Languages() {
		if lang != i18n.Reference {
			rt.langs = append(rt.langs, lang)
		}
	}
	all := rt.For(Public())
	all.Handle("POST /anzeige", postDisplay)
	if cfg.Assets != nil {
		all.Handle("GET /assets/{file...}", cfg.Assets.get)
	}
	return rt, nil
}

// DefaultBodyLimit is the largest body of a route without BodyLimit. It is far
// above what any field takes, so that who pastes too much gets it back with a
// sentence at the field, not a page that says no.
const DefaultBodyLimit = 4 << 20

type route struct {
	rt          *Router
	pattern     string // path only
	handler     Handler
	rule        Rule
	limit       int64
	needSession bool
	passive     bool
	crossOrigin bool
	anyHost     bool
}

// Option changes how a route is served.
type Option func(*route)

// BodyLimit sets the largest body in bytes. Reading a longer one fails, at once
// where its length was announced; as an error of the handler that is 413.
func BodyLimit(n int64) Option { return func(rt *route) { rt.limit = n } }

// RequireSession answers a request that may change something (POST) but has no
// live session with the page "cookies refused" or "session ended". A handler
// that wants to show again what was posted asks SessionState itself.
func RequireSession() Option { return func(rt *route) { rt.needSession = true } }

// Passive says that a request on this route is no sign of life of a person
// (polling): it does not put off the end of the session.
func Passive() Option { return func(rt *route) { rt.passive = true } }

// CrossOrigin lets other origins post to the route. Only for routes that use no
// cookie: counting, one-click unsubscribing.
func CrossOrigin() Option { return func(rt *route) { rt.crossOrigin = true } }

// AnyHost serves the route on every host, even an unknown one, for which
// SiteOf is then zero. Only for health checks.
func AnyHost() Option { return func(rt *route) { rt.anyHost = true } }

// Handle registers a route, "GET /postfach/{id}", in the syntax of
// http.ServeMux without host; GET serves HEAD too, "GET /" is the start page
// alone. The language prefix is stripped before matching. It panics on a
// malformed or conflicting pattern: a programmer's mistake at start-up.
func (rt *Router) Handle(pattern string, h Handler, opts ...Option) {
	method, path, found := strings.Cut(pattern, " ")
	if !found || !strings.HasPrefix(path, "/") || strings.ToUpper(method) != method {
		panic("web: pattern without method or path: " + pattern)
	}
	if path != "/" && strings.HasSuffix(path, "/") {
		panic("web: pattern ends in a slash: " + pattern)
	}
	r := &route{rt: rt, pattern: path, handler: h, limit: DefaultBodyLimit}
	for _, o := range opts {
		o(r)
	}
	if r.rule.Guard != nil {
		r.handler = r.rule.Guard(h)
	}
	rt.rules[pattern] = r.rule.Name
	if r.rule.Module != "" {
		rt.modules[pattern] = r.rule.Module
	}
	registered := path
	if path == "/" {
		registered = "/{$}"
	}
	rt.mux.Handle(method+" "+registered, r)
	rt.routes = append(rt.routes, pattern)
}

// Routes lists the registered patterns, sorted, for tests that crawl.
func (rt *Router) Routes() []string {
	out := slices.Clone(rt.routes)
	slices.Sort(out)
	return out
}

// methods which a route may be registered for and a client may use.
const methods = " GET HEAD POST PUT PATCH DELETE OPTIONS "

// ServeHTTP serves one request.
func (rt *Router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	sc := rt.newScope(r)
	r = r.WithContext(context.WithValue(r.Context(), scopeKey{}, sc))
	res := &response{ResponseWriter: w, sc: sc, head: r.Method == http.MethodHead, http1: r.ProtoMajor == 1}
	sc.res = res
	res.start()
	setHeaders(res.Header(), sc)
	defer rt.finish(res, r)
	// serve replaces r where the language or the path changes; what the error
	// page needs is in the scope.
	if err := rt.serve(res, r); err != nil {
		rt.fail(res, r, err)
	}
}

// finish runs last, also in a panic: it answers what is unanswered, and reports.
func (rt *Router) finish(res *response, r *http.Request) {
	sc := res.sc
	abort := false
	if p := recover(); p != nil {
		if p == http.ErrAbortHandler {
			abort = true
		} else if away, ok := p.(sessionAway); ok {
			abort = rt.refuseAway(res, r, away.err)
		} else {
			// The value of a panic may repeat content; where it happened cannot.
			rt.cfg.Log.Error("panic in handler", "id", sc.id, "site", sc.site.ID, "route", sc.route,
				"type", fmt.Sprintf("%T", p), "at", callers())
			if res.status == 0 {
				rt.errorPage(res, r, http.StatusInternalServerError, nil)
			} else {
				abort = true
			}
		}
	}
	if res.status == 0 && !abort {
		res.WriteHeader(http.StatusOK)
	}
	rt.report(sc, r, res.status, res.bytes)
	if abort {
		panic(http.ErrAbortHandler)
	}
}

// report tells the access hook about an answered request.
func (rt *Router) report(sc *scope, r *http.Request, status int, bytes int64) {
	if rt.cfg.Access == nil {
		return
	}
	rt.cfg.Access(AccessRecord{ID: sc.id, Site: sc.site, Method: sc.method, Route: sc.route, Time: sc.started,
		Duration: rt.cfg.Now().Sub(sc.started), Bytes: bytes, Status: status,
		UserAgent: head(r.UserAgent(), 512), Referer: head(r.Referer(), 2048), IP: sc.ip})
}

func head(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}

func (rt *Router) serve(res *response, r *http.Request) error {
	sc := res.sc
	// Behind a proxy the absolute form has no use, and the Host header that
	// disagrees with it is gone before a handler could compare; so it is
	// refused, as is "*".
	if r.URL.Scheme != "" || r.URL.Host != "" || !strings.HasPrefix(r.RequestURI, "/") && r.RequestURI != "" || r.RequestURI == "*" {
		return status(http.StatusBadRequest)
	}
	var known bool
	if host, ok := hostName(r.Host); ok {
		sc.site, known = rt.cfg.Site(host)
	}
	if err := checkTarget(r); err != nil {
		return err
	}
	path, err := canonical(r.URL.EscapedPath())
	if err != nil {
		return err
	}
	lang, path := rt.language(path)
	if lang != i18n.Reference {
		sc.setLang(rt.cfg.Catalog.Localizer(lang))
		r = r.WithContext(i18n.With(r.Context(), sc.localizer))
	}
	if !strings.Contains(methods, " "+r.Method+" ") {
		res.Header().Set("Allow", "GET, HEAD, POST")
		return status(http.StatusMethodNotAllowed)
	}
	r, err = withPath(r, path)
	if err != nil {
		return err
	}
	h, pattern := rt.mux.Handler(r)
	matched, ok := h.(*route)
	if !known && (!ok || !matched.anyHost) {
		return status(http.StatusMisdirectedRequest)
	}
	if ok && !rt.has(sc.site, matched) {
		return status(http.StatusNotFound)
	}
	if ok {
		sc.route, sc.matched = sc.prefix()+matched.pattern, matched
		rt.mux.ServeHTTP(res, r)
		return sc.err
	}
	if pattern == "" {
		return rt.unmatched(res, r, h)
	}
	return status(http.StatusNotFound)
}

// unmatched asks the mux's own handler whether another method would have
// matched, and helps with a slash too many.
func (rt *Router) unmatched(res *response, r *http.Request, h http.Handler) error {
	p := probe{header: http.Header{}}
	h.ServeHTTP(&p, r)
	if p.status == http.StatusMethodNotAllowed {
		allowed := rt.allowed(res.sc.site, r, p.header.Get("Allow"))
		if allowed == "" {
			return status(http.StatusNotFound)
		}
		res.Header().Set("Allow", allowed)
		return status(http.StatusMethodNotAllowed)
	}
	shorter, cut := strings.CutSuffix(r.URL.EscapedPath(), "/")
	if cut && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		if r2, err := withPath(r, shorter); err == nil {
			if m, ok := rt.match(r2); ok && rt.has(res.sc.site, m) {
				res.sc.route = res.sc.prefix() + m.pattern
				target := res.sc.prefix() + shorter
				if r.URL.RawQuery != "" {
					target += "?" + r.URL.RawQuery
				}
				res.Header().Set("Location", target)
				res.WriteHeader(http.StatusPermanentRedirect)
				return nil
			}
		}
	}
	return status(http.StatusNotFound)
}

func (rt *Router) match(r *http.Request) (*route, bool) {
	h, _ := rt.mux.Handler(r)
	m, ok := h.(*route)
	return m, ok
}

// allowed are those of the methods of a path for which the site has a route.
func (rt *Router) allowed(site Site, r *http.Request, methods string) string {
	var out []string
	for method := range strings.SplitSeq(methods, ", ") {
		r2 := *r
		r2.Method = method
		if m, ok := rt.match(&r2); ok && rt.has(site, m) {
			out = append(out, method)
		}
	}
	return strings.Join(out, ", ")
}

type probe struct {
	header http.Header
	status int
}

func (p *probe) Header() http.Header         { return p.header }
func (p *probe) Write(b []byte) (int, error) { return len(b), nil }
func (p *probe) WriteHeader(s int)           { p.status = s }

// ServeHTTP runs the handler of a matched route and leaves its error in the
// scope.
func (m *route) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	sc := scopeOf(r.Context())
	sc.err = func() error {
		if r.Body != nil && r.Body != http.NoBody {
			sc.body = newBody(sc.res, r.Body)
			r.Body = http.MaxBytesReader(sc.res, sc.body, m.limit)
			if r.ContentLength > m.limit {
				r.Body = announced{m.limit}
			}
		}
		if !m.crossOrigin {
			if err := m.rt.cop.Check(r); err != nil {
				return &statusError{status: http.StatusForbidden, key: "web.error.origin."}
			}
		}
		if !m.crossOrigin && !safe(r.Method) {
			sc.guard(r)
		}
		if m.needSession && !safe(r.Method) && SessionState(r) != Live {
			return RefuseSession(w, r)
		}
		return m.handler(w, r)
	}()
}

func safe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// hostName returns the host of a Host header in lower case without port.
func hostName(hostport string) (string, bool) {
	host := hostport
	if i := strings.LastIndexByte(hostport, ':'); i >= 0 && !strings.HasSuffix(hostport, "]") {
		host = hostport[:i]
		port := hostport[i+1:]
		if port == "" || len(port) > 5 || strings.Trim(port, "0123456789") != "" {
			return "", false
		}
	}
	host = strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"))
	if host == "" || len(host) > 253 || strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789.-:") != "" {
		return "", false
	}
	return host, true
}

// clientGone tells that an error is only the peer's going away.
func clientGone(r *http.Request, err error) bool {
	return r.Context().Err() != nil && errors.Is(err, context.Canceled)
}
