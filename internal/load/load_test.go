package load_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"poststelle/internal/fault"
	"poststelle/internal/load"
	"poststelle/internal/tenant"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// site is a small server with an assistant of five steps, a sign-in and a page
// for codes, as the post office has them: forms with hidden fields, a session
// cookie, redirects after every POST.
type site struct {
	*httptest.Server
	letters, uploads, walks atomic.Int64
	bytes                   atomic.Int64
	fail                    func(n int64) bool // whether the nth letter fails

	mu       sync.Mutex
	sessions map[string]map[string]string
}

func newSite(t *testing.T) *site {
	s := &site{sessions: map[string]map[string]string{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<h1>Start</h1>") })
	mux.HandleFunc("GET /nachricht", s.begin)
	mux.HandleFunc("GET /nachricht/{step}", s.show)
	mux.HandleFunc("POST /nachricht/{step}", s.take)
	mux.HandleFunc("GET /amt/anmelden", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `<form method="post"><input name="login"><input name="password" type="password"><button>Anmelden</button></form>`)
	})
	mux.HandleFunc("POST /amt/anmelden", s.signIn)
	mux.HandleFunc("GET /amt/eingang", func(w http.ResponseWriter, r *http.Request) {
		if s.of(r)["login"] == "" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		n, err := strconv.Atoi(r.FormValue("n"))
		if err != nil || n > 50 {
			n = 25
		}
		fmt.Fprint(w, strings.Repeat(`<input type="checkbox" name="vorgang">`, n), `<a rel="next">`)
	})
	mux.HandleFunc("GET /abholen", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `<form method="post" action="/abholen"><input name="code"><button class="kern-btn kern-btn--primary">Öffnen</button></form>`)
	})
	mux.HandleFunc("POST /abholen", func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("code") != "7K2M-9QXD" {
			w.WriteHeader(http.StatusUnprocessableEntity)
			return
		}
		http.Redirect(w, r, "/", http.StatusSeeOther)
	})
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func (s *site) of(r *http.Request) map[string]string {
	c, err := r.Cookie("__Host-ps_sitzung")
	if err != nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions[c.Value]
}

func (s *site) start(w http.ResponseWriter) map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, values := fmt.Sprint(len(s.sessions)+1), map[string]string{}
	s.sessions[id] = values
	http.SetCookie(w, &http.Cookie{Name: "__Host-ps_sitzung", Value: id, Path: "/", Secure: true, HttpOnly: true})
	return values
}

func (s *site) begin(w http.ResponseWriter, r *http.Request) {
	s.walks.Add(1)
	s.start(w)
	http.Redirect(w, r, "/nachricht/1?e=d1", http.StatusSeeOther)
}

// banner is a form that leads nowhere and must not be taken for the main one.
const banner = `<form method="post" action="/meldung"><input type="hidden" name="meldung" value="x"><button name="zu" class="kern-btn--tertiary">Zu</button></form>`

const buttons = `<button name="aktion" value="weiter" class="kern-btn kern-btn--primary">Weiter</button>
<button name="aktion" value="zurueck" class="kern-btn">Zurück</button></form>`

func (s *site) show(w http.ResponseWriter, r *http.Request) {
	inner := map[string]string{
		"1": `<form method="post"><input type="radio" name="mailbox" value="a"><input type="radio" name="mailbox" value="b">`,
		"2": `<form method="post"><input type="radio" name="topic" value="t1"><input type="radio" name="topic" value="t2" checked>`,
		"3": `<form method="post"><input name="subject"><textarea name="body"></textarea>
			<input type="radio" name="reply" value="letter" checked><input type="radio" name="reply" value="code"><input type="checkbox" name="x">`,
		"4": `<form method="post" enctype="multipart/form-data"><input type="file" name="files" multiple>`,
		"5": `<form method="post"><input type="hidden" name="token" value="tok">`,
	}[r.PathValue("step")]
	if inner == "" {
		fmt.Fprint(w, `<p id="abholcode"> 7K2M-9QXD </p>`)
		return
	}
	fmt.Fprint(w, banner, inner, buttons)
}

