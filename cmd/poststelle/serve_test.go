package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"poststelle/internal/web/ui"
)

const site = "vps.musterstadt.example"

// authority is a certificate authority of the test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key := newKey(t)
	a := &authority{key: key, pool: x509.NewCertPool(), cert: &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}}
	raw, err := x509.CreateCertificate(rand.Reader, a.cert, a.cert, key.Public(), key)
	must(t, err)
	if a.cert, err = x509.ParseCertificate(raw); err != nil {
		t.Fatal(err)
	}
	a.pool.AddCert(a.cert)
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	return key
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// issue writes a certificate for the site with that number, as a renewal does.
func (a *authority) issue(t *testing.T, dir string, serial int64) (chain, key string) {
	t.Helper()
	k := newKey(t)
	raw, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(serial), DNSNames: []string{site}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}, a.cert, k.Public(), a.key)
	must(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(k)
	must(t, err)
	chain, key = filepath.Join(dir, "chain.pem"), filepath.Join(dir, "key.pem")
	for name, block := range map[string]*pem.Block{chain: {Type: "CERTIFICATE", Bytes: raw}, key: {Type: "PRIVATE KEY", Bytes: der}} {
		must(t, os.WriteFile(name+".new", pem.EncodeToMemory(block), 0o600))
		must(t, os.Rename(name+".new", name))
	}
	return chain, key
}

// installation is a data directory with one authority.
func installation(t *testing.T) string {
	t.Helper()
	data := t.TempDir()
	run(t, "tenant", "add", "musterstadt", "--data", data, "--profile", "vorlage", "--name", "Stadt Musterstadt", "--ars", "081110000000", "--host", site)
	return data
}

func run(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command("poststelle", args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("poststelle %s: %v: %s", strings.Join(args, " "), err, stderr.String())
	}
	return string(out)
}

func serve(t *testing.T, args ...string) *process {
	t.Helper()
	p, err := start(t.TempDir(), nil, append([]string{"serve", "--addr", "127.0.0.1:0"}, args...)...)
	must(t, err)
	t.Cleanup(p.kill)
	return p
}

// browser talks to the server at addr whatever the host of an address is, and
// follows no redirect.
func browser(t *testing.T, addr string, conf *tls.Config) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	must(t, err)
	tr := &http.Transport{TLSClientConfig: conf, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, addr)
	}}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Jar: jar, Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func get(t *testing.T, c *http.Client, address string) *http.Response {
	t.Helper()
	resp, err := c.Get(address)
	must(t, err)
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func TestServe_TLS(t *testing.T) {
	if noAssets(t) {
		return
	}
	ca, dir := newAuthority(t), t.TempDir()
	chain, key := ca.issue(t, dir, 7)
	p := serve(t, "--data", installation(t), "--tls-cert", chain, "--tls-key", key, "--redirect", "127.0.0.1:0")
	c := browser(t, p.url, &tls.Config{RootCAs: ca.pool})

	resp := get(t, c, "https://"+site+"/nachricht")
	if resp.TLS.Version != tls.VersionTLS13 || resp.StatusCode != http.StatusSeeOther {
		t.Errorf("status %d over %s", resp.StatusCode, tls.VersionName(resp.TLS.Version))
	}
	if h := resp.Header.Get("Strict-Transport-Security"); !strings.Contains(h, "max-age=") {
		t.Errorf("Strict-Transport-Security = %q", h)
	}
	cookie := resp.Header.Get("Set-Cookie")
	for _, want := range []string{"__Host-ps_sitzung=", "; Path=/", "; Secure", "; HttpOnly", "; SameSite=Lax"} {
		if !strings.Contains(cookie, want) {
			t.Errorf("Set-Cookie = %q, lacks %q", cookie, want)
		}
	}
	if strings.Contains(strings.ToLower(cookie), "domain") {
		t.Errorf("Set-Cookie = %q has a domain", cookie)
	}
	if _, err := tls.Dial("tcp", p.url, &tls.Config{RootCAs: ca.pool, ServerName: site, MaxVersion: tls.VersionTLS12}); err == nil {
		t.Error("TLS 1.2 is spoken without --tls-12")
	}
	if resp, err := http.Get("http://" + p.url + "/"); err == nil {
		resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest {
			t.Errorf("plain HTTP on the TLS port: status %d", resp.StatusCode)
		}
	}
	// A renewed certificate is used for the next connection.
	ca.issue(t, dir, 8)
	if got := serial(t, ca, p.url); got != 8 {
		t.Errorf("after the renewal the certificate has the number %d, want 8", got)
	}
	// Half a renewal, a broken file: the old one stays.
	must(t, os.WriteFile(chain, []byte("broken"), 0o600))
	if got := serial(t, ca, p.url); got != 8 {
		t.Errorf("with a broken file the certificate has the number %d, want 8", got)
	}
	testRedirect(t, p)
	must(t, p.stop(syscall.SIGTERM))
}

func serial(t *testing.T, ca *authority, addr string) int64 {
	t.Helper()
	conn, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: ca.pool, ServerName: site})
	must(t, err)
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

