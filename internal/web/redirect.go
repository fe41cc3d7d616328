package web

import (
	"net"
	"net/http"
	"slices"
	"strconv"
)

// RedirectHTTPS leads plain requests for a host of a site to the same address by
// https; port is that of the https server, 443 stays unsaid. Only GET and HEAD
// are led on: a form posted in the clear is refused, so that nobody gets used to
// it. Each request is reported to Config.Access, under the page that it asks for.
func (rt *Router) RedirectHTTPS(port int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sc := rt.newScope(r)
		host, known := hostName(r.Host)
		if known {
			sc.site, known = rt.cfg.Site(host)
		}
		path, err := canonical(r.URL.EscapedPath())
		code := http.StatusMovedPermanently
		switch {
		case r.URL.Host != "" || err != nil || checkTarget(r) != nil:
			code = http.StatusBadRequest
		case !known:
			code = http.StatusMisdirectedRequest
		case !slices.Contains([]string{http.MethodGet, http.MethodHead}, r.Method):
			code = http.StatusForbidden
		default:
			w.Header().Set("Location", secured(host, port, path, r.URL.RawQuery))
		}
		for _, f := range fixedHeaders {
			w.Header().Set(f[0], f[1])
		}
		w.Header().Set("Content-Security-Policy", cspNone)
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Content-Length", "0")
		w.WriteHeader(code)
		if asked := rt.RouteOf(sc.site, r.URL.Path); known && err == nil && asked != "" {
			sc.route = asked
		}
		rt.report(sc, r, code, 0)
	})
}

// secured is the address by https.
func secured(host string, port int, path, query string) string {
	if port != 443 {
		host = net.JoinHostPort(host, strconv.Itoa(port))
	}
	if query != "" {
		query = "?" + query
	}
	return "https://" + host + path + query
}