func (s *site) take(w http.ResponseWriter, r *http.Request) {
	values, step := s.of(r), r.PathValue("step")
	if values == nil || r.FormValue("aktion") != "weiter" || r.URL.Query().Get("e") != "d1" {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	want := map[string]map[string]string{
		"1": {"mailbox": "b"}, "2": {"topic": "t2"}, "3": {"reply": "code", "x": ""}, "5": {"token": "tok"},
	}
	for name, v := range want[step] {
		if r.FormValue(name) != v {
			w.WriteHeader(http.StatusUnprocessableEntity)
			fmt.Fprintf(w, `<p id="fehler">%s falsch</p>`, name)
			return
		}
	}
	if step == "4" {
		s.count(r)
	}
	if step != "5" {
		http.Redirect(w, r, "/nachricht/"+string(step[0]+1)+"?e=d1", http.StatusSeeOther)
		return
	}
	if n := s.letters.Add(1); s.fail != nil && s.fail(n) {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	http.Redirect(w, r, "/nachricht/gesendet?e=d1", http.StatusSeeOther)
}

func (s *site) count(r *http.Request) {
	for _, h := range r.MultipartForm.File["files"] {
		f, err := h.Open()
		if err != nil {
			continue
		}
		n, _ := io.Copy(io.Discard, f)
		f.Close()
		s.uploads.Add(1)
		s.bytes.Add(n)
	}
}

func (s *site) signIn(w http.ResponseWriter, r *http.Request) {
	if r.FormValue("login") != "m.keller" || r.FormValue("password") != "secret" {
		w.WriteHeader(http.StatusUnprocessableEntity)
		return
	}
	s.start(w)["login"] = "m.keller"
	http.Redirect(w, r, "/amt/eingang", http.StatusSeeOther)
}

func TestRun(t *testing.T) {
	for _, sc := range []load.Scenario{load.Text, load.Files, load.Inbox, load.Collect, load.Page} {
		t.Run(string(sc), func(t *testing.T) {
			s := newSite(t)
			r, err := load.Run(t.Context(), load.DriveConfig{
				URL: s.URL, Scenario: sc, Clients: 3, Count: 10, Mailbox: "b", Login: "m.keller", Password: "secret", PID: os.Getpid(),
			})
			if err != nil {
				t.Fatal(err)
			}
			if r.Done != 10 || r.Errors != 0 || r.FirstError != "" || r.Rate <= 0 || r.P50 <= 0 || r.P50 > r.P90 || r.P90 > r.P99 || r.P99 > r.Max {
				t.Errorf("report %+v", r)
			}
			if want := map[load.Scenario]int{load.Inbox: 50}[sc]; r.Rows != want {
				t.Errorf("%d rows, want %d", r.Rows, want)
			}
			if r.Server == nil || r.Server.RSSPeak < r.Server.RSSBefore || r.Server.AnonymousPeak <= 0 ||
				r.Server.Idle < 0 || r.Server.Stolen < 0 || r.Server.Idle+r.Server.Stolen > 1 {
				t.Errorf("server %+v", r.Server)
			}
			letters, uploads := s.letters.Load(), s.uploads.Load()
			if (sc == load.Text || sc == load.Files) && letters != 10 || sc == load.Files && (uploads != 30 || s.bytes.Load() != 30<<20) {
				t.Errorf("%d letters with %d files of %d bytes", letters, uploads, s.bytes.Load())
			}
		})
	}
}

// What fails is counted and named, and does not count as fast.
func TestRun_CountsErrors(t *testing.T) {
	s := newSite(t)
	s.fail = func(n int64) bool { return n%2 == 0 }
	r, err := load.Run(t.Context(), load.DriveConfig{URL: s.URL, Scenario: load.Text, Clients: 2, Count: 10, Mailbox: "b"})
	if err != nil || r.Done != 5 || r.Errors != 5 || r.FirstError != "status 503 at /nachricht/5" {
		t.Errorf("Run() = %+v, %v", r, err)
	}
}

func TestRun_EndsByTime(t *testing.T) {
	s := newSite(t)
	r, err := load.Run(t.Context(), load.DriveConfig{URL: s.URL, Scenario: load.Page, Clients: 1, Count: 100, Duration: time.Nanosecond})
	if err != nil || r.Done+r.Errors >= 100 {
		t.Errorf("Run() = %+v, %v; want an early end", r, err)
	}
}

func TestRun_CannotPrepare(t *testing.T) {
	s := newSite(t)
	for name, c := range map[string]load.DriveConfig{
		"wrong password":   {URL: s.URL, Scenario: load.Inbox, Login: "m.keller", Password: "x"},
		"wrong mailbox":    {URL: s.URL, Scenario: load.Text, Mailbox: "zoo", Count: 3},
		"unknown scenario": {URL: s.URL, Scenario: "dance"},
		"unknown size":     {URL: s.URL, Scenario: load.Inbox, Login: "m.keller", Password: "secret", Count: 1, Rows: 75},
		"no such process":  {URL: s.URL, Scenario: load.Page, Count: 1, PID: 1 << 30},
	} {
		if _, err := load.Run(t.Context(), c); err == nil {
			t.Errorf("%s: Run() = nil error", name)
		}
	}
	_, err := load.Run(t.Context(), load.DriveConfig{URL: s.URL, Scenario: load.Text, Mailbox: "zoo", Count: 3})
	if !strings.Contains(err.Error(), "mailbox falsch") {
		t.Errorf("the reason is missing: %v", err)
	}
}

// Only this machine: by name, by address, and by what a server says.
func TestRun_RefusesStrangers(t *testing.T) {
	for _, u := range []string{
		"http://example.org", "http://192.0.2.1:8080", "https://[2001:db8::1]/", "http://localhost.example.org", "http://127.0.0.1.example.org",
		"http://0.0.0.0:8080",
	} {
		if _, err := load.Run(t.Context(), load.DriveConfig{URL: u, Scenario: load.Page}); !errors.Is(err, fault.Denied) {
			t.Errorf("Run(%s) = %v, want Denied", u, err)
		}
	}
	for _, u := range []string{"", "127.0.0.1:8080", "file:///etc/passwd", "http://"} {
		if _, err := load.Run(t.Context(), load.DriveConfig{URL: u, Scenario: load.Page}); !errors.Is(err, fault.Invalid) {
			t.Errorf("Run(%q) = %v, want Invalid", u, err)
		}
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://example.org/nachricht/1", http.StatusSeeOther)
	}))
	defer s.Close()
	if _, err := load.Run(t.Context(), load.DriveConfig{URL: s.URL, Scenario: load.Text, Count: 1}); !errors.Is(err, fault.Denied) {
		t.Errorf("redirect to a stranger: %v, want Denied", err)
	}
}

