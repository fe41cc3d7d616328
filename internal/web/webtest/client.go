// Package webtest is a browser without scripts for tests: it keeps cookies per
// host, follows redirects, reads pages, fills in forms and submits them as a
// browser does, uploads included.
//
//	c := webtest.New(t, router)
//	page := c.Get("/nachricht/1")
//	form := page.Form("")
//	form.Set("betreff", "Laterne")
//	form.File("anhang", "foto.jpg", "image/jpeg", data)
//	page = form.Submit()
//	if got := page.Text("h1"); got != "Prüfen und senden" { … }
//
// What is wrong with the test itself (no such form, no such field, a select
// without that option) ends the test; what is wrong with the page is for the
// test to say. Two things are always wrong: a page that shows a key without a
// sentence (⟦…⟧), and a connection cut before the end of a response; set
// MayBreak where the latter is expected.
package webtest

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"poststelle/internal/i18n"
	"poststelle/internal/web/ui"
)

// Client is one browser. Change its fields between requests as needed. It is
// for one goroutine; make a second client for a second browser.
type Client struct {
	// Host is the host of relative addresses, "localhost" at first.
	Host string
	// Header is sent with every request, over what the client itself sets.
	Header http.Header
	// RefuseCookies makes the browser keep no cookie.
	RefuseCookies bool
	// NoFollow makes the client return redirects.
	NoFollow bool
	// MayBreak accepts a response that ends early; Page.Broken tells.
	MayBreak bool
	// NoToken makes PostForm leave out the form token of the pages seen.
	NoToken bool
	// Secure pretends that the browser came by https (X-Forwarded-Proto); the
	// router must trust 127.0.0.1 as proxy.
	Secure bool

	t    testing.TB
	addr string
	http *http.Client
	jar  map[string][]*http.Cookie // by host
	seen map[string]string         // form token of the last page with one, by host
}

// New starts a server for h, which stops with the test, and returns a browser.
func New(t testing.TB, h http.Handler) *Client {
	t.Helper()
	srv := httptest.NewUnstartedServer(h)
	srv.Config.DisableGeneralOptionsHandler = true
	srv.Start()
	t.Cleanup(srv.Close)
	return Dial(t, srv.Listener.Addr().String())
}

// Dial returns a browser for a server that runs already, in this process or
// another, at a TCP address.
func Dial(t testing.TB, addr string) *Client {
	tr := &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, addr)
		},
		DisableCompression: true,
		// A kept connection that breaks makes net/http send a request twice.
		DisableKeepAlives: true,
	}
	t.Cleanup(tr.CloseIdleConnections)
	return &Client{Host: "localhost", Header: http.Header{}, t: t, addr: addr, jar: map[string][]*http.Cookie{}, seen: map[string]string{},
		http: &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// Other returns a second browser for the same server, without cookies; it knows
// the form tokens that this one has seen, which are worth nothing without them.
func (c *Client) Other() *Client {
	o := Dial(c.t, c.addr)
	o.Host, o.Secure, o.seen = c.Host, c.Secure, maps.Clone(c.seen)
	return o
}

// Addr is the address of the server, for tests that speak raw TCP.
func (c *Client) Addr() string { return c.addr }

// Cookies returns the cookies kept for the current host.
func (c *Client) Cookies() []*http.Cookie { return slices.Clone(c.jar[c.Host]) }

// Cookie returns the value of a cookie of the current host, "" if there is none.
func (c *Client) Cookie(name string) string {
	for _, k := range c.jar[c.Host] {
		if k.Name == name {
			return k.Value
		}
	}
	return ""
}

// SetCookie plants a cookie for the current host.
func (c *Client) SetCookie(name, value string) {
	c.keep(c.Host, &http.Cookie{Name: name, Value: value})
}

// CloseBrowser forgets all cookies that end with the browser session.
func (c *Client) CloseBrowser() {
	for host, all := range c.jar {
		c.jar[host] = slices.DeleteFunc(all, func(k *http.Cookie) bool { return k.MaxAge == 0 && k.Expires.IsZero() })
	}
}

// ClearCookies forgets all cookies.
func (c *Client) ClearCookies() { c.jar = map[string][]*http.Cookie{} }

func (c *Client) keep(host string, k *http.Cookie) {
	c.jar[host] = slices.DeleteFunc(c.jar[host], func(old *http.Cookie) bool { return old.Name == k.Name })
	if k.MaxAge >= 0 {
		c.jar[host] = append(c.jar[host], k)
	}
}

// Get fetches a path and follows redirects.
func (c *Client) Get(path string) *Page {
	c.t.Helper()
	return c.Do(http.MethodGet, path, "", nil)
}

// PostForm posts fields, name and value alternating, without having seen the
// form; the token of the session comes from the last page that had one.
func (c *Client) PostForm(path string, fields ...string) *Page {
	c.t.Helper()
	v := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		v.Add(fields[i], fields[i+1])
	}
	body := v.Encode()
	host, _ := c.split(path)
	if token := c.seen[host]; token != "" && !c.NoToken && !v.Has(ui.GuardField) {
		body = ui.GuardField + "=" + token + "&" + body
	}
	return c.Do(http.MethodPost, path, "application/x-www-form-urlencoded", []byte(body))
}

