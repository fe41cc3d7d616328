package web_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"poststelle/internal/fault"
	"poststelle/internal/web"
)

func sessionRoutes(rt *web.Router) {
	rt.Handle("GET /formular", func(w http.ResponseWriter, r *http.Request) error {
		if _, err := web.StartSession(w, r); err != nil {
			return err
		}
		return web.Render(w, r, 200, web.View{Title: "F", Body: text("F")})
	})
	rt.Handle("GET /lesen/{key}", func(w http.ResponseWriter, r *http.Request) error {
		s := web.SessionOf(r)
		if s == nil {
			return fmt.Errorf("x: %w", fault.NotFound)
		}
		v, _ := s.Get(r.PathValue("key"))
		return web.Render(w, r, 200, web.View{Title: "L", Body: text(string(v))})
	})
	rt.Handle("POST /schreiben", func(w http.ResponseWriter, r *http.Request) error {
		f, err := web.Form(r)
		if err != nil {
			return err
		}
		if err := web.SessionOf(r).Put(f.Get("key"), []byte(f.Get("value"))); err != nil {
			return err
		}
		return web.Redirect(w, r, "/zustand")
	}, web.RequireSession())
	rt.Handle("POST /zaehler", func(w http.ResponseWriter, r *http.Request) error {
		err := web.SessionOf(r).Update("n", func(old []byte) ([]byte, error) {
			n, _ := strconv.Atoi(string(old))
			return []byte(strconv.Itoa(n + 1)), nil
		})
		if err != nil {
			return err
		}
		return web.Redirect(w, r, "/zustand")
	}, web.RequireSession())
	rt.Handle("GET /zustand", func(w http.ResponseWriter, r *http.Request) error {
		return web.Render(w, r, 200, web.View{Title: "Z", Body: text([]string{"none", "ended", "live"}[web.SessionState(r)])})
	})
	rt.Handle("GET /lauschen", func(w http.ResponseWriter, r *http.Request) error {
		return web.Render(w, r, 200, web.View{Title: "Z", Body: text([]string{"none", "ended", "live"}[web.SessionState(r)])})
	}, web.Passive())
	rt.Handle("POST /anmelden", func(w http.ResponseWriter, r *http.Request) error {
		s, err := web.StartSession(w, r)
		if err != nil {
			return err
		}
		if err := s.Rotate(w); err != nil {
			return err
		}
		return web.Redirect(w, r, "/zustand")
	})
	rt.Handle("POST /abmelden", func(w http.ResponseWriter, r *http.Request) error {
		web.SessionOf(r).End(w)
		return web.Redirect(w, r, "/zustand")
	}, web.RequireSession())
}

func TestSession_Cookie(t *testing.T) {
	w := newWorld(t, sessionRoutes)
	p := w.Get("/formular")
	if got := p.Header.Get("Set-Cookie"); !strings.HasPrefix(got, "ps_sitzung=") || !strings.HasSuffix(got, "; Path=/; HttpOnly; SameSite=Lax") {
		t.Errorf("without TLS: Set-Cookie = %q", got)
	}
	w.Secure = true
	w.ClearCookies()
	p = w.Get("/formular")
	got := p.Header.Get("Set-Cookie")
	if !strings.HasPrefix(got, "__Host-ps_sitzung=") || !strings.HasSuffix(got, "; Path=/; HttpOnly; Secure; SameSite=Lax") {
		t.Errorf("with TLS: Set-Cookie = %q", got)
	}
	for _, lasting := range []string{"Max-Age", "Expires", "Domain"} {
		if strings.Contains(got, lasting) {
			t.Errorf("session cookie has %s: %q", lasting, got)
		}
	}
	if len(w.Cookie("__Host-ps_sitzung")) != 43 {
		t.Errorf("id %q is not 32 bytes in base64url", w.Cookie("__Host-ps_sitzung"))
	}
	if p := w.Get("/formular"); p.Header.Get("Set-Cookie") != "" {
		t.Error("a live session sets its cookie again")
	}
	w.CloseBrowser()
	if len(w.Cookies()) != 0 {
		t.Error("the session cookie survives the browser")
	}
}

