package web_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"poststelle/internal/fault"
	"poststelle/internal/web"
	"poststelle/internal/web/webtest"
)

const secretPanic = "geheimer Inhalt"

func standardRoutes(rt *web.Router) {
	rt.Handle("GET /", page("Start"))
	rt.Handle("GET /abholen", page("Abholen"))
	rt.Handle("POST /abholen", page("Abgeholt"))
	rt.Handle("GET /newsletter/abmelden/{token}", page("Abmelden"))
	rt.Handle("GET /404", failing(fmt.Errorf("x: %w", fault.NotFound)))
	rt.Handle("GET /403", failing(fmt.Errorf("x: %w", fault.Denied)))
	rt.Handle("GET /409", failing(fmt.Errorf("x: %w", fault.Conflict)))
	rt.Handle("GET /413", failing(fmt.Errorf("x: %w", fault.TooLarge)))
	rt.Handle("GET /422", failing(fault.With(fault.Invalid, "web.field.long")))
	rt.Handle("GET /429", failing(fmt.Errorf("x: %w", fault.TooMany)))
	rt.Handle("GET /500", failing(errors.New("boom")))
	rt.Handle("GET /503", failing(fmt.Errorf("x: %w", fault.Unavailable)))
	rt.Handle("GET /panic", func(http.ResponseWriter, *http.Request) error { panic(secretPanic) })
	rt.Handle("GET /late-panic", func(w http.ResponseWriter, _ *http.Request) error {
		fmt.Fprint(w, "half")
		panic(secretPanic)
	})
	rt.Handle("GET /late-error", func(w http.ResponseWriter, r *http.Request) error {
		web.Attachment(w, r, "a.pdf", "application/pdf", 10)
		fmt.Fprint(w, "half")
		return errors.New("forged")
	})
	rt.Handle("GET /layout-fails", page("layout fails"))
	rt.Handle("GET /layout-panics", page("layout panics"))
	rt.Handle("GET /bare", func(w http.ResponseWriter, _ *http.Request) error {
		for name := range w.Header() {
			w.Header().Del(name)
		}
		fmt.Fprint(w, "<script>alert(1)</script>")
		return nil
	})
	rt.Handle("GET /script", func(w http.ResponseWriter, r *http.Request) error {
		return web.Render(w, r, 200, web.View{Title: "S", Print: "script"})
	})
	rt.Handle("GET /amt", func(w http.ResponseWriter, r *http.Request) error {
		return web.Render(w, r, 200, web.View{Title: "S", Print: "script", Staff: true})
	})
	rt.Handle("GET /datei", func(w http.ResponseWriter, r *http.Request) error {
		web.Attachment(w, r, "Straße.html", "text/html", 5)
		_, err := io.WriteString(w, "hallo")
		return err
	})
	rt.Handle("GET /weiter", func(w http.ResponseWriter, r *http.Request) error { return web.Redirect(w, r, "/abholen?a=1") })
	rt.Handle("POST /zaehlen", page("gezählt"), web.CrossOrigin())
	rt.Handle("POST /klein", func(w http.ResponseWriter, r *http.Request) error {
		if _, err := web.Form(r); err != nil {
			return err
		}
		return web.Redirect(w, r, "/")
	}, web.BodyLimit(100))
	rt.Handle("GET /healthz", func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}, web.AnyHost())
}

var always = map[string]string{
	"X-Content-Type-Options":       "nosniff",
	"Referrer-Policy":              "same-origin",
	"X-Frame-Options":              "DENY",
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Cross-Origin-Embedder-Policy": "require-corp",
}

const wantCSP = "default-src 'none'; script-src %s; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types %s"

func checkHeaders(t *testing.T, p *webtest.Page) {
	t.Helper()
	for name, want := range always {
		if got := p.Header.Get(name); got != want {
			t.Errorf("%s (%d): %s = %q, want %q", p.Path, p.Status, name, got, want)
		}
	}
	if got := p.Header.Get("Permissions-Policy"); !strings.Contains(got, "camera=()") {
		t.Errorf("%s: Permissions-Policy = %q", p.Path, got)
	}
	if got := p.Header.Get("Content-Security-Policy"); !strings.Contains(got, "default-src 'none'") || strings.Contains(got, "unsafe") {
		t.Errorf("%s: Content-Security-Policy = %q", p.Path, got)
	}
	if got := p.Header.Get("Cache-Control"); got != "no-store" && !strings.Contains(p.Path, "/assets/") {
		t.Errorf("%s: Cache-Control = %q", p.Path, got)
	}
	if got := p.Header.Get("Strict-Transport-Security"); !strings.Contains(got, "max-age=63072000") {
		t.Errorf("%s: Strict-Transport-Security = %q", p.Path, got)
	}
}

