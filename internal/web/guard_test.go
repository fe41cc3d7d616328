package web_test

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"time"

	"poststelle/internal/web"
	"poststelle/internal/web/ui"
	"poststelle/internal/web/valkey"
	"poststelle/internal/web/valkey/valkeytest"
)

// A post without the token of its session can do nothing with the session,
// however it is left out, and nothing is lost by it.
func TestGuard_RefusesForeignForms(t *testing.T) {
	w := newWorld(t, sessionRoutes)
	w.Get("/formular")
	token := w.Get("/zustand").Attr("input[name=schutz]", "value")
	w.PostForm("/schreiben", "key", "a", "value", "mine").Want(200)
	other := w.Other()
	other.Get("/formular")
	foreign := other.Get("/zustand").Attr("input[name=schutz]", "value")
	w.NoToken = true
	for what, tok := range map[string]string{"none": "", "of another session": foreign, "cut": token[:20], "changed": flip(token), "longer": token + "A"} {
		fields := []string{"key", "a", "value", "theirs"}
		if tok != "" {
			fields = append(fields, ui.GuardField, tok)
		}
		if p := w.PostForm("/schreiben", fields...); p.Status != 403 || p.Text("h1") != "Ihre Sitzung ist beendet" {
			t.Errorf("token %s: %d %q", what, p.Status, p.Text("h1"))
		}
	}
	if got := w.Get("/lesen/a").Text("h1"); got != "mine" {
		t.Errorf("value = %q: a foreign form has changed it, or ended the session", got)
	}
	if !strings.Contains(w.logged(), "form without the token") || strings.Contains(w.logged(), "theirs") {
		t.Error("the refusal is not logged, or with content")
	}
	if p := w.PostForm("/schreiben", "key", "a", "value", "again", ui.GuardField, token); p.Status != 200 {
		t.Errorf("with the token: %d", p.Status)
	}
	if token == w.Get("/zustand").Attr("input[name=schutz]", "value") {
		t.Error("two pages have the same token: compression would give it away")
	}
}

// flip changes the middle of a token.
func flip(s string) string {
	c := byte('A')
	if s[20] == c {
		c = 'B'
	}
	return s[:20] + string(c) + s[21:]
}

// A page that was open before sign-in stays good in its tab, as long as the
// session does.
func TestGuard_OverRotation(t *testing.T) {
	w := newWorld(t, sessionRoutes)
	w.Get("/formular")
	old := w.Get("/zustand").Attr("input[name=schutz]", "value")
	w.PostForm("/anmelden").Want(200)
	w.NoToken = true
	w.PostForm("/schreiben", "key", "a", "value", "1", ui.GuardField, old).Want(200)
	w.PostForm("/abmelden", ui.GuardField, old)
	w.Get("/formular")
	if p := w.PostForm("/schreiben", "key", "a", "value", "1", ui.GuardField, old); p.Status != 403 {
		t.Errorf("token of an ended session in the next one: %d", p.Status)
	}
}

// Who comes with an old form and is given a session again gets the one of the
// other tab, under a new id.
func TestGuard_OldFormTakesUpTheSession(t *testing.T) {
	w := newWorld(t, sessionRoutes)
	w.Get("/formular")
	w.PostForm("/schreiben", "key", "a", "value", "kept").Want(200)
	before := w.Cookie("ps_sitzung")
	w.NoToken = true
	w.PostForm("/anmelden").Want(200) // StartSession
	if w.Cookie("ps_sitzung") == before {
		t.Error("the id did not change")
	}
	if got := w.Get("/lesen/a").Text("h1"); got != "kept" {
		t.Errorf("value of the other tab = %q", got)
	}
}

