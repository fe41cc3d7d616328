package mail_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/big"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	netmail "net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"poststelle/internal/fault"
	"poststelle/internal/mail"
)

var at = time.Date(2026, 11, 26, 9, 12, 0, 0, time.UTC)

func letter() mail.Message {
	return mail.Message{
		From: "Stadt Müsterlingen <post@stadt.example>", To: "erika@example.org", Subject: "Neue Antwort für Sie",
		Text: "Guten Tag,\n\nes liegt eine Antwort für Sie bereit.\n", ID: "m-1.a_B", At: at,
	}
}

// relay is a real SMTP server that records what reaches it.
type relay struct {
	addr  string
	roots *x509.CertPool

	mu      sync.Mutex
	from    []string
	rcpt    []string
	data    [][]byte
	users   []string
	wire    bytes.Buffer
	mailErr error
	rcptErr error
	dataErr error
}

func (r *relay) NewSession(*smtp.Conn) (smtp.Session, error) { return &session{r: r}, nil }

type session struct {
	r  *relay
	ok bool
}

func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }
func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, pass string) error {
		if user != "post" || pass != "geheim" {
			return smtp.ErrAuthFailed
		}
		s.r.mu.Lock()
		defer s.r.mu.Unlock()
		s.r.users = append(s.r.users, user)
		s.ok = true
		return nil
	}), nil
}
func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	s.r.from = append(s.r.from, from)
	return s.r.mailErr
}
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	s.r.rcpt = append(s.r.rcpt, to)
	return s.r.rcptErr
}
func (s *session) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	if s.r.dataErr != nil {
		return s.r.dataErr
	}
	s.r.data = append(s.r.data, b)
	return nil
}
func (s *session) Reset()        {}
func (s *session) Logout() error { return nil }

// newRelay starts a server whose certificate is valid for host, signed by a
// CA made for this test. mode is the client's mode.
func newRelay(t *testing.T, mode mail.TLS, host string, set func(*relay)) *relay {
	t.Helper()
	cert, roots := authority(t, host)
	r := &relay{roots: roots}
	if set != nil {
		set(r)
	}
	srv := smtp.NewServer(r)
	srv.Domain = "relay.example"
	srv.AllowInsecureAuth = false
	srv.Debug = writerFunc(func(b []byte) (int, error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.wire.Write(b)
	})
	srv.ErrorLog = quiet{}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.addr = l.Addr().String()
	conf := &tls.Config{Certificates: []tls.Certificate{cert}}
	switch mode {
	case mail.TLSRequired:
		l = tls.NewListener(l, conf)
	case mail.TLSStart:
		srv.TLSConfig = conf
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.Serve(l) }()
	t.Cleanup(func() { srv.Close(); <-done })
	return r
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}

func authority(t *testing.T, host string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, ca, ca, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	root, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	leafKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), NotBefore: ca.NotBefore, NotAfter: ca.NotAfter,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	if ip := net.ParseIP(host); ip != nil {
		leaf.IPAddresses = []net.IP{ip}
	} else {
		leaf.DNSNames = []string{host}
	}
	der, err = x509.CreateCertificate(rand.Reader, leaf, root, &leafKey.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(root)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: leafKey}, pool
}