// Every route, every error and every refusal carries the headers.
func TestHeaders_OnEveryResponse(t *testing.T) {
	w := newWorld(t, standardRoutes)
	w.NoFollow, w.Secure, w.MayBreak = true, true, true
	for _, route := range w.router.Routes() {
		method, path, _ := strings.Cut(route, " ")
		path = strings.NewReplacer("{token}", "x", "{file...}", "poststelle.css").Replace(path)
		for _, p := range []string{path, "/en" + path} {
			if p == "/late-panic" || p == "/en/late-panic" || strings.HasSuffix(p, "/late-error") {
				continue // the header is gone with the connection
			}
			checkHeaders(t, w.Do(method, p, "", nil))
			checkHeaders(t, w.Do("PUT", p, "", nil))
		}
	}
	for _, p := range []string{"/nichts", "/a//b", "/%2e%2e/x", "/a%00", "/abholen?x=%00", "/abholen/", "/en/nichts"} {
		checkHeaders(t, w.Get(p))
	}
	checkHeaders(t, w.Do("POST", "/klein", "text/plain", bytes.Repeat([]byte("x"), 200)))
	w.Host = "evil.example"
	checkHeaders(t, w.Get("/"))
	w.Secure = false
	if got := w.Get("/").Header.Get("Strict-Transport-Security"); got != "" {
		t.Errorf("HSTS without TLS: %q", got)
	}
}

func TestCSP(t *testing.T) {
	w := newWorld(t, standardRoutes)
	if got, want := w.Get("/").Header.Get("Content-Security-Policy"), fmt.Sprintf(wantCSP, "'none'", "'none'"); got != want {
		t.Errorf("page without scripts:\n%s\nwant\n%s", got, want)
	}
	seen := map[string]bool{}
	for _, path := range []string{"/script", "/amt"} { // nothing makes markup from text, on staff pages neither
		for range 3 {
			p := w.Get(path)
			nonce := p.Attr("script", "nonce")
			if len(nonce) < 22 || seen[nonce] {
				t.Errorf("%s: nonce %q is short or repeated", path, nonce)
			}
			seen[nonce] = true
			if got, want := p.Header.Get("Content-Security-Policy"), fmt.Sprintf(wantCSP, "'nonce-"+nonce+"'", "'none'"); got != want {
				t.Errorf("%s:\n%s\nwant\n%s", path, got, want)
			}
		}
	}
	// A page that stands alone brings its style, which the policy names by hash.
	known := w.Host
	w.Host = "fremd.example"
	alone := w.Get("/")
	_, style, _ := strings.Cut(alone.Body, "<style>")
	style, _, _ = strings.Cut(style, "</style>")
	sum := sha256.Sum256([]byte(style))
	want := fmt.Sprintf(wantCSP, "'none'", "'none'")
	want = strings.Replace(want, "style-src 'self'", "style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'", 1)
	if got := alone.Header.Get("Content-Security-Policy"); got != want || style == "" {
		t.Errorf("page that stands alone:\n%s\nwant\n%s", got, want)
	}
	w.Host = known
	// A handler that wipes the header gets the strictest policy back.
	p := w.Get("/bare")
	if got := p.Header.Get("Content-Security-Policy"); !strings.Contains(got, "script-src 'none'") {
		t.Errorf("wiped header: policy %q", got)
	}
	if got := p.Header.Get("Content-Type"); got != "application/octet-stream" {
		t.Errorf("wiped header: type %q", got)
	}
}

