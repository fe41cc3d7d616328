package inbound_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"log/slog"
	"math/big"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"poststelle/internal/inbound"
	"poststelle/internal/tenant"
)

// certificate is one for mx.example, and what trusts it.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mx.example"}, DNSNames: []string{"mx.example"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, tpl, tpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func withTLS(t *testing.T) (*desk, *x509.CertPool) {
	t.Helper()
	cert, pool := certificate(t)
	return newDesk(t, inbound.SMTP, func(c *inbound.Config) {
		c.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	}), pool
}

// encrypt does the handshake and goes on inside of it.
func (k *talk) encrypt(pool *x509.CertPool) {
	k.t.Helper()
	c := tls.Client(k.c, &tls.Config{RootCAs: pool, ServerName: "mx.example", MinVersion: tls.VersionTLS12})
	if err := c.HandshakeContext(k.t.Context()); err != nil {
		k.t.Fatal(err)
	}
	k.c, k.r = c, bufio.NewReader(c)
}

func TestSTARTTLS(t *testing.T) {
	d, pool := withTLS(t)
	k := d.talk()
	k.say("STARTTLS now", "501")
	if hello := k.say("EHLO client.example", "250"); !strings.Contains(hello, "250-STARTTLS\r\n") {
		t.Errorf("not offered: %q", hello)
	}
	k.say("MAIL FROM:<a@post.example>", "250")
	k.say("RCPT TO:<info@b.example>", "250")
	k.say("STARTTLS", "220")
	k.encrypt(pool)
	// What was said before the handshake is forgotten (RFC 3207, 4.2).
	k.say("DATA", "503")
	k.say("MAIL FROM:<p@post.example>", "503")
	if hello := k.say("EHLO client.example", "250"); strings.Contains(hello, "STARTTLS") {
		t.Errorf("offered inside of TLS: %q", hello)
	}
	k.say("STARTTLS", "503")
	k.begin("info@a.example")
	k.raw(simple + ".\r\n")
	k.want("250")
	got := d.taken()
	if len(got) != 1 || got[0].Tenant.ID != "a" || !strings.Contains(string(got[0].Original), " with ESMTPS\r\n") {
		t.Errorf("mails = %+v", got)
	}
	plain := newDesk(t, inbound.SMTP, nil).talk()
	if hello := plain.say("EHLO client.example", "250"); strings.Contains(hello, "STARTTLS") {
		t.Errorf("offered without a certificate: %q", hello)
	}
	plain.say("STARTTLS", "502")
}

// What somebody in the middle puts in behind STARTTLS, in the same packet or
// before the handshake, is never run inside of TLS (CVE-2011-0411).
func TestSTARTTLS_Injection(t *testing.T) {
	const evil = "EHLO evil.example\r\nMAIL FROM:<evil@post.example>\r\nRCPT TO:<info@b.example>\r\n"
	d, pool := withTLS(t)
	k := d.talk()
	k.say("EHLO client.example", "250")
	k.raw("STARTTLS\r\n" + evil)
	k.want("521")
	k.closed()

	k = d.talk() // behind the answer, in the place of the handshake
	k.say("EHLO client.example", "250")
	k.say("STARTTLS", "220")
	k.raw(evil + "DATA\r\nSubject: x\r\n\r\nx\r\n.\r\n")
	k.closed()

	k = d.talk() // half a command before, the other half inside
	k.raw("EHLO client.example\r\n")
	k.want("250")
	k.raw("STARTTLS\r\nMAIL FR")
	k.want("521")
	k.closed()

	// Sabotage: the same commands, sent inside of TLS, do something, so that the
	// refusals above are those of the control.
	k = d.talk()
	k.say("EHLO client.example", "250")
	k.say("STARTTLS", "220")
	k.encrypt(pool)
	for line := range strings.SplitSeq(strings.TrimSpace(evil), "\r\n") {
		k.say(line, "250")
	}
	if got := d.taken(); len(got) != 0 {
		t.Errorf("took %d mails in", len(got))
	}
}

// LMTP over a socket in the file system, as a mail server on the same machine
// speaks it: one answer for each recipient, and no check of its address.
func TestLMTP_Socket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lmtp")
	on, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	var taken []inbound.Mail
	refuse := false
	s := inbound.New(inbound.Config{
		Name: "mx.example", Now: time.Now, Log: slog.New(slog.DiscardHandler), Resolver: zone{"post.example": {"v=spf1 -all"}},
		Find: func(address string) (*tenant.Tenant, string, bool) {
			normal, sub := tenant.NormalMail(address)
			local, _, _ := strings.Cut(normal, "@")
			return &tenant.Tenant{ID: tenant.ID(local)}, sub, local == "a" || local == "b"
		},
		Deliver: func(_ context.Context, m inbound.Mail) error {
			if refuse && m.Tenant.ID == "b" {
				return context.DeadlineExceeded
			}
			taken = append(taken, m)
			return nil
		},
	})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, on, inbound.LMTP) }()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	k := &talk{t, c, bufio.NewReader(c)}
	if hello := k.want("220"); !strings.Contains(hello, "LMTP") {
		t.Errorf("greeting %q", hello)
	}
	send := func(answers ...string) {
		t.Helper()
		k.say("MAIL FROM:<p@post.example>", "250")
		k.say("RCPT TO:<a+word@x.example>", "250")
		k.say("RCPT TO:<c@x.example>", "550")
		k.say("RCPT TO:<b@x.example>", "250")
		k.say("DATA", "354")
		k.raw(simple + ".\r\n")
		for _, code := range answers {
			k.want(code)
		}
	}
	k.say("EHLO client.example", "500")
	k.say("LHLO client.example", "250")
	send("250", "250")
	refuse = true
	send("250", "451") // one tenant of the two
	k.say("DATA", "503")
	k.say("QUIT", "221")
	k.closed()
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if len(taken) != 3 || taken[0].Sub != "word" || taken[0].Check.SPF != "none" || !strings.Contains(string(taken[0].Original), " with LMTP\r\n") {
		t.Errorf("%d mails: %+v", len(taken), taken)
	}
}