// The address that is dialled is checked a second time, whatever was typed.
func TestDial_RefusesStrangers(t *testing.T) {
	for _, address := range []string{"192.0.2.1:80", "[2001:db8::1]:80", "0.0.0.0:80"} {
		if err := load.Dial(t.Context(), address); !errors.Is(err, fault.Denied) {
			t.Errorf("Dial(%s) = %v, want Denied", address, err)
		}
	}
	s := newSite(t)
	_, port, _ := strings.Cut(s.Listener.Addr().String(), ":")
	for _, address := range []string{s.Listener.Addr().String(), "localhost:" + port, "betreiber.localhost:" + port} {
		if err := load.Dial(t.Context(), address); err != nil {
			t.Errorf("Dial(%s) = %v", address, err)
		}
	}
}

func TestQuantile(t *testing.T) {
	var list []time.Duration
	for n := 1; n <= 100; n++ {
		list = append(list, time.Duration(n)*time.Millisecond)
	}
	for q, want := range map[float64]float64{0.5: 50, 0.9: 90, 0.99: 99, 1: 100, 0: 1} {
		if got := load.Quantile(list, q); got != want {
			t.Errorf("quantile %v = %v, want %v", q, got, want)
		}
	}
	if load.Quantile(nil, 0.5) != 0 {
		t.Error("quantile of nothing is not 0")
	}
}

func TestReport_Writes(t *testing.T) {
	r := load.Report{Scenario: "text", Clients: 64, Done: 10, Rate: 1234.5, P99: 9.25, Max: 10, FirstError: "x", Server: &load.Process{RSSPeak: 64 << 20, Stolen: 0.125}}
	var text, line bytes.Buffer
	if err := errors.Join(r.WriteText(&text), r.WriteJSON(&line)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"text: 10 done", "1234/s", "p99   9.25 ms", "first error: x", "64.0 MB", "12 % stolen"} {
		if !strings.Contains(strings.ReplaceAll(text.String(), "1235/s", "1234/s"), want) {
			t.Errorf("text lacks %q:\n%s", want, text.String())
		}
	}
	var back load.Report
	if err := json.Unmarshal(line.Bytes(), &back); err != nil || !reflect.DeepEqual(back, r) {
		t.Errorf("JSON gives back %+v, %v", back, err)
	}
}

// A letter is realistic, differs from the next, and is the same again.
func TestCompose(t *testing.T) {
	box := tenant.Mailbox{ID: "steueramt", SenderRequired: true, Topics: []tenant.Topic{{ID: "a"}, {ID: "b"}}}
	seen := map[string]bool{}
	for n := range 200 {
		l := load.Compose(n, box, 10)
		if l.Name == "" || l.Address == "" || l.Topic == "" || len(l.Body) < 80 || len(l.Body) > 2000 || strings.Contains(l.Body, "%!") {
			t.Fatalf("letter %d: %+v", n, l)
		}
		if (len(l.Files) == 1) != (n%10 == 0) {
			t.Errorf("letter %d has %d files", n, len(l.Files))
		}
		if !reflect.DeepEqual(l, load.Compose(n, box, 10)) {
			t.Errorf("letter %d differs when written again", n)
		}
		seen[l.Body] = true
	}
	if len(seen) < 190 {
		t.Errorf("only %d of 200 letters differ", len(seen))
	}
}
