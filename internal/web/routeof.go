package web

import (
	"net/http"
	"net/url"
)

// RouteOf returns the pattern of the page that a path of a site leads to,
// with its language prefix, or "" if there is none: what may be recorded of a
// previously visited page in place of its address.
func (rt *Router) RouteOf(site Site, path string) string {
	escaped, err := canonical((&url.URL{Path: path}).EscapedPath())
	if err != nil {
		return ""
	}
	lang, rest := rt.language(escaped)
	r, err := http.NewRequest(http.MethodGet, "/", nil)
	if err != nil {
		return ""
	}
	if r, err = withPath(r, rest); err != nil {
		return ""
	}
	m, ok := rt.match(r)
	if !ok || !rt.has(site, m) {
		return ""
	}
	if rest != escaped {
		return "/" + lang + m.pattern
	}
	return m.pattern
}