func TestErrors(t *testing.T) {
	w := newWorld(t, standardRoutes)
	for path, want := range map[string]int{
		"/404": 404, "/403": 403, "/409": 409, "/413": 413, "/422": 422, "/429": 429, "/500": 500, "/503": 503,
		"/panic": 500, "/layout-fails": 500, "/layout-panics": 500, "/nichts": 404, "/abholen/x": 404,
	} {
		for _, lang := range []string{"", "/en"} {
			p := w.Get(lang + path)
			if p.Status != want {
				t.Errorf("%s: status %d, want %d", path, p.Status, want)
			}
			if p.Text("h1") == "" || p.Text("main p") == "" {
				t.Errorf("%s: error page without heading or sentence: %q", path, p.Body)
			}
			if (p.Attr("html", "lang") == "en") != (lang == "/en") {
				t.Errorf("%s%s: language %q", lang, path, p.Attr("html", "lang"))
			}
			for _, leak := range []string{"boom", secretPanic, "goroutine", ".go:", "fault"} {
				if strings.Contains(p.Body, leak) {
					t.Errorf("%s: page says %q", path, leak)
				}
			}
			if id := p.Text("main p + p"); want >= 500 && id == "" && !strings.Contains(p.Body, "Kennung") && !strings.Contains(p.Body, "Reference") {
				t.Errorf("%s: no incident id", path)
			}
		}
	}
	if got := w.Get("/422").Text("main p"); got != "Ein Text ist zu lang. Kürzen Sie ihn." {
		t.Errorf("sentence of the fault = %q", got)
	}
	log := w.logged()
	if strings.Contains(log, secretPanic) {
		t.Error("the log repeats the value of a panic")
	}
	if n := strings.Count(log, "route=/panic "); n != 1 {
		t.Errorf("panic logged %d times, want once:\n%s", n, log)
	}
	if !strings.Contains(log, "TestErrors") && !strings.Contains(log, "standardRoutes") {
		t.Error("the log does not say where the panic happened")
	}
}

// The id on the page is the id in the log.
func TestErrors_IncidentID(t *testing.T) {
	w := newWorld(t, standardRoutes)
	p := w.Get("/500")
	_, id, _ := strings.Cut(p.Texts("main p")[1], ": ")
	if len(id) != 12 || !strings.Contains(w.logged(), "id="+id) {
		t.Errorf("id %q of the page is not in the log:\n%s", id, w.logged())
	}
}

// Half a file must not look like a whole one.
func TestErrors_AfterFirstByte(t *testing.T) {
	w := newWorld(t, standardRoutes)
	w.MayBreak = true
	for _, path := range []string{"/late-panic", "/late-error"} {
		if p := w.Get(path); !p.Broken {
			t.Errorf("%s: response %d %q looks complete", path, p.Status, p.Body)
		}
	}
	w.wait(t, 2)
}

func TestRouting(t *testing.T) {
	w := newWorld(t, standardRoutes)
	w.NoFollow = true
	for _, tc := range []struct {
		method, path string
		status       int
		location     string
	}{
		{"GET", "/", 200, ""},
		{"HEAD", "/", 200, ""},
		{"GET", "/en", 200, ""},
		{"GET", "/en/", 200, ""},
		{"GET", "/en/abholen", 200, ""},
		{"GET", "/english", 404, ""},
		{"GET", "/de/abholen", 404, ""},
		{"GET", "/en/en/abholen", 404, ""},
		{"GET", "/abholen/", 308, "/abholen"},
		{"GET", "/en/abholen/?a=b", 308, "/en/abholen?a=b"},
		{"POST", "/abholen/", 404, ""},
		{"GET", "/ABHOLEN", 404, ""},
		{"GET", "/abholen.", 404, ""},
		{"GET", "/abholen;x=1", 404, ""},
		{"GET", "/nichts/..;/abholen", 404, ""},
		{"GET", "/nichts/../abholen", 404, ""},
		{"GET", "/%2e%2e/abholen", 404, ""},
		{"GET", "/./abholen", 404, ""},
		{"GET", "/abholen/.", 404, ""},
		{"GET", "/newsletter/abmelden/a%2fb", 404, ""},
		{"GET", "/newsletter/abmelden/a%5Cb", 404, ""},
		{"GET", "/newsletter/abmelden/a%00b", 400, ""},
		{"GET", "/newsletter/abmelden/a%0d%0aSet-Cookie:x", 400, ""},
		{"GET", "/newsletter/abmelden/%ff", 400, ""},
		{"GET", "/newsletter/abmelden/%c3%a4", 200, ""},
		{"GET", "/abholen?q=%00", 400, ""},
		{"GET", "/abholen?q=%ff", 400, ""},
		{"GET", "/abholen?q=%zz", 400, ""},
		{"GET", "/abholen?q=a;b", 400, ""},
		{"GET", "/abholen?q=a%0Ab", 200, ""},
		{"GET", "/abholen/nested.css", 404, ""},
		{"PUT", "/abholen", 405, ""},
		{"TRACE", "/abholen", 405, ""},
		{"TRACK", "/abholen", 405, ""},
		{"PROPFIND", "/nichts", 405, ""},
		{"POST", "/nichts", 404, ""},
		{"GET", "/weiter", 303, "/abholen?a=1"},
		{"GET", "/en/weiter", 303, "/en/abholen?a=1"},
	} {
		p := w.Do(tc.method, tc.path, "", nil)
		if p.Status != tc.status || p.Header.Get("Location") != tc.location {
			t.Errorf("%s %s = %d %q, want %d %q", tc.method, tc.path, p.Status, p.Header.Get("Location"), tc.status, tc.location)
		}
		if tc.status == 405 && p.Header.Get("Allow") == "" {
			t.Errorf("%s %s: 405 without Allow", tc.method, tc.path)
		}
	}
	w.Header.Set("X-HTTP-Method-Override", "PUT")
	if p := w.Get("/abholen"); p.Status != 200 {
		t.Errorf("method override counts: %d", p.Status)
	}
}