func TestSession_States(t *testing.T) {
	w := newWorld(t, sessionRoutes)
	state := func() string { return w.Get("/zustand").Text("h1") }
	if got := state(); got != "none" {
		t.Errorf("fresh browser: %s", got)
	}
	w.Get("/formular")
	if got := state(); got != "live" {
		t.Errorf("after the form: %s", got)
	}
	if p := w.PostForm("/schreiben", "key", "a", "value", "1"); p.Status != 200 {
		t.Errorf("post with session: %d", p.Status)
	}
	w.clock.add(29 * time.Minute)
	if got := state(); got != "live" {
		t.Errorf("after 29 minutes: %s", got)
	}
	w.clock.add(29 * time.Minute)
	if got := w.Get("/lesen/a").Text("h1"); got != "1" {
		t.Errorf("value after 58 minutes with a visit between: %q", got)
	}
	w.clock.add(31 * time.Minute)
	p := w.PostForm("/schreiben", "key", "a", "value", "2")
	if p.Status != 403 || p.Text("h1") != "Ihre Sitzung ist beendet" {
		t.Errorf("post after 31 idle minutes: %d %q", p.Status, p.Text("h1"))
	}
	if got := state(); got != "ended" {
		t.Errorf("after 31 idle minutes: %s", got)
	}
	// No cookie at all: the browser refuses them (A29).
	w.ClearCookies()
	w.RefuseCookies = true
	w.Get("/formular")
	p = w.PostForm("/schreiben", "key", "a", "value", "2")
	if p.Status != 403 || p.Text("h1") != "Dafür ist ein Cookie nötig" {
		t.Errorf("post without cookies: %d %q", p.Status, p.Text("h1"))
	}
	// A kept display cookie shows that cookies work.
	w.SetCookie("ps_darstellung", "dunkel")
	if got := state(); got != "ended" {
		t.Errorf("with a display cookie only: %s", got)
	}
}

func TestSession_EndsAfterEightHours(t *testing.T) {
	w := newWorld(t, sessionRoutes)
	w.Get("/formular")
	for range 24 {
		if got := w.Get("/zustand").Text("h1"); got != "live" {
			t.Fatalf("ended early: %s", got)
		}
		w.clock.add(20 * time.Minute)
	}
	if got := w.Get("/zustand").Text("h1"); got != "ended" {
		t.Errorf("after eight hours: %s", got)
	}
}

// TestSession_RotateKeepsTheEnd opens codes as a citizen does, which gives the
// session a new id, and still ends after eight hours.
func TestSession_RotateKeepsTheEnd(t *testing.T) {
	w := newWorld(t, sessionRoutes)
	w.Get("/formular")
	w.PostForm("/schreiben", "key", "a", "value", "1")
	for range 24 {
		if got := w.Get("/lesen/a").Text("h1"); got != "1" {
			t.Fatalf("ended early, or lost its value: %q", got)
		}
		w.clock.add(20 * time.Minute)
		w.PostForm("/anmelden")
	}
	if got := w.Get("/lesen/a"); got.Text("h1") == "1" {
		t.Error("a value outlives eight hours by rotating")
	}
}

// Guards how many sessions a network may begin in a minute (NewPerMinute): one
// network does not fill the memory that all sessions share. Without the limit
// the fourth visit is answered with 200.
func TestSession_NewcomersOfOneNetwork(t *testing.T) {
	w := newWorld(t, sessionRoutes, func(c *web.Config, s *web.SessionConfig) {
		c.TrustedProxies, s.NewPerMinute = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}, 3
	})
	visit := func(from string) int {
		w.ClearCookies()
		w.Header = http.Header{"X-Forwarded-For": {from}}
		return w.Get("/formular").Status
	}
	for i := range 3 {
		if got := visit(fmt.Sprintf("192.0.2.%d", i)); got != 200 {
			t.Fatalf("visit %d: %d", i, got)
		}
	}
	if got := visit("192.0.2.200"); got != 429 {
		t.Errorf("the fourth of one network: %d, want 429", got)
	}
	if got := visit("192.0.3.1"); got != 200 {
		t.Errorf("another network: %d", got)
	}
	if visit("2001:db8:1::1") != 200 || visit("2001:db8:1:2::1") != 200 || visit("2001:db8:1:3::1") != 200 || visit("2001:db8:1:4::1") != 429 {
		t.Error("an IPv6 network is not its /48")
	}
	w.clock.add(time.Minute)
	if got := visit("192.0.2.200"); got != 200 {
		t.Errorf("a minute later: %d", got)
	}
	w.Header = nil
	for range 9 {
		w.ClearCookies()
		w.Get("/formular").Want(200)
	}
}

func TestSession_PassiveRouteDoesNotKeepAlive(t *testing.T) {
	w := newWorld(t, sessionRoutes)
	w.Get("/formular")
	for range 3 {
		w.clock.add(9 * time.Minute)
		if got := w.Get("/lauschen").Text("h1"); got != "live" {
			t.Fatalf("ended early: %s", got)
		}
	}
	w.clock.add(4 * time.Minute)
	if got := w.Get("/zustand").Text("h1"); got != "ended" {
		t.Errorf("polling kept the session: %s", got)
	}
}

