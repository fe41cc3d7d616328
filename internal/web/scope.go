package web

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/netip"
	"runtime"
	"strconv"
	"strings"
	"time"

	"poststelle/internal/i18n"
)

// scope is what the stack knows about one request. It belongs to the goroutine
// of the request.
type scope struct {
	rt        *Router
	id        string
	nonce     string
	site      Site
	method    string
	route     string
	matched   *route
	ip        netip.Addr
	secure    bool
	started   time.Time
	lang      string
	localizer *i18n.Localizer
	res       *response
	body      *body // of the request, nil if there is none
	expects   bool  // the client waits for 100 Continue before it sends the body
	err       error

	cookies []string // Set-Cookie lines written by the registry
	session *Session
	hidden  *Session // live, but the form came without its token
	state   State
	looked  bool
	away    error    // why no session can be found now
	guarded bool     // a post, which needs the token of its session
	token   string   // what it brought
	typed   *typed   // its texts, while sessions are away
	drawn   struct { // the token of the forms of this page
		of    *Session
		token string
	}
}

type scopeKey struct{}

// scopeOf panics outside a request of a Router, which is a programmer's mistake.
func scopeOf(ctx context.Context) *scope {
	sc, ok := ctx.Value(scopeKey{}).(*scope)
	if !ok {
		panic("web: context does not come from a web.Router")
	}
	return sc
}

func (rt *Router) newScope(r *http.Request) *scope {
	sc := &scope{rt: rt, id: rand.Text()[:12], nonce: rand.Text(), method: knownMethod(r.Method),
		route: Unmatched, started: rt.cfg.Now(), lang: i18n.Reference, expects: r.Header.Get("Expect") != ""}
	sc.ip, sc.secure = rt.peer(r)
	return sc
}

// knownMethod keeps invented methods out of the log.
func knownMethod(m string) string {
	if strings.Contains(methods+"TRACE CONNECT ", " "+m+" ") {
		return m
	}
	return "OTHER"
}

func (sc *scope) setLang(l *i18n.Localizer) { sc.lang, sc.localizer = l.Lang(), l }

func (sc *scope) prefix() string {
	if sc.lang == i18n.Reference {
		return ""
	}
	return "/" + sc.lang
}

// peer returns the address of the client and whether it came by https.
func (rt *Router) peer(r *http.Request) (netip.Addr, bool) {
	secure := rt.cfg.TLS || r.TLS != nil
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}, secure
	}
	addr := ap.Addr().Unmap().WithZone("")
	if !rt.trusted(addr) {
		return addr, secure
	}
	if r.Header.Get("X-Forwarded-Proto") == "https" {
		secure = true
	}
	// From the right: each trusted hop vouches for the one before it.
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		addr = hop.Unmap().WithZone("")
		if !rt.trusted(addr) {
			break
		}
	}
	return addr, secure
}

func (rt *Router) trusted(a netip.Addr) bool {
	for _, p := range rt.cfg.TrustedProxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// SiteOf returns the site of the request. It is zero only on an AnyHost route.
func SiteOf(ctx context.Context) Site { return scopeOf(ctx).site }

// RequestID returns the id that an error page shows and the log carries.
func RequestID(ctx context.Context) string { return scopeOf(ctx).id }

// Nonce returns the script nonce of the response; Render puts it into the
// context for templ as well.
func Nonce(ctx context.Context) string { return scopeOf(ctx).nonce }

// ClientIP returns the address of the client, as far as trusted proxies vouch
// for it; the zero Addr on a Unix socket.
func ClientIP(ctx context.Context) netip.Addr { return scopeOf(ctx).ip }

// RoutePattern returns the path pattern of the request, with language prefix:
// what may be logged in place of the path.
func RoutePattern(ctx context.Context) string { return scopeOf(ctx).route }

// Secure reports whether the browser came by https.
func Secure(ctx context.Context) bool { return scopeOf(ctx).secure }

// callers names the frames of a panic, innermost first, without values.
func callers() []string {
	pc := make([]uintptr, 32)
	frames := runtime.CallersFrames(pc[:runtime.Callers(3, pc)])
	var out []string
	for {
		f, more := frames.Next()
		if !strings.HasPrefix(f.Function, "runtime.") {
			out = append(out, f.Function+":"+strconv.Itoa(f.Line))
		}
		if !more || len(out) == 12 {
			return out
		}
	}
}
