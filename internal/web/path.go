package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"poststelle/internal/i18n"
)

// checkTarget refuses what no browser sends: control characters and invalid
// UTF-8 in path or query. They would reach SQL and logs otherwise.
func checkTarget(r *http.Request) error {
	if !printable(r.URL.Path, "") {
		return status(http.StatusBadRequest)
	}
	if r.URL.RawQuery == "" {
		return nil
	}
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil || len(q) > 200 {
		return status(http.StatusBadRequest)
	}
	for name, values := range q {
		if !printable(name, "") {
			return status(http.StatusBadRequest)
		}
		for _, v := range values {
			if !printable(v, "\r\n\t") {
				return status(http.StatusBadRequest)
			}
		}
	}
	return nil
}

// printable reports whether s is valid UTF-8 without control characters, but for
// those that are allowed.
func printable(s, allowed string) bool {
	for i := 0; i < len(s); i++ {
		if (s[i] < 0x20 || s[i] == 0x7f) && strings.IndexByte(allowed, s[i]) < 0 {
			return false
		}
	}
	return utf8.ValidString(s)
}

// canonical returns the escaped path if there is only one way to read it. Paths
// with an encoded slash, a backslash, an empty or a dot segment are answered
// with 404: a proxy may read them in another way than the mux.
func canonical(escaped string) (string, error) {
	if !strings.HasPrefix(escaped, "/") {
		return "", status(http.StatusBadRequest)
	}
	lower := strings.ToLower(escaped)
	if strings.Contains(lower, "%2f") || strings.Contains(lower, "%5c") || strings.Contains(lower, "\\") ||
		strings.Contains(escaped, "//") {
		return "", status(http.StatusNotFound)
	}
	for segment := range strings.SplitSeq(strings.ReplaceAll(lower, "%2e", "."), "/") {
		if segment == "." || segment == ".." || strings.HasPrefix(segment, ".;") || strings.HasPrefix(segment, "..;") {
			return "", status(http.StatusNotFound)
		}
	}
	return escaped, nil
}

// language splits the language prefix off a canonical path.
func (rt *Router) language(path string) (lang, rest string) {
	for _, l := range rt.langs {
		if rest, ok := strings.CutPrefix(path, "/"+l); ok && (rest == "" || rest[0] == '/') {
			if rest == "" {
				rest = "/"
			}
			return l, rest
		}
	}
	return i18n.Reference, path
}

// withPath returns r with another escaped path.
func withPath(r *http.Request, escaped string) (*http.Request, error) {
	if escaped == r.URL.EscapedPath() {
		return r, nil
	}
	path, err := url.PathUnescape(escaped)
	if err != nil {
		return nil, status(http.StatusBadRequest)
	}
	r2 := r.WithContext(r.Context())
	u := *r.URL
	u.Path, u.RawPath = path, escaped
	r2.URL = &u
	return r2, nil
}

// LocalPath returns s if it is an address of this very site that any browser
// reads alike: one slash, then a canonical path, then perhaps query and
// fragment. Anything else, an address of another host above all, gives false.
func LocalPath(s string) (string, bool) {
	if len(s) > 2048 || !strings.HasPrefix(s, "/") || strings.HasPrefix(s, "//") || !printable(s, "") || strings.Contains(s, "\\") {
		return "", false
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || !printable(u.Path, "") {
		return "", false
	}
	if _, err := canonical(u.EscapedPath()); err != nil {
		return "", false
	}
	return u.String(), true
}

// Redirect answers 303 See Other and leads to a path of this site in the
// language of the request; a path that has a language prefix keeps it. A path
// that is not local is an internal error.
func Redirect(w http.ResponseWriter, r *http.Request, path string) error {
	sc := scopeOf(r.Context())
	local, ok := LocalPath(path)
	if !ok {
		return fmt.Errorf("web: redirect to a path that is not local")
	}
	rest, _, _ := strings.Cut(local, "?")
	rest, _, _ = strings.Cut(rest, "#")
	if lang, _ := sc.rt.language(rest); lang == i18n.Reference && sc.prefix() != "" {
		if rest == "/" {
			local = sc.prefix() + local[1:]
		} else {
			local = sc.prefix() + local
		}
	}
	w.Header().Set("Location", local)
	w.WriteHeader(http.StatusSeeOther)
	return nil
}
