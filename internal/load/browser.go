package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"poststelle/internal/fault"
)

// errNotLocal is the answer to every address that is not of this machine:
// load is for one's own server, and a mistyped name must not hit a stranger.
var errNotLocal = fmt.Errorf("load drives only servers on this machine: %w", fault.Denied)

// target checks an address and returns it without path.
func target(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return nil, fmt.Errorf("address %q is not http://host:port: %w", raw, fault.Invalid)
	}
	name := strings.ToLower(u.Hostname())
	if ip := net.ParseIP(name); ip != nil && ip.IsLoopback() || local(name) {
		return &url.URL{Scheme: u.Scheme, Host: u.Host, Path: "/"}, nil
	}
	return nil, errNotLocal
}

// local names are loopback by definition (RFC 6761, section 6.3); they are
// never looked up.
func local(name string) bool { return name == "localhost" || strings.HasSuffix(name, ".localhost") }

// transport connects to this machine and to nothing else: the address that is
// really dialled is checked too. From is the address it calls from; nil is any.
func transport(clients int, from net.IP) *http.Transport {
	d := net.Dialer{Timeout: 10 * time.Second, LocalAddr: localAddr(from), Control: func(_, address string, _ syscall.RawConn) error {
		host, _, err := net.SplitHostPort(address)
		if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
			return errNotLocal
		}
		return nil
	}}
	return &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			host, port, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			if local(strings.ToLower(host)) {
				address = net.JoinHostPort("127.0.0.1", port)
			}
			return d.DialContext(ctx, network, address)
		},
		MaxIdleConns: 4 * clients, MaxIdleConnsPerHost: 4 * clients, DisableCompression: true,
	}
}

func localAddr(from net.IP) net.Addr {
	if from == nil {
		return nil
	}
	return &net.TCPAddr{IP: from}
}

// browser is one visitor: cookies and the place they are at. It is for one
// goroutine.
type browser struct {
	http    *http.Client
	base    *url.URL
	cookies map[string]string
}

func newBrowser(base *url.URL, tr *http.Transport) *browser {
	return &browser{
		base: base, cookies: map[string]string{},
		http: &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
}

// answer is a response, read to its end.
type answer struct {
	status   int
	url      *url.URL
	location *url.URL // nil unless it is a redirect
	body     []byte
}

func (a answer) refused() error {
	where := a.url.Path
	if h := byID(a.body, "fehler"); h != "" {
		where += ": " + h
	}
	return fmt.Errorf("status %d at %s", a.status, where)
}

func (b *browser) do(ctx context.Context, method string, u *url.URL, contentType string, body io.Reader) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return answer{}, err
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	req.Header.Set("Accept-Language", "de")
	req.Header.Set("User-Agent", "poststelle-load")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	for name, value := range b.cookies {
		req.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	resp, err := b.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	for _, c := range resp.Cookies() {
		b.cookies[c.Name] = c.Value
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		}
	}
	a := answer{status: resp.StatusCode, url: u}
	if a.body, err = io.ReadAll(resp.Body); err != nil {
		return answer{}, err
	}
	if l := resp.Header.Get("Location"); l != "" && resp.StatusCode/100 == 3 {
		if a.location, err = u.Parse(l); err != nil {
			return answer{}, err
		}
		if a.location.Host != b.base.Host {
			return answer{}, fmt.Errorf("led to another host: %w", errNotLocal)
		}
	}
	return a, nil
}

// get loads a page and follows redirects.
func (b *browser) get(ctx context.Context, u *url.URL) (answer, error) {
	for range 10 {
		a, err := b.do(ctx, http.MethodGet, u, "", nil)
		if err != nil || a.location == nil {
			if err == nil && a.status != http.StatusOK {
				err = a.refused()
			}
			return a, err
		}
		u = a.location
	}
	return answer{}, errors.New("redirects in a circle")
}

func (b *browser) getPath(ctx context.Context, path string) (answer, error) {
	u, err := b.base.Parse(path)
	if err != nil {
		return answer{}, err
	}
	return b.get(ctx, u)
}

// submit sends a form and returns the answer itself: a form that was taken
// answers with a redirect.
func (b *browser) submit(ctx context.Context, f *form, files ...upload) (answer, error) {
	contentType, body, err := f.body(files)
	if err != nil {
		return answer{}, err
	}
	if f.action.Host != b.base.Host {
		return answer{}, fmt.Errorf("form of another host: %w", errNotLocal)
	}
	return b.do(ctx, http.MethodPost, f.action, contentType, body)
}

// submitAndFollow sends a form that must be taken and loads the next page.
func (b *browser) submitAndFollow(ctx context.Context, f *form, files ...upload) (answer, error) {
	a, err := b.submit(ctx, f, files...)
	if err != nil {
		return answer{}, err
	}
	if a.location == nil {
		return answer{}, a.refused()
	}
	return b.get(ctx, a.location)
}