func TestRouter_RefusesSloppyPatterns(t *testing.T) {
	for _, pattern := range []string{"/x", "GET x", "get /x", "GET /x/"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("pattern %q accepted", pattern)
				}
			}()
			newWorld(t, func(rt *web.Router) { rt.Handle(pattern, page("x")) })
		}()
	}
	if _, err := web.NewRouter(web.Config{}); err == nil || !strings.Contains(err.Error(), "Catalog, Cookies, Layout, Log, Now, Sessions, Site") {
		t.Errorf("NewRouter of an empty config: %v", err)
	}
}

func TestHosts(t *testing.T) {
	w := newWorld(t, standardRoutes)
	for host, want := range map[string]int{
		"localhost": 200, "LOCALHOST": 200, "localhost:8080": 200, "musterstadt.example": 200, "beispielingen.localhost": 200,
		"[::1]:80": 200, "evil.example": 421, "localhost.": 421, "localhost.evil.example": 421,
	} {
		w.Host = host
		if p := w.Get("/"); p.Status != want {
			t.Errorf("host %s: %d, want %d", host, p.Status, want)
		}
	}
	w.Host = "localhost"
	w.Header.Set("X-Forwarded-Host", "beispielingen.localhost")
	w.Header.Set("Forwarded", "host=beispielingen.localhost")
	if got := w.Get("/").Text("header"); got != "Stadt Musterstadt" {
		t.Errorf("X-Forwarded-Host counts: site %q", got)
	}
	w.Host = "10.0.0.1"
	if p := w.Get("/healthz"); p.Status != 204 {
		t.Errorf("health check on an unknown host: %d", p.Status)
	}
}

func TestForwarded(t *testing.T) {
	for _, tc := range []struct {
		name    string
		trusted []netip.Prefix
		xff     []string
		want    string
	}{
		{"no proxy trusted", nil, []string{"192.0.2.1"}, "127.0.0.1"},
		{"one hop", loopback, []string{"192.0.2.1"}, "192.0.2.1"},
		{"spoofed left part", loopback, []string{"1.1.1.1, 192.0.2.1"}, "192.0.2.1"},
		{"two headers", loopback, []string{"1.1.1.1", "192.0.2.1"}, "192.0.2.1"},
		{"two proxies", append(slices.Clone(loopback), netip.MustParsePrefix("10.0.0.0/8")), []string{"192.0.2.1, 10.1.2.3"}, "192.0.2.1"},
		{"rubbish", loopback, []string{"192.0.2.1, nonsense"}, "127.0.0.1"},
		{"IPv6", loopback, []string{"2001:db8::1"}, "2001:db8::1"},
		{"mapped", loopback, []string{"::ffff:192.0.2.1"}, "192.0.2.1"},
		{"nothing", loopback, nil, "127.0.0.1"},
	} {
		w := newWorld(t, standardRoutes, func(c *web.Config, _ *web.SessionConfig) { c.TrustedProxies = tc.trusted })
		w.Header["X-Forwarded-For"] = tc.xff
		w.Secure = true
		p := w.Get("/")
		if got := w.lastRecord(t, 1).IP.String(); got != tc.want {
			t.Errorf("%s: IP %s, want %s", tc.name, got, tc.want)
		}
		if hsts := p.Header.Get("Strict-Transport-Security") != ""; hsts != (tc.trusted != nil) {
			t.Errorf("%s: X-Forwarded-Proto believed = %v", tc.name, hsts)
		}
	}
}

