package web_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/a-h/templ"

	"poststelle/internal/i18n"
	"poststelle/internal/web"
	"poststelle/internal/web/ui"
	"poststelle/internal/web/webtest"
)

// world is a router with everything around it, for one test.
type world struct {
	*webtest.Client
	router   *web.Router
	sessions *web.Sessions
	clock    *clock
	log      *bytes.Buffer

	mu      sync.Mutex
	records []web.AccessRecord
}

type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

type option func(*web.Config, *web.SessionConfig)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}

func newWorld(t testing.TB, routes func(*web.Router), opts ...option) *world {
	t.Helper()
	// Deadlines of connections use this clock, so it must not lie in the past.
	w := &world{clock: &clock{t: time.Now()}, log: &bytes.Buffer{}}
	catalog, err := i18n.Load()
	if err != nil {
		t.Fatal(err)
	}
	cookies, err := web.NewRegistry(append(web.OwnCookies(),
		web.Cookie{Name: "ps_amt", Class: web.Technical, Purpose: "web.cookie.session", Strict: true},
		web.Cookie{Name: "ps_nichtzaehlen", Class: web.Objection, Purpose: "web.cookie.session", Values: []string{"1"}, Lifetime: 365 * 24 * time.Hour, Kinds: []string{"operator"}})...)
	if err != nil {
		t.Fatal(err)
	}
	assets, err := web.NewAssets(testAssets)
	if err != nil {
		t.Fatal(err)
	}
	cfg := web.Config{
		Site: func(host string) (web.Site, bool) {
			switch host {
			case "localhost", "musterstadt.example":
				return web.Site{ID: "muster", Name: "Stadt Musterstadt"}, true
			case "beispielingen.localhost", "::1":
				return web.Site{ID: "beispiel", Name: "Gemeinde Beispielingen"}, true
			case "betreiber.example":
				return web.Site{ID: "betreiber", Kind: "operator", Name: "Betreiber"}, true
			}
			return web.Site{}, false
		},
		Has: func(site web.Site, module string) bool { return site.ID == "muster" && module == "blog" },
		Layout: func(r *http.Request, v web.View) templ.Component {
			return templ.ComponentFunc(func(ctx context.Context, out io.Writer) error {
				if v.Title == "layout fails" {
					return errors.New("layout")
				}
				if v.Title == "layout panics" {
					panic("layout")
				}
				fmt.Fprintf(out, `<!DOCTYPE html><html lang="%s"><head><title>%s</title></head><body><header>%s</header><main>`,
					i18n.Lang(ctx), templ.EscapeString(v.Title), web.SiteOf(ctx).Name)
				if token := web.FormToken(r); token != "" {
					fmt.Fprintf(out, `<input type="hidden" name="%s" value="%s">`, ui.GuardField, token)
				}
				if v.Body != nil {
					if err := v.Body.Render(ctx, out); err != nil {
						return err
					}
				}
				if v.Print == "script" {
					fmt.Fprintf(out, `<script nonce="%s"></script>`, templ.GetNonce(ctx))
				}
				_, err := io.WriteString(out, `</main></body></html>`)
				return err
			})
		},
		Catalog: catalog, Cookies: cookies, Assets: assets, TrustedProxies: loopback,
		Log: slog.New(slog.NewTextHandler(&lockedWriter{w: w.log, mu: &w.mu}, nil)), Now: w.clock.now,
		Access: func(r web.AccessRecord) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.records = append(w.records, r)
		},
	}
	sc := web.SessionConfig{Now: w.clock.now}
	for _, o := range opts {
		o(&cfg, &sc)
	}
	w.sessions = web.NewSessions(sc)
	cfg.Sessions = w.sessions
	if w.router, err = web.NewRouter(cfg); err != nil {
		t.Fatal(err)
	}
	if routes != nil {
		routes(w.router)
	}
	w.Client = webtest.New(t, w.router)
	return w
}

type lockedWriter struct {
	w  io.Writer
	mu *sync.Mutex
}

func (l *lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

func (w *world) logged() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.String()
}

// lastRecord waits until n records are there, since the hook runs after the
// response, and returns the last.
func (w *world) lastRecord(t *testing.T, n int) web.AccessRecord {
	t.Helper()
	all := w.wait(t, n)
	return all[len(all)-1]
}

func (w *world) wait(t *testing.T, n int) []web.AccessRecord {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); ; {
		w.mu.Lock()
		all := slices.Clone(w.records)
		w.mu.Unlock()
		if len(all) == n {
			return all
		}
		if len(all) > n || time.Now().After(deadline) {
			t.Fatalf("%d access records, want %d: %+v", len(all), n, all)
		}
	}
}

var testAssets = fstest.MapFS{
	"poststelle.css":   {Data: []byte(strings.Repeat("body{color:red}\n", 200))},
	"fonts/fira.woff2": {Data: []byte("wOF2")},
	".gitkeep":         {Data: []byte("x")},
}

func raw(s string) templ.Component {
	return templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
		_, err := io.WriteString(w, s)
		return err
	})
}

func text(s string) templ.Component {
	return templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
		_, err := io.WriteString(w, "<h1>"+templ.EscapeString(s)+"</h1>")
		return err
	})
}

func page(title string) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		return web.Render(w, r, http.StatusOK, web.View{Title: title, Body: text(title)})
	}
}

func failing(err error) web.Handler {
	return func(http.ResponseWriter, *http.Request) error { return err }
}
