package web_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"poststelle/internal/web"
)

// serve starts web.Server on a socket of its own.
func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	start(t, h, l)
	return l.Addr().String()
}

func start(t *testing.T, h http.Handler, l net.Listener) {
	srv := web.Server(h)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Serve(l)
	}()
	t.Cleanup(func() {
		srv.Close()
		<-done
	})
}

// exchange sends raw bytes and returns the statuses of all answers.
func exchange(t *testing.T, addr, request string) (statuses []int) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	go func() {
		_, _ = io.WriteString(conn, request)
		_ = conn.(*net.TCPConn).CloseWrite()
	}()
	r := bufio.NewReader(conn)
	for {
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			return statuses
		}
		_, _ = io.Copy(io.Discard, res.Body)
		statuses = append(statuses, res.StatusCode)
	}
}

// Each request is read in one way only: one answer, or 400. The smuggled
// request for /abholen must never be answered.
func TestRaw_Smuggling(t *testing.T) {
	w := newWorld(t, standardRoutes)
	addr := serve(t, w.router)
	const inner = "GET /abholen HTTP/1.1\r\nHost: localhost\r\n\r\n"
	for _, tc := range []struct {
		name, request string
		want          []int
	}{
		{"plain", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", []int{200}},
		{"pipelined", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" + inner, []int{200, 200}},
		{"two lengths", "POST /klein HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcde" + inner, []int{400}},
		{"length list", "POST /klein HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5, 5\r\n\r\nabcde" + inner, []int{400}},
		{"signed length", "POST /klein HTTP/1.1\r\nHost: localhost\r\nContent-Length: +5\r\n\r\nabcde" + inner, []int{400}},
		{"negative length", "POST /klein HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n" + inner, []int{400}},
		{"hex length", "POST /klein HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0x5\r\n\r\nabcde", []int{400}},
		{"space before colon", "POST /klein HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", []int{400}},
		{"unknown coding", "POST /klein HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", []int{501}},
		{"two codings", "POST /klein HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", []int{501}},
		{"folded header", "GET / HTTP/1.1\r\nHost: localhost\r\n folded\r\n\r\n", []int{400}},
		{"folded coding", "POST /klein HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", nil},
		{"bare LF in chunk size", "POST /klein HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n1;\nx\r\n0\r\n\r\n", nil},
		{"bad chunk size", "POST /klein HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n" + inner, []int{422}},
		{"two hosts", "GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", []int{400}},
		{"no host", "GET / HTTP/1.1\r\n\r\n", []int{400}},
		{"host with path", "GET / HTTP/1.1\r\nHost: localhost/evil\r\n\r\n", []int{400}},
		{"host with user", "GET / HTTP/1.1\r\nHost: evil@localhost\r\n\r\n", []int{400}},
		{"host with bad port", "GET / HTTP/1.1\r\nHost: localhost:80evil\r\n\r\n", []int{421}},
		{"unknown host", "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", []int{421}},
		{"absolute form", "GET http://localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n", []int{400}},
		{"absolute form, other host", "GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n", []int{400}},
		{"options of the server", "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", []int{400}},
		{"connect", "CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n", []int{400}},
		{"trace", "TRACE / HTTP/1.1\r\nHost: localhost\r\n\r\n", []int{405}},
		{"no slash", "GET abholen HTTP/1.1\r\nHost: localhost\r\n\r\n", []int{400}},
		{"two slashes", "GET //evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n", []int{404}},
		{"NUL in target", "GET /\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n", []int{400}},
		{"NUL in header", "GET / HTTP/1.1\r\nHost: localhost\r\nX: a\x00b\r\n\r\n", []int{400}},
		{"bare CR in header", "GET / HTTP/1.1\r\nHost: localhost\r\nX: a\rContent-Length: 3\r\n\r\n", []int{400}},
		{"space in name", "GET / HTTP/1.1\r\nHost: localhost\r\nX Y: a\r\n\r\n", []int{400}},
		{"HTTP/1.2", "GET / HTTP/3.0\r\nHost: localhost\r\n\r\n", []int{505}},
		{"40 kB header", "GET / HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("a", 40<<10) + "\r\n\r\n", []int{431}},
		{"1000 headers", "GET / HTTP/1.1\r\nHost: localhost\r\n" + strings.Repeat("X-Long-Enough: aaaaaaaa\r\n", 1000) + "\r\n", []int{431}},
		{"lying length", "POST /klein HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 50\r\n\r\na=1", []int{422}},
	} {
		got := exchange(t, addr, tc.request)
		if tc.want == nil { // any reading that does not execute something hidden
			if len(got) > 1 {
				t.Errorf("%s: %v, want one answer", tc.name, got)
			}
			continue
		}
		if len(got) != len(tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
			continue
		}
		for i := range got {
			if got[i] != tc.want[i] {
				t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
			}
		}
	}
}

// Both a length and a chunked body: the chunked body counts, the connection
// ends after it (RFC 9112, 6.1), so nothing can hide behind it.
func TestRaw_LengthAndChunked(t *testing.T) {
	w := newWorld(t, standardRoutes)
	addr := serve(t, w.router)
	got := exchange(t, addr, "POST /klein HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n"+
		"Transfer-Encoding: chunked\r\n\r\n3\r\na=1\r\n0\r\n\r\nGET /abholen HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if len(got) == 0 || got[0] != 303 && got[0] != 400 || len(got) > 2 {
		t.Errorf("answers %v", got)
	}
}

// An endless chunked body is cut at the limit, and the handler never sees more.
func TestRaw_EndlessBody(t *testing.T) {
	w := newWorld(t, standardRoutes)
	addr := serve(t, w.router)
	chunk := "1000\r\n" + strings.Repeat("x", 0x1000) + "\r\n"
	got := exchange(t, addr, "POST /klein HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"+
		"Transfer-Encoding: chunked\r\n\r\n"+strings.Repeat(chunk, 100)+"0\r\n\r\n")
	if len(got) != 1 || got[0] != 413 {
		t.Errorf("answers %v, want 413", got)
	}
}

// A body that only trickles in is cut when its time is over, and so is a reader
// that does not read. The clock of the router lags, so that the time is short.
func TestRaw_SlowPeers(t *testing.T) {
	read := make(chan error, 1)
	wrote := make(chan error, 1)
	w := newWorld(t, func(rt *web.Router) {
		rt.Handle("POST /langsam", func(_ http.ResponseWriter, r *http.Request) error {
			_, err := web.Form(r)
			read <- err
			return err
		})
		rt.Handle("GET /gross", func(w http.ResponseWriter, r *http.Request) error {
			web.Attachment(w, r, "x.bin", "application/octet-stream", 64<<20)
			for range 64 {
				if _, err := w.Write(make([]byte, 1<<20)); err != nil {
					wrote <- err
					return err
				}
			}
			wrote <- nil
			return nil
		})
	})
	w.clock.add(-29 * time.Second)
	addr := serve(t, w.router)
	if got := exchange(t, addr, "POST /langsam HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 5\r\n\r\na=1"); len(got) != 1 || got[0] != 422 {
		t.Errorf("cut body: %v, want 422", got)
	}
	if err := <-read; err == nil {
		t.Error("half a form was taken")
	}
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "POST /langsam HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 5\r\n\r\na=")
	if err := <-read; err == nil { // the connection stays open and silent
		t.Error("a silent body was taken")
	}
	conn2, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn2.Close()
	_, _ = io.WriteString(conn2, "GET /gross HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if err := <-wrote; err == nil {
		t.Error("64 MiB went to a peer that does not read")
	}
	w.wait(t, 3)
}

func writePair(t *testing.T, dir, host string, serial int64, mod time.Time) web.KeyPair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	p := web.KeyPair{CertFile: filepath.Join(dir, host+".pem"), KeyFile: filepath.Join(dir, host+".key")}
	for name, block := range map[string]*pem.Block{p.CertFile: {Type: "CERTIFICATE", Bytes: der}, p.KeyFile: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(name, mod, mod); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func handshake(addr, host string, maxVersion uint16) (serial int64, protocol string, err error) {
	conn, err := tls.Dial("tcp", addr, &tls.Config{ServerName: host, InsecureSkipVerify: true, MaxVersion: maxVersion, NextProtos: []string{"h2"}})
	if err != nil {
		return 0, "", err
	}
	defer conn.Close()
	st := conn.ConnectionState()
	return st.PeerCertificates[0].SerialNumber.Int64(), st.NegotiatedProtocol, nil
}

func TestListenTLS(t *testing.T) {
	w := newWorld(t, standardRoutes)
	dir := t.TempDir()
	past := time.Now().Add(-time.Minute)
	pairs := []web.KeyPair{writePair(t, dir, "musterstadt.example", 1, past), writePair(t, dir, "beispielingen.localhost", 2, past)}
	l, err := web.ListenTLS(t.Context(), "127.0.0.1:0", web.TLSConfig{Pairs: pairs})
	if err != nil {
		t.Fatal(err)
	}
	start(t, w.router, l)
	addr := l.Addr().String()
	for host, want := range map[string]int64{"musterstadt.example": 1, "beispielingen.localhost": 2, "unknown.example": 1} {
		serial, protocol, err := handshake(addr, host, 0)
		if err != nil || serial != want || protocol != "h2" {
			t.Errorf("%s: certificate %d, %q, %v; want %d", host, serial, protocol, err, want)
		}
	}
	if _, _, err := handshake(addr, "musterstadt.example", tls.VersionTLS12); err == nil {
		t.Error("TLS 1.2 accepted without the switch")
	}
	writePair(t, dir, "musterstadt.example", 3, time.Now())
	if serial, _, err := handshake(addr, "musterstadt.example", 0); err != nil || serial != 3 {
		t.Errorf("after renewal: certificate %d, %v; want 3", serial, err)
	}
	if err := os.WriteFile(pairs[0].CertFile, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if serial, _, err := handshake(addr, "musterstadt.example", 0); err != nil || serial != 3 {
		t.Errorf("while a file is broken: certificate %d, %v; want the old one", serial, err)
	}
	client := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true, ServerName: "localhost"},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, addr)
		}}}
	defer client.CloseIdleConnections()
	res, err := client.Get("https://localhost/abholen")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.ProtoMajor != 2 || res.StatusCode != 200 || res.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("HTTP/%d, status %d, HSTS %q", res.ProtoMajor, res.StatusCode, res.Header.Get("Strict-Transport-Security"))
	}
	if _, err := web.ListenTLS(t.Context(), "127.0.0.1:0", web.TLSConfig{Pairs: []web.KeyPair{{CertFile: "missing", KeyFile: "missing"}}}); err == nil {
		t.Error("a missing certificate is no error")
	}
	if _, err := web.ListenTLS(t.Context(), "127.0.0.1:0", web.TLSConfig{}); err == nil {
		t.Error("no certificate is no error")
	}
}

