package web_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"poststelle/internal/web"
)

func TestRegistry_RefusesUnlawfulDeclarations(t *testing.T) {
	for name, c := range map[string]web.Cookie{
		"lasting session":      {Name: "a", Class: web.Technical, Purpose: "p", Lifetime: time.Hour},
		"technical with words": {Name: "a", Class: web.Technical, Purpose: "p", Values: []string{"x"}},
		"free value":           {Name: "a", Class: web.Display, Purpose: "p"},
		"value with an id":     {Name: "a", Class: web.Display, Purpose: "p", Values: []string{"user-17"}},
		"other lifetime":       {Name: "a", Class: web.Display, Purpose: "p", Values: []string{"x"}, Lifetime: time.Hour},
		"two years":            {Name: "a", Class: web.Objection, Purpose: "p", Values: []string{"1"}, Lifetime: 2 * 366 * 24 * time.Hour},
		"no purpose":           {Name: "a", Class: web.Display, Values: []string{"x"}},
		"no class":             {Name: "a", Purpose: "p", Values: []string{"x"}},
		"everything":           {Name: "*", Class: web.Display, Purpose: "p", Values: []string{"x"}},
		"bad name":             {Name: "a b", Class: web.Display, Purpose: "p", Values: []string{"x"}},
	} {
		if _, err := web.NewRegistry(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	ok := web.Cookie{Name: "a", Class: web.Display, Purpose: "p", Values: []string{"x"}}
	if _, err := web.NewRegistry(ok, ok); err == nil {
		t.Error("declared twice: accepted")
	}
}

func TestPersonal(t *testing.T) {
	g, err := web.NewRegistry(web.OwnCookies()...)
	if err != nil {
		t.Fatal(err)
	}
	d := web.Personal(g)
	if err := d.Validate(); err != nil {
		t.Error(err)
	}
	if len(d.Cookies) != len(web.OwnCookies()) || d.Cookies[0].Name != "__Host-ps_sitzung" {
		t.Errorf("cookies = %+v", d.Cookies)
	}
}

// Sabotage: a handler that sets a cookie past the registry.
func TestCookies_UndeclaredIsRemoved(t *testing.T) {
	w := newWorld(t, func(rt *web.Router) {
		rt.Handle("GET /x", func(w http.ResponseWriter, r *http.Request) error {
			http.SetCookie(w, &http.Cookie{Name: "tracking", Value: "geheim"})
			w.Header().Add("Set-Cookie", "ps_darstellung=person17")
			if err := web.SetCookie(w, r, "ps_darstellung", "dunkel"); err != nil {
				return err
			}
			http.SetCookie(w, &http.Cookie{Name: "later", Value: "geheim"})
			return web.Redirect(w, r, "/")
		})
	})
	w.NoFollow = true
	p := w.Get("/x")
	got := p.Header.Values("Set-Cookie")
	if len(got) != 1 || got[0] != "ps_darstellung=dunkel; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax" {
		t.Errorf("Set-Cookie = %q", got)
	}
	log := w.logged()
	if !strings.Contains(log, "cookie=tracking") || !strings.Contains(log, "cookie=later") {
		t.Errorf("removal not logged:\n%s", log)
	}
	if strings.Contains(log, "geheim") || strings.Contains(log, "person17") {
		t.Errorf("the log repeats a value:\n%s", log)
	}
}

func TestDisplay(t *testing.T) {
	w := newWorld(t, func(rt *web.Router) {
		rt.Handle("GET /zeigen/{name}", func(w http.ResponseWriter, r *http.Request) error {
			return web.Render(w, r, 200, web.View{Title: "x", Body: text(web.DisplayState(r, r.PathValue("name")))})
		})
		rt.Handle("GET /", page("Start"))
	})
	w.NoFollow = true
	for _, tc := range []struct {
		name, value, back string
		status            int
		location, cookie  string
	}{
		{"hilfe_betreff", "auf", "/zeigen/x?a=b", 303, "/zeigen/x?a=b", "ps_hilfe_betreff=auf; Path=/; HttpOnly; SameSite=Lax"},
		{"ps_hilfe_betreff", "zu", "/", 303, "/", "ps_hilfe_betreff=zu; Path=/; HttpOnly; SameSite=Lax"},
		{"meldung_wartung-11", "zu", "", 204, "", "ps_meldung_wartung-11=zu; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax"},
		{"darstellung", "dunkel", "//evil.example", 303, "/", "ps_darstellung=dunkel; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax"},
		{"darstellung", "", "/", 303, "/", "ps_darstellung=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"},
		{"darstellung", "hell", `/\evil.example`, 303, "/", "ps_darstellung=hell; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax"},
		{"darstellung", "person17", "/", 422, "", ""},
		{"hilfe_", "auf", "/", 422, "", ""},
		{"hilfe_" + strings.Repeat("x", 41), "auf", "/", 422, "", ""},
		{"hilfe_a;b", "auf", "/", 422, "", ""},
		{"sitzung", "auf", "/", 422, "", ""},
		{"nichtzaehlen", "1", "/", 422, "", ""}, // an objection is made on its own page
		{"unbekannt", "auf", "/", 422, "", ""},
	} {
		p := w.PostForm("/anzeige", "name", tc.name, "value", tc.value, "back", tc.back)
		if p.Status != tc.status || p.Header.Get("Location") != tc.location || p.Header.Get("Set-Cookie") != tc.cookie {
			t.Errorf("%s=%s: %d %q %q, want %d %q %q", tc.name, tc.value, p.Status, p.Header.Get("Location"), p.Header.Get("Set-Cookie"),
				tc.status, tc.location, tc.cookie)
		}
	}
	if got := w.Get("/zeigen/hilfe_betreff").Text("h1"); got != "zu" {
		t.Errorf("kept state = %q", got)
	}
	w.SetCookie("ps_darstellung", "person17")
	if got := w.Get("/zeigen/darstellung").Text("h1"); got != "" {
		t.Errorf("a value outside the list is read: %q", got)
	}
	p := w.Do("POST", "/en/anzeige", "application/x-www-form-urlencoded", []byte("name=darstellung&value=hell&back=/zeigen/x"))
	if got := p.Header.Get("Location"); got != "/en/zeigen/x" {
		t.Errorf("redirect in English = %q", got)
	}
	for i := range 60 {
		p = w.PostForm("/anzeige", "name", "meldung_"+strings.Repeat("a", i%40+1)+string(rune('a'+i/40)), "value", "zu")
	}
	if p.Status != 422 || len(w.Cookies()) > 51 {
		t.Errorf("a browser collects %d cookies from us (last answer %d)", len(w.Cookies()), p.Status)
	}
}

func TestSecretCookie(t *testing.T) {
	w := newWorld(t, func(rt *web.Router) {
		rt.Handle("GET /x", func(w http.ResponseWriter, r *http.Request) error {
			if err := web.SetSecret(w, r, "ps_amt", "kurz"); err == nil {
				t.Error("a short value was taken as random")
			}
			if err := web.SetSecret(w, r, "ps_darstellung", strings.Repeat("A", 26)); err == nil {
				t.Error("a random value in a display cookie")
			}
			if err := web.SetCookie(w, r, "ps_amt", "x"); err == nil {
				t.Error("a technical cookie set as display state")
			}
			if v := web.SecretValue(r, "ps_amt"); v != "" {
				return web.Render(w, r, 200, web.View{Title: "x", Body: text(v)})
			}
			if err := web.SetSecret(w, r, "ps_amt", strings.Repeat("A", 26)); err != nil {
				return err
			}
			return web.Redirect(w, r, "/x")
		})
	})
	w.Secure = true
	if got := w.Get("/x").Text("h1"); got != strings.Repeat("A", 26) {
		t.Errorf("value read back = %q", got)
	}
	if w.Cookie("__Host-ps_amt") == "" {
		t.Error("technical cookie without __Host-")
	}
}