func TestSession_BelongsToOneSite(t *testing.T) {
	w := newWorld(t, sessionRoutes)
	w.Get("/formular")
	id := w.Cookie("ps_sitzung")
	w.Host = "beispielingen.localhost"
	w.SetCookie("ps_sitzung", id)
	if got := w.Get("/zustand").Text("h1"); got != "ended" {
		t.Errorf("session of another tenant: %s", got)
	}
	w.Host = "musterstadt.example" // the same site under its other name
	w.SetCookie("ps_sitzung", id)
	if got := w.Get("/zustand").Text("h1"); got != "live" {
		t.Errorf("session under another name of the site: %s", got)
	}
}

func TestSession_FixationAndLogout(t *testing.T) {
	w := newWorld(t, sessionRoutes)
	w.SetCookie("ps_sitzung", strings.Repeat("A", 43)) // planted
	w.Get("/formular")
	before := w.Cookie("ps_sitzung")
	if before == strings.Repeat("A", 43) {
		t.Fatal("a planted id was taken")
	}
	w.PostForm("/schreiben", "key", "a", "value", "kept")
	w.PostForm("/anmelden")
	after := w.Cookie("ps_sitzung")
	if before == after {
		t.Error("id did not change at sign-in")
	}
	if got := w.Get("/lesen/a").Text("h1"); got != "kept" {
		t.Errorf("value after rotation: %q", got)
	}
	thief := w.Other()
	thief.SetCookie("ps_sitzung", before)
	if got := thief.Get("/zustand").Text("h1"); got != "ended" {
		t.Errorf("old id after rotation: %s", got)
	}
	w.NoFollow = true
	p := w.PostForm("/abmelden")
	if p.Header.Get("Clear-Site-Data") != `"cache"` || w.Cookie("ps_sitzung") != "" {
		t.Errorf("logout: Clear-Site-Data %q, cookie %q", p.Header.Get("Clear-Site-Data"), w.Cookie("ps_sitzung"))
	}
	thief.SetCookie("ps_sitzung", after)
	if got := thief.Get("/zustand").Text("h1"); got != "ended" {
		t.Errorf("id after logout: %s", got)
	}
	if n, bytes := w.sessions.Len(); n != 0 || bytes != 0 {
		t.Errorf("left after logout: %d sessions, %d bytes", n, bytes)
	}
}

// A cookie tossed from a sub-domain must not sign anybody out.
func TestSession_CookieTossing(t *testing.T) {
	w := newWorld(t, sessionRoutes)
	w.Get("/formular")
	w.Header.Set("Cookie", "ps_sitzung="+strings.Repeat("A", 43)+"; ps_sitzung="+w.Cookie("ps_sitzung"))
	w.ClearCookies()
	if got := w.Get("/zustand").Text("h1"); got != "live" {
		t.Errorf("with a tossed cookie first: %s", got)
	}
}

// Two tabs that write different values, and one value together, lose nothing.
func TestSession_TwoTabs(t *testing.T) {
	w := newWorld(t, sessionRoutes)
	w.Get("/formular")
	var wg sync.WaitGroup
	for tab := range 4 {
		c := w.Other()
		c.NoFollow = true
		c.SetCookie("ps_sitzung", w.Cookie("ps_sitzung"))
		c.Get("/zustand")
		wg.Go(func() {
			for range 10 {
				c.PostForm("/schreiben", "key", fmt.Sprintf("tab%d", tab), "value", "x")
				c.PostForm("/zaehler")
			}
		})
	}
	wg.Wait()
	if got := w.Get("/lesen/n").Text("h1"); got != "40" {
		t.Errorf("counter = %s, want 40", got)
	}
	for tab := range 4 {
		if got := w.Get(fmt.Sprintf("/lesen/tab%d", tab)).Text("h1"); got != "x" {
			t.Errorf("value of tab %d lost", tab)
		}
	}
}

// OnEnd is told every value left, whichever way the session ends.
func TestSession_OnEnd(t *testing.T) {
	w := newWorld(t, sessionRoutes)
	var mu sync.Mutex
	ended := map[string]int{}
	w.sessions.OnEnd(func(key string, value []byte) {
		mu.Lock()
		defer mu.Unlock()
		ended[key+"="+string(value)]++
	})
	for i, end := range []func(){
		func() { w.PostForm("/abmelden") },
		func() { w.clock.add(time.Hour); w.sessions.Sweep() },
		func() { w.clock.add(time.Hour); w.Get("/zustand") },
		func() { w.sessions.Close() },
	} {
		w.ClearCookies()
		w.Get("/formular")
		w.PostForm("/schreiben", "key", "upload", "value", strconv.Itoa(i))
		end()
		mu.Lock()
		if got := ended["upload="+strconv.Itoa(i)]; got != 1 {
			t.Errorf("end %d: hook called %d times, want once", i, got)
		}
		mu.Unlock()
	}
	if n, bytes := w.sessions.Len(); n != 0 || bytes != 0 {
		t.Errorf("left: %d sessions, %d bytes", n, bytes)
	}
}

