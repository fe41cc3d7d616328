package main

import (
	"bytes"
	"crypto/tls"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"poststelle/internal/web/ui"
)

// comingFrom names another address as that of the visitor, as a proxy does.
type comingFrom struct {
	http.RoundTripper
	addr string
}

func (c comingFrom) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("X-Forwarded-For", c.addr)
	return c.RoundTripper.RoundTrip(r)
}

var hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)"`)

// hidden are the hidden fields of the form at an address.
func hidden(t *testing.T, c *http.Client, at string) url.Values {
	t.Helper()
	page, err := io.ReadAll(get(t, c, at).Body)
	must(t, err)
	_, main, _ := strings.Cut(string(page), "<main")
	words := url.Values{}
	for _, m := range hiddenField.FindAllStringSubmatch(main, -1) {
		words.Set(m[1], m[2])
	}
	return words
}

// TestServe_Limits holds that the limits of the configuration act: the second
// letter of a network, the second megabyte of uploads.
func TestServe_Limits(t *testing.T) {
	if noAssets(t) {
		return
	}
	ca, dir := newAuthority(t), t.TempDir()
	chain, key := ca.issue(t, dir, 7)
	config := filepath.Join(dir, "config.json")
	must(t, os.WriteFile(config, []byte(`{
		"behind-proxy": true, "trusted-proxy": ["127.0.0.0/8"], "letters-per-hour": 1, "network-uploads": 1, "all-uploads": 3
	}`), 0o600))
	p := serve(t, "--config", config, "--data", installation(t), "--tls-cert", chain, "--tls-key", key)
	from := func(addr string) *http.Client {
		c := browser(t, p.url, &tls.Config{RootCAs: ca.pool})
		c.Transport = comingFrom{c.Transport, addr}
		return c
	}
	const base = "https://" + site

	upload := func(c *http.Client, size int) *http.Response {
		t.Helper()
		at := fillAt(t, c, base, 3)
		var body bytes.Buffer
		form := multipart.NewWriter(&body)
		must(t, form.WriteField(ui.GuardField, hidden(t, c, at).Get(ui.GuardField))) // before files
		if size > 0 {
			file, err := form.CreateFormFile("files", "plan.txt")
			must(t, err)
			_, err = io.WriteString(file, strings.Repeat("Zeile mit Text\n", size/15))
			must(t, err)
		}
		must(t, form.WriteField("aktion", "weiter"))
		must(t, form.Close())
		resp, err := c.Post(at, form.FormDataContentType(), &body)
		must(t, err)
		resp.Body.Close()
		return resp
	}
	letter := func(addr string) int {
		t.Helper()
		c := from(addr)
		at := base + upload(c, 0).Header.Get("Location")
		words := hidden(t, c, at)
		words.Set("aktion", "weiter")
		resp, err := c.PostForm(at, words)
		must(t, err)
		resp.Body.Close()
		if to := resp.Header.Get("Location"); resp.StatusCode == http.StatusSeeOther && !strings.HasPrefix(to, "/nachricht/gesendet") {
			t.Fatalf("the letter leads to %q", to)
		}
		return resp.StatusCode
	}
	if one, two, far := letter("192.0.2.1"), letter("192.0.2.2"), letter("198.51.100.1"); one != 303 || two < 400 || two >= 500 || far != 303 {
		t.Errorf("letters: first %d, second of the network %d, of another %d", one, two, far)
	}
	for _, u := range []struct {
		addr string
		want int
	}{{"203.0.113.1", 303}, {"203.0.113.2", 422}, {"192.0.2.9", 303}, {"198.51.100.9", 303}, {"100.64.0.1", 303}, {"100.65.0.1", 422}} {
		if got := upload(from(u.addr), 700<<10).StatusCode; got != u.want {
			t.Errorf("700 kB from %s: %d, want %d", u.addr, got, u.want)
		}
	}
	must(t, p.stop(syscall.SIGTERM))
	if !strings.Contains(p.out.String(), "letters-per-hour=1 network-uploads=1 all-uploads=3") {
		t.Error("the log of the start does not name the limits")
	}
}

func TestServe_RefusesWrongLimits(t *testing.T) {
	for _, flag := range []string{"--letters-per-hour=-1", "--network-uploads=-5", "--all-uploads=2000000000"} {
		p, err := start(t.TempDir(), nil, "serve", "--addr", "127.0.0.1:0", "--data", t.TempDir(), flag)
		if err == nil {
			p.kill()
			t.Errorf("serve takes %s", flag)
		}
	}
}
