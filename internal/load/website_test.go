package load_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"poststelle/internal/fault"
	"poststelle/internal/load"
	"poststelle/internal/mail"
	"poststelle/internal/mail/mailtest"
)

// freePort is an address of this machine on which nobody listens.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// newWebsite is a server with a post that takes comments and a newsletter that
// goes to relay; word says which link the nth message has.
func newWebsite(t *testing.T, relay string, readers int, word func(n int) string) (url string, comments *atomic.Int64) {
	comments = new(atomic.Int64)
	mux := http.NewServeMux()
	page := func(path, body string) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, banner, body) })
	}
	leads := func(path, to string, do func(*http.Request) bool) {
		mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
			if !do(r) {
				w.WriteHeader(http.StatusUnprocessableEntity)
				return
			}
			http.Redirect(w, r, to, http.StatusSeeOther)
		})
	}
	page("/aktuelles", `<a href="/aktuelles/feed.xml">Feed</a> <a href="/aktuelles/neues">Neues</a>`)
	page("/aktuelles/neues", `<form method="post" action="/aktuelles/neues/kommentare"><input type="hidden" name="formular" value="f">
<textarea name="kommentar"></textarea><input name="website"><button>Senden</button></form>`)
	leads("/aktuelles/neues/kommentare", "/aktuelles/kommentar/TOKEN", func(r *http.Request) bool {
		comments.Add(1)
		return r.FormValue("formular") == "f" && r.FormValue("kommentar") != "" && r.FormValue("website") == ""
	})
	page("/amt/anmelden", `<form method="post"><input name="login"><input name="password"><button>Anmelden</button></form>`)
	leads("/amt/anmelden", "/aktuelles", func(r *http.Request) bool { return r.FormValue("login") == "d.krueger" })
	page("/amt/redaktion/newsletter/neu", `<form method="post"><input name="subject"><textarea name="body"></textarea><button>Speichern</button></form>`)
	leads("/amt/redaktion/newsletter/neu", "/amt/redaktion/newsletter/I", func(r *http.Request) bool { return r.FormValue("subject") != "" && r.FormValue("body") != "" })
	page("/amt/redaktion/newsletter/I", "")
	page("/amt/redaktion/newsletter/I/senden", `<form method="post"><input type="radio" name="wann" value="jetzt" checked><input type="radio" name="wann" value="spaeter"><button>Los</button></form>`)
	leads("/amt/redaktion/newsletter/I/senden", "/amt/redaktion/newsletter/I", func(r *http.Request) bool {
		return r.FormValue("wann") == "jetzt" && post(r.Context(), t, relay, readers, word) == nil
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s.URL, comments
}

// post sends a series to a relay.
func post(ctx context.Context, t *testing.T, relay string, readers int, word func(n int) string) error {
	sender, err := mail.NewSMTP(mail.SMTPConfig{Addr: relay, TLS: mail.TLSNone, From: "a@b.example"})
	if err != nil {
		return err
	}
	link := "https://b.example/newsletter/abmelden/" + mail.Slot
	series, err := mail.NewTemplate(mail.Series{
		From: "a@b.example", Subject: "Neues", Text: "Text\n" + link + "\n", HTML: `<p>Text</p><p><a href="` + link + `">Abmelden</a></p>`, At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Headers: []mail.Header{
			{Name: "List-Id", Value: "<news.b.example>"},
			{Name: "List-Unsubscribe", Value: "<" + link + ">, <mailto:a@b.example?subject=" + mail.Slot + ">"},
			{Name: "List-Unsubscribe-Post", Value: "List-Unsubscribe=One-Click"},
		},
	})
	if err != nil {
		return err
	}
	n := 0
	err = mailtest.Wrap(t, sender).Many(ctx, series, func(bool) (mail.Recipient, bool) {
		n++
		return mail.Recipient{To: "leser@post.example", ID: fmt.Sprint(n), Slot: word(n)}, n <= readers
	}, func(_ mail.Recipient, told error) { err = errors.Join(err, told) })
	return err
}

func own(n int) string { return strings.Repeat("w", 40) + fmt.Sprint(n) }

func TestRun_Comments(t *testing.T) {
	url, comments := newWebsite(t, "", 0, own)
	r, err := load.Run(t.Context(), load.DriveConfig{URL: url, Scenario: load.Comments, Clients: 3, Count: 10})
	if err != nil || r.Done != 10 || r.Errors != 0 || comments.Load() != 10 {
		t.Errorf("Run() = %+v, %v; %d comments", r, err, comments.Load())
	}
	if _, err := load.Run(t.Context(), load.DriveConfig{URL: url, Scenario: load.Comments, Count: 1, Post: "zoo"}); err == nil {
		t.Error("Run() under a post that is none = nil error")
	}
}

// Each message is counted once, and one with the link of another is an error.
func TestRun_Newsletter(t *testing.T) {
	for name, c := range map[string]struct {
		word       func(int) string
		done, bad  int
		count      int
		firstError string
	}{
		"all well":          {own, 40, 0, 40, ""},
		"two share a link":  {func(n int) string { return own(n / 2) }, 21, 19, 40, "a message with the link of another one"},
		"one does not come": {own, 40, 1, 41, "40 of 41 messages came"},
	} {
		relay := freePort(t)
		url, _ := newWebsite(t, relay, 40, c.word)
		r, err := load.Run(t.Context(), load.DriveConfig{
			URL: url, Scenario: load.Newsletter, Count: c.count, Sink: relay, Login: "d.krueger", Password: "x", Duration: 3 * time.Second,
		})
		if err != nil || r.Done != c.done || r.Errors != c.bad || r.FirstError != c.firstError || r.Rate <= 0 && r.Done > 0 {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	for _, sink := range []string{"", "0.0.0.0:2525", "192.0.2.1:25", "2525"} {
		if _, err := load.Run(t.Context(), load.DriveConfig{URL: "http://127.0.0.1:1", Scenario: load.Newsletter, Sink: sink}); !errors.Is(err, fault.Denied) {
			t.Errorf("a sink on %q = %v, want Denied", sink, err)
		}
	}
}