func TestGuard_FormWithFiles(t *testing.T) {
	w := newWorld(t, func(rt *web.Router) {
		sessionRoutes(rt)
		rt.Handle("POST /datei", func(w http.ResponseWriter, r *http.Request) error {
			state, n := web.SessionState(r), 0
			parts, err := web.Parts(r)
			for err == nil {
				var p *web.Part
				if p, err = parts.Next(); err == nil && p.IsFile {
					data := make([]byte, 4096)
					for err == nil {
						var got int
						got, err = p.Read(data)
						n += got
					}
					err = nil
				}
			}
			return web.Render(w, r, 200, web.View{Title: "D", Body: text(fmt.Sprint(state, n))})
		})
	})
	w.Get("/formular")
	token := w.Get("/zustand").Attr("input[name=schutz]", "value")
	send := func(first bool) string {
		var b bytes.Buffer
		m := multipart.NewWriter(&b)
		if first {
			_ = m.WriteField(ui.GuardField, token)
		}
		f, _ := m.CreateFormFile("files", "x.bin")
		_, _ = f.Write(bytes.Repeat([]byte("x"), 100_000))
		if !first {
			_ = m.WriteField(ui.GuardField, token)
		}
		_ = m.Close()
		return w.Do("POST", "/datei", m.FormDataContentType(), b.Bytes()).Text("h1")
	}
	if got := send(true); got != fmt.Sprint(web.Live, " 100000") && got != fmt.Sprint(web.Live, 100000) {
		t.Errorf("token first: %q", got)
	}
	if got := send(false); strings.HasPrefix(got, fmt.Sprint(web.Live)) {
		t.Errorf("token behind a file was found: %q", got)
	}
}

// Sessions of two routers on one server are one; while the server is away, a
// page that needs none works, and a form is given back.
func TestStore_BehindRouters(t *testing.T) {
	srv := valkeytest.Start(t)
	node := func() *world {
		return newWorld(t, sessionRoutes, func(_ *web.Config, s *web.SessionConfig) {
			store, err := valkey.Open(t.Context(), valkey.Config{URL: srv.URL, Now: s.Now})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = store.Close() })
			s.Store = store
		})
	}
	a, b := node(), node()
	a.Get("/formular").Want(200)
	a.PostForm("/schreiben", "key", "a", "value", "Laterne").Want(200)
	b.SetCookie("ps_sitzung", a.Cookie("ps_sitzung"))
	if got := b.Get("/lesen/a").Text("h1"); got != "Laterne" {
		t.Errorf("the other node shows %q", got)
	}
	b.PostForm("/schreiben", "key", "b", "value", "Baum").Want(200)
	if got := a.Get("/lesen/b").Text("h1"); got != "Baum" {
		t.Errorf("back on the first node: %q", got)
	}
	host := b.Host
	b.Host = "beispielingen.localhost"
	b.SetCookie("ps_sitzung", a.Cookie("ps_sitzung"))
	if got := b.Get("/zustand").Text("h1"); got != "ended" {
		t.Errorf("on the host of another authority: %s", got)
	}
	b.Host = host
	before := a.Cookie("ps_sitzung")
	a.PostForm("/anmelden").Want(200)
	if a.Cookie("ps_sitzung") == before || b.Get("/zustand").Text("h1") != "ended" {
		t.Error("the id of before the sign-in is worth something")
	}

	srv.Stop()
	if p := a.PostForm("/anzeige", "name", "darstellung", "value", "dunkel", "back", "/"); p.Status == 503 {
		t.Error("a post that needs no session fails with the sessions")
	}
	if p := a.Get("/lesen/a"); p.Status != 503 || p.Header.Get("Retry-After") == "" {
		t.Errorf("a page that needs the session: %d", p.Status)
	}
	long := "Die Laterne ist dunkel.\nSeit Tagen."
	p := a.PostForm("/schreiben", "key", "a", "value", long)
	if p.Status != 503 || !p.Contains("Die Laterne ist dunkel.") || p.Form("main form").Get("value") != long {
		t.Fatalf("a form while sessions are away: %d %q", p.Status, p.Text("main"))
	}
	if p := a.PostForm("/schreiben", "key", "a", "password", "geheim-4711"); strings.Contains(p.Body, "geheim-4711") {
		t.Error("a password is shown again")
	}
	srv.Resume() // empty: the session is over
	if p := p.Form("main form").Submit(); p.Status != 403 || p.Text("h1") != "Ihre Sitzung ist beendet" {
		t.Errorf("sent again: %d %q", p.Status, p.Text("h1"))
	}
	a.ClearCookies()
	a.Get("/formular").Want(200)
}