// testRedirect looks at the listener that leads plain HTTP to HTTPS.
func testRedirect(t *testing.T, p *process) {
	t.Helper()
	m := regexp.MustCompile(`msg=ready .*redirect=(\S+)`).FindStringSubmatch(p.out.String())
	if m == nil {
		t.Fatalf("no redirect in the log: %s", p.out)
	}
	c := browser(t, m[1], nil)
	_, port, err := net.SplitHostPort(p.url)
	must(t, err)
	resp := get(t, c, "http://"+site+"/abholen?x=1")
	if got, want := resp.Header.Get("Location"), "https://"+site+":"+port+"/abholen?x=1"; resp.StatusCode != http.StatusMovedPermanently || got != want {
		t.Errorf("status %d to %q, want 301 to %q", resp.StatusCode, got, want)
	}
	if resp.Header.Get("Strict-Transport-Security") != "" {
		t.Error("Strict-Transport-Security over plain HTTP (RFC 6797, 7.2)")
	}
	resp = get(t, c, "http://elsewhere.example/")
	if resp.StatusCode != http.StatusMisdirectedRequest || resp.Header.Get("Location") != "" {
		t.Errorf("unknown host: status %d to %q", resp.StatusCode, resp.Header.Get("Location"))
	}
	post, err := c.PostForm("http://"+site+"/nachricht/1", url.Values{"mailbox": {"poststelle"}})
	must(t, err)
	defer post.Body.Close()
	if post.StatusCode != http.StatusForbidden || post.Header.Get("Location") != "" {
		t.Errorf("a form over plain HTTP: status %d to %q, want 403", post.StatusCode, post.Header.Get("Location"))
	}
}

func TestServe_TLS12BySwitch(t *testing.T) {
	if noAssets(t) {
		return
	}
	ca := newAuthority(t)
	chain, key := ca.issue(t, t.TempDir(), 7)
	p := serve(t, "--data", installation(t), "--tls-cert", chain, "--tls-key", key, "--tls-12")
	for version, good := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		conn, err := tls.Dial("tcp", p.url, &tls.Config{RootCAs: ca.pool, ServerName: site, MinVersion: version, MaxVersion: version})
		if (err == nil) != good {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
		if err == nil {
			conn.Close()
		}
	}
	must(t, p.stop(syscall.SIGTERM))
}

// seenAddresses are those in the access log, without the test's own.
func seenAddresses(t *testing.T, data string) string {
	t.Helper()
	return run(t, "accesslog", "export", "--data", data, "--tenant", "musterstadt", "--ground", "test", "--reason", "Adressen")
}

func TestServe_BehindProxy(t *testing.T) {
	if noAssets(t) {
		return
	}
	const visitor = "203.0.113.77"
	for _, c := range []struct {
		name    string
		flags   []string
		believe bool
	}{
		{"trusted", []string{"--trusted-proxy", "127.0.0.0/8"}, true},
		{"stranger", []string{"--trusted-proxy", "10.0.0.0/8"}, false},
		{"none named", nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			data := installation(t)
			p := serve(t, append([]string{"--data", data, "--behind-proxy"}, c.flags...)...)
			req, err := http.NewRequest(http.MethodGet, "http://"+site+"/nachricht", nil)
			must(t, err)
			req.Header.Set("X-Forwarded-For", visitor)
			req.Header.Set("X-Forwarded-Proto", "https")
			req.Header.Set("X-Forwarded-Host", "elsewhere.example")
			resp, err := browser(t, p.url, nil).Do(req)
			must(t, err)
			defer resp.Body.Close()
			if resp.StatusCode != http.StatusSeeOther {
				t.Errorf("status %d", resp.StatusCode)
			}
			if cookie := resp.Header.Get("Set-Cookie"); !strings.HasPrefix(cookie, "__Host-") || !strings.Contains(cookie, "; Secure") {
				t.Errorf("Set-Cookie = %q", cookie)
			}
			if resp.Header.Get("Strict-Transport-Security") == "" {
				t.Error("no Strict-Transport-Security behind the proxy")
			}
			log := seenAddresses(t, data)
			if strings.Contains(log, visitor) != c.believe || strings.Contains(log, `"127.0.0.1"`) == c.believe {
				t.Errorf("X-Forwarded-For believed: want %v; log:\n%s", c.believe, log)
			}
			must(t, p.stop(syscall.SIGTERM))
		})
	}
}

