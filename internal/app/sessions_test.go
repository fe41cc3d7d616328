package app_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"poststelle/internal/app"
	"poststelle/internal/blob"
	"poststelle/internal/tenant"
	"poststelle/internal/web/assets"
	"poststelle/internal/web/valkey/valkeytest"
	"poststelle/internal/web/webtest"
)

func openWith(t *testing.T, change func(*app.Config)) (*app.App, error) {
	t.Helper()
	cfg := app.Config{Data: t.TempDir(), Light: true, Log: slog.New(slog.DiscardHandler), Now: time.Now}
	change(&cfg)
	a, err := app.Open(t.Context(), cfg, nil)
	if err == nil {
		t.Cleanup(func() { _ = a.Close() })
		err = a.AddTenants(t.Context(), []tenant.Tenant{{
			ID: "musterstadt", Kind: tenant.Authority, Profile: tenant.Vorlage, Name: "Stadt Musterstadt", ARS: "081110000000", Hosts: []string{"localhost"},
		}})
	}
	return a, err
}

func browse(t *testing.T, a *app.App) *webtest.Client {
	t.Helper()
	rt, err := a.Router()
	if err != nil {
		t.Fatal(err)
	}
	return webtest.New(t, rt)
}

// TestSessions_OnAServer starts the program with its sessions on a server, and
// not on one that keeps them on disk.
func TestSessions_OnAServer(t *testing.T) {
	if assets.Check() != nil {
		return // no pages: TestServe_StartsAll looks at what is said then
	}
	bad := valkeytest.Start(t, "--appendonly", "yes")
	if _, err := openWith(t, func(c *app.Config) { c.SessionServer = bad.URL }); err == nil || !strings.Contains(err.Error(), "disk") {
		t.Errorf("a server that writes to disk: %v", err)
	}
	srv := valkeytest.Start(t)
	a, err := openWith(t, func(c *app.Config) { c.SessionServer = srv.URL })
	if err != nil {
		t.Fatal(err)
	}
	b := browse(t, a)
	if p := b.Get("/nachricht").Want(200); !p.Has("input[name=schutz]") || b.Cookie("ps_sitzung") == "" {
		t.Error("no letter can be begun")
	}
	if p := b.Get("/readyz").Want(200); !strings.Contains(p.Body, `"sessions"`) {
		t.Errorf("/readyz = %s", p.Body)
	}
	srv.Stop()
	b.Get("/readyz").Want(503)
	b.Get("/datenschutz").Want(200)
	b.Get("/nachricht").Want(503)
}

// TestSessions_UploadsAreSweptByAge holds what stands in for the end of a
// session that no process of ours sees: files go by their age.
func TestSessions_UploadsAreSweptByAge(t *testing.T) {
	srv := valkeytest.Start(t)
	now := time.Now()
	a, err := openWith(t, func(c *app.Config) { c.SessionServer, c.Now = srv.URL, func() time.Time { return now } })
	if err != nil {
		t.Fatal(err)
	}
	id := blob.NewID()
	if _, err := a.Blobs.Put(t.Context(), id, strings.NewReader("sealed")); err != nil {
		t.Fatal(err)
	}
	there := func() bool {
		_, err := a.Blobs.Stat(context.WithoutCancel(t.Context()), id)
		return err == nil
	}
	now = now.Add(8*time.Hour + 30*time.Minute)
	if err := a.SweepUploads(t.Context()); err != nil || !there() {
		t.Errorf("a file that a session may still use is gone, %v", err)
	}
	now = now.Add(time.Hour)
	if err := a.SweepUploads(t.Context()); err != nil || there() {
		t.Errorf("the file of an ended session is left, %v", err)
	}
}

// TestCookieNames shows the names in use on /cookies and in the notice.
func TestCookieNames(t *testing.T) {
	if assets.Check() != nil {
		return
	}
	for legacy, name := range map[bool]string{true: "JSESSIONIDSSO", false: "ps_sitzung"} {
		a, err := openWith(t, func(c *app.Config) { c.LegacyCookies = legacy })
		if err != nil {
			t.Fatal(err)
		}
		b := browse(t, a)
		b.Get("/nachricht").Want(200)
		if b.Cookie(name) == "" || len(b.Cookies()) != 1 {
			t.Errorf("legacy %v: cookies %v", legacy, b.Cookies())
		}
		if got := b.Get("/cookies").Text("tbody th"); got != name {
			t.Errorf("/cookies names %q, want %q", got, name)
		}
		if p := b.Get("/datenschutz?kapitel=cookies"); !p.Contains(name) {
			t.Errorf("the notice does not name %q", name)
		}
	}
}

// TestForms_CarryTheToken looks at every form of the pages that can be reached
// with a session: the token stands first.
func TestForms_CarryTheToken(t *testing.T) {
	if assets.Check() != nil {
		return
	}
	a, err := openWith(t, func(*app.Config) {})
	if err != nil {
		t.Fatal(err)
	}
	rt, err := a.Router()
	if err != nil {
		t.Fatal(err)
	}
	b := webtest.New(t, rt)
	b.Get("/nachricht").Want(200)
	forms := 0
	for _, route := range rt.Routes() {
		path, ok := strings.CutPrefix(route, "GET ")
		if !ok || strings.Contains(path, "{") {
			continue
		}
		p := b.Get(path)
		for i := range p.Select("form[method=post]") {
			forms++
			if first := p.Select("form[method=post]")[i].FirstChild; first == nil || !isToken(first.Attr) {
				t.Errorf("%s: form %d does not begin with the token", path, i)
			}
		}
	}
	if forms < 20 {
		t.Errorf("only %d forms were looked at", forms)
	}
}

func isToken(attrs []html.Attribute) bool {
	for _, a := range attrs {
		if a.Key == "name" {
			return a.Val == "schutz"
		}
	}
	return false
}