func TestCrossOrigin(t *testing.T) {
	w := newWorld(t, standardRoutes)
	for _, tc := range []struct {
		name, site, origin string
		path               string
		want               int
	}{
		{"own form", "same-origin", "http://localhost", "/abholen", 200},
		{"foreign form", "cross-site", "http://evil.example", "/abholen", 403},
		{"other tenant", "same-site", "http://beispielingen.localhost", "/abholen", 403},
		{"old browser, foreign origin", "", "http://evil.example", "/abholen", 403},
		{"old browser, null origin", "", "null", "/abholen", 403},
		{"typed address", "none", "", "/abholen", 200},
		{"no browser", "", "", "/abholen", 200},
		{"open route", "cross-site", "http://evil.example", "/zaehlen", 200},
	} {
		w.Header = http.Header{"Sec-Fetch-Site": {tc.site}, "Origin": {tc.origin}}
		for k, v := range w.Header {
			if v[0] == "" {
				w.Header[k] = nil
			}
		}
		p := w.Do("POST", tc.path, "text/plain", []byte("{}"))
		if p.Status != tc.want {
			t.Errorf("%s: %d, want %d", tc.name, p.Status, tc.want)
		}
		if tc.want == 403 && !p.Contains("fremden Seite") {
			t.Errorf("%s: page says %q", tc.name, p.Text("main"))
		}
	}
}

func TestAccess(t *testing.T) {
	w := newWorld(t, standardRoutes)
	w.NoFollow, w.MayBreak = true, true
	w.Header.Set("Referer", "http://localhost/vorher")
	for i, tc := range []struct {
		method, path, route string
		status              int
	}{
		{"GET", "/", "/", 200},
		{"HEAD", "/", "/", 200},
		{"GET", "/en/newsletter/abmelden/geheim", "/en/newsletter/abmelden/{token}", 200},
		{"GET", "/geheim/xyz", "unmatched", 404},
		{"PUT", "/abholen", "unmatched", 405},
		{"GET", "/a%00", "unmatched", 400},
		{"GET", "/abholen/", "/abholen", 308},
		{"GET", "/assets/poststelle.css", "/assets/{file...}", 200},
		{"GET", "/assets/nichts.css", "/assets/{file...}", 404},
		{"GET", "/panic", "/panic", 500},
		{"GET", "/late-panic", "/late-panic", 200},
		{"POST", "/klein", "/klein", 303},
		{"TRACE", "/abholen", "unmatched", 405},
	} {
		p := w.Do(tc.method, tc.path, "application/x-www-form-urlencoded", nil)
		rec := w.lastRecord(t, i+1)
		if rec.Route != tc.route || rec.Status != tc.status || rec.Method != tc.method {
			t.Errorf("%s %s: recorded %s %s %d, want %s %d", tc.method, tc.path, rec.Method, rec.Route, rec.Status, tc.route, tc.status)
		}
		if !p.Broken && rec.Bytes != int64(len(p.Body)) {
			t.Errorf("%s %s: recorded %d bytes, sent %d", tc.method, tc.path, rec.Bytes, len(p.Body))
		}
		if rec.UserAgent != "webtest" || rec.Referer != "http://localhost/vorher" || rec.Site.ID != "muster" || rec.ID == "" || rec.Time.IsZero() {
			t.Errorf("record incomplete: %+v", rec)
		}
		if strings.Contains(fmt.Sprintf("%+v", rec), "geheim") {
			t.Errorf("record holds the secret of the path: %+v", rec)
		}
	}
	w.Host = "evil.example"
	w.Get("/abholen")
	if rec := w.lastRecord(t, 14); rec.Status != 421 || rec.Site.ID != "" || rec.Route != "unmatched" {
		t.Errorf("unknown host: %+v", rec)
	}
}