// Do sends any request as a browser on this site would, and follows redirects.
func (c *Client) Do(method, path, contentType string, body []byte) *Page {
	c.t.Helper()
	host, path := c.split(path)
	for hop := 0; ; hop++ {
		p := c.once(method, host, path, contentType, body)
		loc := p.Header.Get("Location")
		if c.NoFollow || loc == "" || p.Status < 300 || p.Status > 399 {
			return p
		}
		if hop == 10 {
			c.t.Fatalf("%s %s: more than ten redirects", method, path)
		}
		base := &url.URL{Scheme: "http", Host: host, Path: "/"}
		next, err := base.Parse(loc)
		if err != nil {
			c.t.Fatalf("%s %s: bad Location %q", method, path, loc)
		}
		if p.Status != http.StatusTemporaryRedirect && p.Status != http.StatusPermanentRedirect {
			method, contentType, body = http.MethodGet, "", nil
		}
		host, path = next.Host, next.RequestURI()
	}
}

// split turns an address into host and path.
func (c *Client) split(address string) (host, path string) {
	if strings.HasPrefix(address, "/") {
		return c.Host, address
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		c.t.Fatalf("webtest: %q is neither a path nor an address", address)
	}
	return u.Host, u.RequestURI()
}

func (c *Client) once(method, host, path, contentType string, body []byte) *Page {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, "http://"+host, bytes.NewReader(body))
	if err != nil {
		c.t.Fatalf("webtest: %v", err)
	}
	// The path goes out exactly as the test wrote it.
	raw, query, _ := strings.Cut(path, "?")
	raw, _, _ = strings.Cut(raw, "#")
	query, _, _ = strings.Cut(query, "#")
	req.URL.RawQuery = query
	req.Host = host
	req.URL.Opaque = raw
	req.Header.Set("User-Agent", "webtest")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	scheme := "http://"
	if c.Secure {
		scheme = "https://"
		req.Header.Set("X-Forwarded-Proto", "https")
	}
	if method != http.MethodGet && method != http.MethodHead {
		req.Header.Set("Origin", scheme+host)
	}
	for _, k := range c.jar[host] {
		req.AddCookie(&http.Cookie{Name: k.Name, Value: k.Value})
	}
	for name, values := range c.Header {
		req.Header[name] = values
	}
	res, err := c.http.Do(req)
	if err != nil {
		if c.MayBreak {
			return &Page{Broken: true, Header: http.Header{}, Path: path, c: c, doc: &html.Node{}}
		}
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	data, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil && !c.MayBreak {
		c.t.Fatalf("%s %s: response broken off: %v", method, path, err)
	}
	if !c.RefuseCookies {
		for _, k := range res.Cookies() {
			c.keep(host, k)
		}
	}
	p := &Page{Status: res.StatusCode, Header: res.Header, Body: string(data), Host: host, Path: path, Broken: err != nil, c: c}
	if p.doc, err = html.Parse(strings.NewReader(p.Body)); err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	if strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") {
		if token := p.Attr("input[name="+ui.GuardField+"]", "value"); token != "" {
			c.seen[host] = token
		}
		if i := strings.Index(p.Body, i18n.MarkOpen); i >= 0 {
			end := min(len(p.Body), i+80)
			c.t.Errorf("%s %s: key without sentence: %s", method, path, p.Body[i:end])
		}
	}
	return p
}