func sender(t *testing.T, cfg mail.SMTPConfig) *mail.SMTP {
	t.Helper()
	if cfg.From == "" {
		cfg.From = "Poststelle <bounce@stadt.example>"
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 20 * time.Second
	}
	s, err := mail.NewSMTP(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSend_Modes(t *testing.T) {
	for _, mode := range []mail.TLS{mail.TLSRequired, mail.TLSStart, mail.TLSNone} {
		t.Run(string(mode), func(t *testing.T) {
			r := newRelay(t, mode, "127.0.0.1", nil)
			cfg := mail.SMTPConfig{Addr: r.addr, TLS: mode, Roots: r.roots, HELO: "web.stadt.example"}
			if mode != mail.TLSNone {
				cfg.Username, cfg.Password = "post", "geheim"
			}
			m := letter()
			m.HTML = "<p>Guten Tag</p>"
			m.Headers = map[string]string{"List-Id": "Hinweise <hinweise.stadt.example>"}
			if err := sender(t, cfg).Send(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			if len(r.data) != 1 || len(r.rcpt) != 1 || r.rcpt[0] != "erika@example.org" || r.from[0] != "bounce@stadt.example" {
				t.Fatalf("relay got %d messages, from %q, for %q", len(r.data), r.from, r.rcpt)
			}
			if mode != mail.TLSNone && len(r.users) != 1 {
				t.Errorf("signed in %d times, want 1", len(r.users))
			}
			if !strings.Contains(r.wire.String(), "EHLO web.stadt.example\r\n") {
				t.Errorf("EHLO name missing")
			}
			got, err := netmail.ReadMessage(bytes.NewReader(r.data[0]))
			if err != nil {
				t.Fatal(err)
			}
			for name, want := range map[string]string{
				"Message-Id": "<m-1.a_B@stadt.example>", "Auto-Submitted": "auto-generated",
				"Date": "Thu, 26 Nov 2026 09:12:00 +0000", "To": "<erika@example.org>", "List-Id": "Hinweise <hinweise.stadt.example>",
				"Return-Receipt-To": "", "Disposition-Notification-To": "", "X-Mailer": "", "User-Agent": "", "Bcc": "",
			} {
				if have := got.Header.Get(name); have != want {
					t.Errorf("%s = %q, want %q", name, have, want)
				}
			}
			subject, err := new(mime.WordDecoder).DecodeHeader(got.Header.Get("Subject"))
			if err != nil || subject != m.Subject {
				t.Errorf("Subject = %q, %v", subject, err)
			}
			from, err := got.Header.AddressList("From")
			if err != nil || len(from) != 1 || from[0].Name != "Stadt Müsterlingen" || from[0].Address != "post@stadt.example" {
				t.Errorf("From = %v, %v", from, err)
			}
			text, html := bodies(t, got)
			if text != m.Text || html != m.HTML {
				t.Errorf("bodies = %q, %q", text, html)
			}
		})
	}
}

// bodies decodes the text and HTML parts.
func bodies(t *testing.T, m *netmail.Message) (text, html string) {
	t.Helper()
	read := func(enc string, r io.Reader) string {
		switch strings.ToLower(enc) {
		case "base64":
			r = base64.NewDecoder(base64.StdEncoding, r)
		case "quoted-printable":
			r = quotedprintable.NewReader(r)
		default:
			t.Errorf("transfer encoding %q", enc)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	if kind == "text/plain" {
		return read(m.Header.Get("Content-Transfer-Encoding"), m.Body), ""
	}
	if kind != "multipart/alternative" {
		t.Fatalf("content type %q", kind)
	}
	mr := multipart.NewReader(m.Body, params["boundary"])
	for {
		p, err := mr.NextRawPart()
		if errors.Is(err, io.EOF) {
			return text, html
		}
		if err != nil {
			t.Fatal(err)
		}
		s := read(p.Header.Get("Content-Transfer-Encoding"), p)
		if strings.HasPrefix(p.Header.Get("Content-Type"), "text/html") {
			html = s
		} else {
			text = s
		}
	}
}

func TestSend_WrongCertificate(t *testing.T) {
	for _, mode := range []mail.TLS{mail.TLSRequired, mail.TLSStart} {
		for _, why := range []string{"other name", "unknown CA"} {
			t.Run(string(mode)+" "+why, func(t *testing.T) {
				host := "127.0.0.1"
				if why == "other name" {
					host = "other.example"
				}
				r := newRelay(t, mode, host, nil)
				cfg := mail.SMTPConfig{Addr: r.addr, TLS: mode, Roots: r.roots, Username: "post", Password: "geheim"}
				if why == "unknown CA" {
					_, cfg.Roots = authority(t, host)
				}
				err := sender(t, cfg).Send(t.Context(), letter())
				if err == nil || mail.IsPermanent(err) || !errors.Is(err, fault.Unavailable) {
					t.Fatalf("Send() = %v, want a temporary error", err)
				}
				r.mu.Lock()
				defer r.mu.Unlock()
				wire := r.wire.String()
				if len(r.from)+len(r.rcpt)+len(r.data)+len(r.users) != 0 || strings.Contains(wire, "MAIL") || strings.Contains(wire, "AUTH PLAIN ") {
					t.Errorf("something was said to the wrong server: %q", wire)
				}
			})
		}
	}
}

func TestSend_NoStartTLS(t *testing.T) {
	r := newRelay(t, mail.TLSNone, "127.0.0.1", nil)
	err := sender(t, mail.SMTPConfig{Addr: r.addr, TLS: mail.TLSStart, Roots: r.roots}).Send(t.Context(), letter())
	if err == nil || mail.IsPermanent(err) {
		t.Fatalf("Send() = %v, want a temporary error", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.from) != 0 {
		t.Error("went on in the clear after STARTTLS was stripped")
	}
}

func TestSend_Replies(t *testing.T) {
	reply := func(code int) error { return &smtp.SMTPError{Code: code, Message: "erika@example.org not now"} }
	for _, tc := range []struct {
		set       func(*relay)
		stage     string
		code      int
		permanent bool
	}{
		{func(r *relay) { r.mailErr = reply(451) }, "mail", 451, false},
		{func(r *relay) { r.mailErr = reply(550) }, "mail", 550, true},
		{func(r *relay) { r.mailErr = reply(530) }, "mail", 530, false},
		{func(r *relay) { r.rcptErr = reply(450) }, "rcpt", 450, false},
		{func(r *relay) { r.rcptErr = reply(550) }, "rcpt", 550, true},
		{func(r *relay) { r.dataErr = reply(452) }, "end", 452, false},
		{func(r *relay) { r.dataErr = reply(554) }, "end", 554, true},
	} {
		t.Run(fmt.Sprint(tc.stage, tc.code), func(t *testing.T) {
			r := newRelay(t, mail.TLSStart, "127.0.0.1", tc.set)
			err := sender(t, mail.SMTPConfig{Addr: r.addr, TLS: mail.TLSStart, Roots: r.roots}).Send(t.Context(), letter())
			e, ok := errors.AsType[*mail.Error](err)
			if !ok || e.Stage != tc.stage || e.Code != tc.code || e.Permanent != tc.permanent || mail.IsPermanent(err) != tc.permanent {
				t.Fatalf("Send() = %v, want %s %d permanent=%v", err, tc.stage, tc.code, tc.permanent)
			}
			if errors.Is(err, fault.Unavailable) == tc.permanent {
				t.Error("only a temporary error is fault.Unavailable")
			}
			for _, s := range []string{"erika", "not now"} {
				if strings.Contains(fmt.Sprintf("%v %+v", err, err), s) {
					t.Errorf("error repeats the relay's words: %v", err)
				}
			}
		})
	}
}

func TestSend_WrongPassword(t *testing.T) {
	r := newRelay(t, mail.TLSStart, "127.0.0.1", nil)
	err := sender(t, mail.SMTPConfig{Addr: r.addr, TLS: mail.TLSStart, Roots: r.roots, Username: "post", Password: "falsch"}).Send(t.Context(), letter())
	if err == nil || mail.IsPermanent(err) || strings.Contains(err.Error(), "falsch") {
		t.Fatalf("Send() = %v, want a temporary error without the password", err)
	}
}

func TestSend_ServerDown(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	if err := sender(t, mail.SMTPConfig{Addr: addr, TLS: mail.TLSNone}).Send(t.Context(), letter()); err == nil || mail.IsPermanent(err) {
		t.Fatalf("Send() = %v, want a temporary error", err)
	}
}

// script is a server of a few lines that does what go-smtp never would. end
// is called with everything received once the end of data has arrived.
func script(t *testing.T, end func(c net.Conn, wire []byte)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			converse(c, end)
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}

func converse(c net.Conn, end func(net.Conn, []byte)) {
	var wire []byte
	buf := make([]byte, 4096)
	until := func(s string) bool {
		from := len(wire)
		for !bytes.Contains(wire[from:], []byte(s)) {
			n, err := c.Read(buf)
			if err != nil {
				return false
			}
			wire = append(wire, buf[:n]...)
		}
		return true
	}
	for _, step := range []string{"220 hi\r\n", "250 relay\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n"} {
		if _, err := io.WriteString(c, step); err != nil {
			return
		}
		want := "\r\n"
		if step[0] == '3' {
			want = "\r\n.\r\n"
		}
		if !until(want) {
			return
		}
	}
	end(c, wire)
}

func TestSend_HangAfterData(t *testing.T) {
	addr := script(t, func(c net.Conn, _ []byte) { _, _ = io.Copy(io.Discard, c) }) // until the client goes
	err := sender(t, mail.SMTPConfig{Addr: addr, TLS: mail.TLSNone, Timeout: 200 * time.Millisecond}).Send(t.Context(), letter())
	if !errors.Is(err, context.DeadlineExceeded) || mail.IsPermanent(err) {
		t.Fatalf("Send() = %v, want a deadline", err)
	}
}

func TestSend_Cancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	addr := script(t, func(c net.Conn, _ []byte) { cancel(); _, _ = io.Copy(io.Discard, c) })
	err := sender(t, mail.SMTPConfig{Addr: addr, TLS: mail.TLSNone}).Send(ctx, letter())
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("Send() = %v, want cancelled", err)
	}
}

func TestSend_Lost250(t *testing.T) {
	var mu sync.Mutex
	var got [][]byte
	lose := true
	addr := script(t, func(c net.Conn, wire []byte) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, wire)
		if !lose {
			_, _ = io.WriteString(c, "250 ok\r\n")
		}
	})
	s := sender(t, mail.SMTPConfig{Addr: addr, TLS: mail.TLSNone})
	if err := s.Send(t.Context(), letter()); err == nil || mail.IsPermanent(err) {
		t.Fatalf("Send() = %v, want a temporary error", err)
	}
	mu.Lock()
	lose = false
	mu.Unlock()
	if err := s.Send(t.Context(), letter()); err != nil { // QUIT is never answered: still sent
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(got) != 2 || !bytes.Equal(got[0], got[1]) {
		t.Errorf("the second attempt differs from the first")
	}
	if !bytes.Contains(got[0], []byte("Message-ID: <m-1.a_B@stadt.example>\r\n")) {
		t.Errorf("no stable Message-ID in %q", got[0])
	}
}

// TestSend_Smuggling sends every known end-of-data trick and looks at the raw
// bytes: no CR without LF, no LF without CR, one end of data, short lines.
func TestSend_Smuggling(t *testing.T) {
	wires := make(chan []byte, 1)
	addr := script(t, func(c net.Conn, wire []byte) { wires <- wire; _, _ = io.WriteString(c, "250 ok\r\n") })
	s := sender(t, mail.SMTPConfig{Addr: addr, TLS: mail.TLSNone})
	for _, trick := range []string{"\r\n.\r\n", "\n.\n", "\r.\r", "\n.\r\n", "\r\n.\n", "\r.\r\n", "\r\n.\r", "\n.\r", "\r\r\n.\r\r\n", "\x00.\r\n", ".\r\n", "\r", "\n", strings.Repeat("x", 5000)} {
		m := letter()
		m.Text = "a" + trick + "MAIL FROM:<evil@example.org>" + trick + "z"
		m.HTML = "<p>" + m.Text
		if err := s.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		got := <-wires
		if n := bytes.Count(got, []byte("\r\n.\r\n")); n != 1 {
			t.Errorf("%q: %d ends of data", trick, n)
		}
		if bare := bytes.ReplaceAll(got, []byte("\r\n"), nil); bytes.ContainsAny(bare, "\r\n\x00") {
			t.Errorf("%q: a bare CR, LF or NUL went over the wire", trick)
		}
		if bytes.Contains(got, []byte("evil@")) {
			t.Errorf("%q: raw body text went over the wire", trick)
		}
		for line := range bytes.SplitSeq(got, []byte("\r\n")) {
			if len(line) > 998 {
				t.Errorf("%q: line of %d bytes", trick, len(line))
			}
		}
		_, data, _ := bytes.Cut(got, []byte("DATA\r\n"))
		parsed, err := netmail.ReadMessage(bytes.NewReader(bytes.TrimSuffix(data, []byte("\r\n.\r\n"))))
		if err != nil {
			t.Fatal(err)
		}
		if text, html := bodies(t, parsed); text != m.Text || html != m.HTML {
			t.Errorf("%q: body changed on the way", trick)
		}
	}
}
