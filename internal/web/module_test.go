package web_test

import (
	"net/http"
	"testing"

	"poststelle/internal/web"
)

// A route of a module is none at a site without it: by no method, with a slash
// too many or not, and whatever its guard would have said.
func TestRule_Module(t *testing.T) {
	guarded := false
	rule := web.Rule{Name: "nobody", Guard: func(web.Handler) web.Handler {
		return func(w http.ResponseWriter, _ *http.Request) error {
			guarded = true
			w.WriteHeader(http.StatusTeapot)
			return nil
		}
	}}
	w := newWorld(t, func(rt *web.Router) { rt.For(rule.Of("blog")).Handle("GET /aktuelles", nil) })
	ask := func(host, method, path string) int {
		w.Host = host
		return w.Do(method, path, "", nil).Status
	}
	for _, x := range []struct {
		method, path string
		on           int
	}{
		{"GET", "/aktuelles", http.StatusTeapot}, {"HEAD", "/aktuelles", http.StatusTeapot}, {"GET", "/en/aktuelles", http.StatusTeapot},
		{"PUT", "/aktuelles", http.StatusMethodNotAllowed}, {"GET", "/aktuelles/", http.StatusTeapot},
	} {
		// The browser follows the redirect of the slash too many.
		if got := ask("musterstadt.example", x.method, x.path); got != x.on {
			t.Errorf("%s %s where the module is on: %d", x.method, x.path, got)
		}
		guarded = false
		if got := ask("betreiber.example", x.method, x.path); got != http.StatusNotFound || guarded {
			t.Errorf("%s %s where it is off: %d, guard asked: %t", x.method, x.path, got, guarded)
		}
	}
}