func TestBodyLimit(t *testing.T) {
	w := newWorld(t, standardRoutes)
	big := []byte("a=" + strings.Repeat("x", 200))
	if p := w.Do("POST", "/klein", "application/x-www-form-urlencoded", big); p.Status != 413 || p.Text("h1") != "Das ist zu groß" {
		t.Errorf("announced body over the limit: %d %q", p.Status, p.Text("h1"))
	}
	for referer, want := range map[string]string{
		"": "", "http://localhost/weiter?e=1": "/weiter?e=1", "http://localhost/en/weiter": "/en/weiter",
		"http://elsewhere.example/weiter": "", "http://localhost/klein": "", "http://localhost//weiter": "",
	} {
		w.Header.Set("Referer", referer)
		if p := w.Do("POST", "/klein", "application/x-www-form-urlencoded", big); p.Attr("main a.kern-link", "href") != want {
			t.Errorf("from %q the way back is %q, want %q", referer, p.Attr("main a.kern-link", "href"), want)
		}
	}
	w.Header.Del("Referer")
	w.NoFollow = true
	if p := w.PostForm("/klein", "a", "b"); p.Status != 303 {
		t.Errorf("small body: %d", p.Status)
	}
}

func TestLocalPath(t *testing.T) {
	for in, want := range map[string]string{
		"/":                      "/",
		"/abholen":               "/abholen",
		"/en/abholen?a=b&c=d#x":  "/en/abholen?a=b&c=d#x",
		"/nachricht/1?q=%2F%2Fx": "/nachricht/1?q=%2F%2Fx",
	} {
		if got, ok := web.LocalPath(in); !ok || got != want {
			t.Errorf("LocalPath(%q) = %q, %v; want %q", in, got, ok, want)
		}
	}
	for _, evil := range []string{
		"", "//evil.example", "///evil.example", `\\evil.example`, `/\evil.example`, "/%09/evil.example", "/\t/evil.example",
		"https:evil.example", "https://evil.example", "http:/evil", "javascript:alert(1)", " /x", "x", "?a=b", "#x", "/..//evil", "/../x",
		"/%2f%2fevil.example", "/%5cevil.example", "/a\r\nSet-Cookie: x", "/a\x00", "/.//evil.example", "/\u0000", "@evil.example",
		"/%2e%2e/x", "/" + strings.Repeat("a", 3000),
	} {
		if got, ok := web.LocalPath(evil); ok {
			t.Errorf("LocalPath(%q) = %q, want refused", evil, got)
		}
	}
}

func FuzzLocalPath(f *testing.F) {
	for _, s := range []string{"/", "//evil", `/\evil`, "/a?b#c", "/%2f", "/\t/x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := web.LocalPath(s)
		if !ok {
			return
		}
		if got[0] != '/' || len(got) > 1 && (got[1] == '/' || got[1] == '\\') || strings.ContainsAny(got, "\r\n\t\x00\\") {
			t.Errorf("LocalPath(%q) = %q", s, got)
		}
	})
}

// The path checks never panic and let no path through that the mux would clean.
func FuzzPath(f *testing.F) {
	for _, s := range []string{"/", "/en/abholen", "/a/../b", "/%2e%2e", "/a//b", "/newsletter/abmelden/x", "/\xff", "/a%"} {
		f.Add(s, "GET", "localhost")
	}
	w := newWorld(f, standardRoutes)
	f.Fuzz(func(t *testing.T, path, method, host string) {
		req, err := http.NewRequest(method, "http://localhost", nil)
		if err != nil {
			return
		}
		u, err := req.URL.Parse("http://localhost" + path)
		if err != nil || u.Host != "localhost" {
			return
		}
		req.URL.Path, req.URL.RawPath, req.URL.RawQuery = u.Path, u.RawPath, u.RawQuery
		req.URL.Scheme, req.URL.Host, req.RequestURI, req.Host = "", "", path, host
		rec := &recorder{header: http.Header{}}
		defer func() {
			if p := recover(); p != nil && p != http.ErrAbortHandler {
				t.Errorf("%s %q: panic %v", method, path, p)
			}
		}()
		w.router.ServeHTTP(rec, req)
		if rec.status == http.StatusTemporaryRedirect || rec.status == http.StatusMovedPermanently {
			t.Errorf("%s %q: the mux redirected to %q", method, path, rec.header.Get("Location"))
		}
		if loc := rec.header.Get("Location"); loc != "" {
			if _, ok := web.LocalPath(loc); !ok {
				t.Errorf("%s %q: redirect to %q", method, path, loc)
			}
		}
	})
}

type recorder struct {
	header http.Header
	status int
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) Write(b []byte) (int, error) { return len(b), nil }
func (r *recorder) WriteHeader(s int)           { r.status = s }