// Under the names of the replaced program everything works as under our own.
func TestLegacyNames(t *testing.T) {
	legacy, err := web.NewRegistry(web.LegacyNames(web.OwnCookies())...)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, sessionRoutes, func(c *web.Config, _ *web.SessionConfig) { c.Cookies = legacy })
	w.Secure, w.NoFollow = true, true
	p := w.Get("/formular")
	if got := p.Header.Get("Set-Cookie"); !strings.HasPrefix(got, "JSESSIONIDSSO=") || !strings.HasSuffix(got, "; Path=/; HttpOnly; Secure; SameSite=Lax") {
		t.Errorf("Set-Cookie = %q", got)
	}
	if got := w.Get("/zustand").Text("h1"); got != "live" {
		t.Errorf("session under the legacy name: %s", got)
	}
	w.PostForm("/anzeige", "name", "hilfe_betreff", "value", "auf", "back", "/")
	w.PostForm("/anzeige", "name", "darstellung", "value", "dunkel", "back", "/")
	if w.Cookie("IFP_hilfe_betreff") != "auf" || w.Cookie("IFP_darstellung") != "dunkel" {
		t.Errorf("display cookies: %v", w.Cookies())
	}
	for _, c := range legacy.All() {
		name := c.SentName(true)
		if name != "JSESSIONIDSSO" && !strings.HasPrefix(name, "IFP_") {
			t.Errorf("%s is not a name of A35 or A41", name)
		}
	}
	for _, c := range web.OwnCookies() {
		if (c.Class == web.Technical) != strings.HasPrefix(c.SentName(true), "__Host-") || strings.HasPrefix(c.SentName(false), "__Host-") {
			t.Errorf("own name on the wire: %s, %s", c.SentName(true), c.SentName(false))
		}
	}
	double := web.LegacyNames(web.OwnCookies())
	double[1].Wire = "JSESSIONIDSSO*"
	double[2].Wire = "einzeln"
	if _, err := web.NewRegistry(double...); err == nil {
		t.Error("a family under a single name was accepted")
	}
}

// Class 3 stands in the registry for the operator's site alone.
func TestRegistry_Kinds(t *testing.T) {
	w := newWorld(t, func(rt *web.Router) {
		rt.Handle("POST /nein", func(w http.ResponseWriter, r *http.Request) error {
			if err := web.SetCookie(w, r, "ps_nichtzaehlen", "1"); err != nil {
				return err
			}
			return web.Redirect(w, r, "/")
		})
	})
	w.NoFollow = true
	if p := w.PostForm("/nein"); p.Status != 422 || p.Header.Get("Set-Cookie") != "" {
		t.Errorf("on the site of an authority: %d %q", p.Status, p.Header.Get("Set-Cookie"))
	}
	w.Host = "betreiber.example"
	if p := w.PostForm("/nein"); p.Status != 303 || w.Cookie("ps_nichtzaehlen") != "1" {
		t.Errorf("on the site of the operator: %d, %v", p.Status, w.Cookies())
	}
	no := web.Cookie{Name: "ps_nein", Class: web.Objection, Purpose: "p", Values: []string{"1"}, Lifetime: time.Hour}
	if _, err := web.NewRegistry(no); err == nil {
		t.Error("class 3 on all sites was accepted")
	}
	no.Kinds = []string{"operator"}
	g, err := web.NewRegistry(append(web.OwnCookies(), no)...)
	if err != nil {
		t.Fatal(err)
	}
	if len(g.For("authority")) != len(web.OwnCookies()) || len(g.For("operator")) != len(web.OwnCookies())+1 {
		t.Errorf("For() = %d and %d declarations", len(g.For("authority")), len(g.For("operator")))
	}
	for _, c := range web.OwnCookies() {
		if c.Class == web.Objection {
			t.Errorf("%s is declared, and nothing sets it yet", c.Name)
		}
	}
}