// TestServe_DrainsRunningUpload stops the server in the middle of an upload: it
// takes no new connection and answers the running one.
func TestServe_DrainsRunningUpload(t *testing.T) {
	if noAssets(t) {
		return
	}
	p := serve(t, "--data", installation(t))
	c := browser(t, p.url, nil)
	at := fill(t, c, 3)
	token := hidden(t, c, at).Get(ui.GuardField)

	pr, pw := io.Pipe()
	form := multipart.NewWriter(pw)
	req, err := http.NewRequest(http.MethodPost, at, pr)
	must(t, err)
	req.Header.Set("Content-Type", form.FormDataContentType())
	type answer struct {
		resp *http.Response
		err  error
	}
	answered := make(chan answer, 1)
	go func() {
		resp, err := c.Do(req)
		answered <- answer{resp, err}
	}()
	must(t, form.WriteField(ui.GuardField, token)) // before files
	file, err := form.CreateFormFile("files", "plan.txt")
	must(t, err)
	half := []byte(strings.Repeat("Zeile mit Text\n", 200_000)) // more than fits into the buffers on the way
	_, err = file.Write(half)
	must(t, err)

	must(t, p.cmd.Process.Signal(syscall.SIGTERM))
	refused := func() bool {
		conn, err := net.DialTimeout("tcp", p.url, time.Second)
		if err == nil {
			conn.Close()
		}
		return err != nil
	}
	for deadline := time.Now().Add(patience); !refused(); {
		if time.Now().After(deadline) {
			t.Fatal("the server takes new connections after SIGTERM")
		}
	}
	select {
	case a := <-answered:
		t.Fatalf("the upload was cut off: %v, %v", a.resp, a.err)
	default:
	}
	_, err = file.Write(half)
	must(t, err)
	must(t, form.WriteField("aktion", "weiter"))
	must(t, form.Close())
	must(t, pw.Close())
	a := <-answered
	must(t, a.err)
	defer a.resp.Body.Close()
	if to := a.resp.Header.Get("Location"); a.resp.StatusCode != http.StatusSeeOther || !strings.HasPrefix(to, "/nachricht/5") {
		body, _ := io.ReadAll(a.resp.Body)
		t.Errorf("the upload was answered with %d to %q: %.2000s", a.resp.StatusCode, to, body)
	}
	if err := <-p.done; err != nil {
		t.Errorf("the server ended with %v: %s", err, p.out)
	}
}

// fill writes a letter up to a step and returns the address of the next.
func fill(t *testing.T, c *http.Client, steps int) string {
	t.Helper()
	return fillAt(t, c, "http://"+site, steps)
}

func fillAt(t *testing.T, c *http.Client, base string, steps int) string {
	t.Helper()
	at := get(t, c, base+"/nachricht").Header.Get("Location")
	for _, v := range []url.Values{
		{"mailbox": {"poststelle"}}, {"topic": {"allgemein"}}, {"subject": {"Laterne"}, "body": {"Die Laterne ist aus."}, "reply": {"code"}},
	}[:steps] {
		v.Set("aktion", "weiter")
		for name, values := range hidden(t, c, base+at) {
			v[name] = values
		}
		resp, err := c.PostForm(base+at, v)
		must(t, err)
		defer resp.Body.Close()
		next := resp.Header.Get("Location")
		if resp.StatusCode != http.StatusSeeOther || next == at {
			body, _ := io.ReadAll(resp.Body)
			t.Fatalf("%s: status %d to %q: %.2000s", at, resp.StatusCode, next, body)
		}
		at = next
	}
	return base + at
}

// TestServe_LogHoldsNothing looks at what serve prints: ids and kinds, never
// what people send along.
func TestServe_LogHoldsNothing(t *testing.T) {
	if noAssets(t) {
		return
	}
	p := serve(t, "--data", installation(t), "--log-format", "text")
	c := browser(t, p.url, nil)
	get(t, c, "http://"+site+"/abholen?code=GEHEIMNIS")
	get(t, c, "http://"+site+"/GEHEIMNIS")
	get(t, c, "http://geheimnis.example/")
	at := fill(t, c, 2)
	resp, err := c.PostForm(at, url.Values{"subject": {"GEHEIMNIS"}, "body": {strings.Repeat("GEHEIMNIS ", 5000)}, "reply": {"code"}})
	must(t, err)
	resp.Body.Close()
	must(t, p.stop(syscall.SIGINT))
	in := bufio.NewScanner(strings.NewReader(p.out.String()))
	for in.Scan() {
		if strings.Contains(strings.ToUpper(in.Text()), "GEHEIMNIS") {
			t.Errorf("the log repeats what was sent: %s", in.Text())
		}
	}
	if !strings.Contains(p.out.String(), "msg=ready") {
		t.Error("the log was not read")
	}
}