func TestRedirectHTTPS(t *testing.T) {
	w := newWorld(t, func(rt *web.Router) {
		rt.For(web.Public()).Handle("GET /abholen", func(http.ResponseWriter, *http.Request) error { return nil })
	})
	addr := serve(t, w.router.RedirectHTTPS(8443))
	for i, c := range []struct{ request, want, record string }{
		{"GET /abholen?a=b HTTP/1.1\r\nHost: musterstadt.example:8080\r\n\r\n", "301 https://musterstadt.example:8443/abholen?a=b", "muster /abholen 301"},
		{"GET /geheim/k7 HTTP/1.1\r\nHost: musterstadt.example\r\n\r\n", "301 https://musterstadt.example:8443/geheim/k7", "muster unmatched 301"},
		{"GET /abholen HTTP/1.1\r\nHost: evil.example\r\n\r\n", "421 ", " unmatched 421"},
		{"POST /abholen HTTP/1.1\r\nHost: musterstadt.example\r\nContent-Length: 0\r\n\r\n", "403 ", "muster /abholen 403"},
		{"GET //evil.example HTTP/1.1\r\nHost: musterstadt.example\r\n\r\n", "400 ", "muster unmatched 400"},
	} {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, c.request)
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		conn.Close()
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Fields(res.Status)[0] + " " + res.Header.Get("Location"); got != c.want {
			t.Errorf("%q = %q, want %q", c.request, got, c.want)
		}
		r := w.lastRecord(t, i+1)
		if got := fmt.Sprintf("%s %s %d", r.Site.ID, r.Route, r.Status); got != c.record || !r.IP.IsLoopback() {
			t.Errorf("%q is recorded as %q from %s, want %q", c.request, got, r.IP, c.record)
		}
	}
}