func TestSession_Limits(t *testing.T) {
	w := newWorld(t, sessionRoutes, func(_ *web.Config, s *web.SessionConfig) { s.Bytes, s.MemoryBytes = 2000, 4000 })
	w.Get("/formular")
	if p := w.PostForm("/schreiben", "key", "a", "value", strings.Repeat("x", 3000)); p.Status != 413 {
		t.Errorf("value over the limit of a session: %d", p.Status)
	}
	if p := w.PostForm("/schreiben", "key", "a", "value", strings.Repeat("x", 1900)); p.Status != 200 {
		t.Errorf("value within the limit: %d", p.Status)
	}
	if p := w.PostForm("/schreiben", "key", "b", "value", "x"); p.Status != 413 {
		t.Errorf("sum over the limit of a session: %d", p.Status)
	}
	second := w.Other()
	second.Get("/formular")
	if p := second.PostForm("/schreiben", "key", "a", "value", strings.Repeat("x", 1900)); p.Status != 503 {
		t.Errorf("memory of all full: %d, want 503", p.Status)
	}
	third := w.Other()
	third.Get("/formular").Want(200)
	fourth := w.Other()
	if p := fourth.Get("/formular"); p.Status != 503 {
		t.Errorf("no room for a session, none idle: %d, want 503", p.Status)
	}
	// After a minute the empty ones make room; the one with a value stays.
	w.clock.add(2 * time.Minute)
	fourth.Get("/formular").Want(200)
	if got := w.Get("/lesen/a").Text("h1"); len(got) != 1900 {
		t.Error("a session with values was thrown out")
	}
	// Expired sessions with values go first, even in the middle of a write.
	w.clock.add(time.Hour)
	fifth := w.Other()
	fifth.Get("/formular").Want(200)
	fifth.PostForm("/schreiben", "key", "a", "value", strings.Repeat("x", 1900)).Want(200)
	w.clock.add(time.Hour)
	w.sessions.Sweep()
	if n, bytes := w.sessions.Len(); n != 0 || bytes != 0 {
		t.Errorf("left: %d sessions, %d bytes", n, bytes)
	}
}

func TestSession_ValuesAreCopies(t *testing.T) {
	w := newWorld(t, func(rt *web.Router) {
		rt.Handle("GET /x", func(w http.ResponseWriter, r *http.Request) error {
			s, err := web.StartSession(w, r)
			if err != nil {
				return err
			}
			v := []byte("abc")
			if err := s.Put("k", v); err != nil {
				return err
			}
			v[0] = 'X'
			got, _ := s.Get("k")
			got[1] = 'X'
			if again, ok := s.Get("k"); !ok || string(again) != "abc" {
				t.Errorf("stored value changed from outside: %q", again)
			}
			if err := s.Update("k", func([]byte) ([]byte, error) { return nil, errors.New("no") }); err == nil {
				t.Error("error of the update function lost")
			}
			_ = s.Put("k2", []byte("1"))
			if keys := s.Keys("k"); len(keys) != 2 || keys[0] != "k" || keys[1] != "k2" {
				t.Errorf("Keys() = %v", keys)
			}
			s.Delete("k")
			if _, ok := s.Get("k"); ok {
				t.Error("deleted value is there")
			}
			end, final := s.Deadline()
			if final || end.IsZero() {
				t.Errorf("Deadline() = %v, %v", end, final)
			}
			s.End(w)
			if err := s.Put("k", v); !errors.Is(err, fault.Conflict) {
				t.Errorf("Put after End: %v, want Conflict", err)
			}
			if err := s.Rotate(w); !errors.Is(err, fault.Conflict) {
				t.Errorf("Rotate after End: %v, want Conflict", err)
			}
			return web.Redirect(w, r, "/")
		})
	})
	w.NoFollow = true
	w.Get("/x").Want(303)
}

// The memory of access records grows with b.N; it is small.
func BenchmarkSession_Lookup(b *testing.B) {
	w := newWorld(b, sessionRoutes)
	w.Get("/formular")
	r, err := http.NewRequest("GET", "/", nil)
	if err != nil {
		b.Fatal(err)
	}
	r.RequestURI, r.Host, r.RemoteAddr = "/zustand", "localhost", "127.0.0.1:1"
	r.URL.Path = "/zustand"
	r.AddCookie(&http.Cookie{Name: "ps_sitzung", Value: w.Cookie("ps_sitzung")})
	rec := &recorder{header: http.Header{}}
	b.ReportAllocs()
	for b.Loop() { // a whole request with look-up and page
		clear(rec.header)
		w.router.ServeHTTP(rec, r)
	}
	if rec.status != 200 {
		b.Fatal(rec.status)
	}
}
