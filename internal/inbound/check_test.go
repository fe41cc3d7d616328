package inbound_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"net"
	"strings"
	"testing"

	"github.com/emersion/go-msgauth/dkim"

	"poststelle/internal/inbound"
)

// zone is a name service in memory. A name with the record "!" does not answer.
type zone map[string][]string

func (z zone) LookupTXT(_ context.Context, name string) ([]string, error) {
	r, ok := z[strings.TrimSuffix(name, ".")]
	switch {
	case !ok:
		return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	case r[0] == "!":
		return nil, &net.DNSError{Err: "timeout", Name: name, IsTimeout: true, IsTemporary: true}
	}
	return r, nil
}

func (zone) LookupMX(context.Context, string) ([]*net.MX, error) { return nil, errNoRecord() }

func (zone) LookupIPAddr(context.Context, string) ([]net.IPAddr, error) { return nil, errNoRecord() }

func (zone) LookupAddr(context.Context, string) ([]string, error) { return nil, errNoRecord() }

func errNoRecord() error { return &net.DNSError{Err: "no such host", IsNotFound: true} }

func signed(t *testing.T, raw []byte, domain string) (out []byte, record string) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := dkim.Sign(&b, bytes.NewReader(raw), &dkim.SignOptions{Domain: domain, Selector: "s", Signer: private}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), "v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(public)
}

func TestCheck(t *testing.T) {
	mail := func(from string) []byte {
		return crlf("From: " + from + "\nTo: info@a.example\nSubject: x\nDate: Mon, 1 Jan 2026 00:00:00 +0000\nMessage-ID: <1@x>\n\ntext\n")
	}
	good, key := signed(t, mail("p@post.example"), "post.example")
	foreign, foreignKey := signed(t, mail("p@bank.example"), "evil.example")
	for name, c := range map[string]struct {
		zone                      zone
		raw                       []byte
		envelope                  string
		trusted, refused, unknown bool
	}{
		"signed":              {zone{"s._domainkey.post.example": {key}}, good, "bounce@list.example", true, false, false},
		"signed and changed":  {zone{"s._domainkey.post.example": {key}}, append(bytes.Clone(good), "more\r\n"...), "p@x.example", false, false, false},
		"signed by another":   {zone{"s._domainkey.evil.example": {foreignKey}}, foreign, "x@evil.example", false, false, false},
		"policy breached":     {zone{"s._domainkey.evil.example": {foreignKey}, "_dmarc.bank.example": {"v=DMARC1; p=reject"}}, foreign, "x@evil.example", false, true, false},
		"spf aligned":         {zone{"post.example": {"v=spf1 ip4:127.0.0.1 -all"}}, mail("p@post.example"), "p@post.example", true, false, false},
		"spf of a subdomain":  {zone{"out.post.example": {"v=spf1 ip4:127.0.0.1 -all"}}, mail("p@post.example"), "p@out.post.example", true, false, false},
		"subdomain, strict":   {zone{"out.post.example": {"v=spf1 ip4:127.0.0.1 -all"}, "_dmarc.post.example": {"v=DMARC1; p=none; aspf=s"}}, mail("p@post.example"), "p@out.post.example", false, false, false},
		"spf of another":      {zone{"evil.example": {"v=spf1 ip4:127.0.0.1 -all"}}, mail("p@post.example"), "x@evil.example", false, false, false},
		"spf fails":           {zone{"post.example": {"v=spf1 -all"}}, mail("p@post.example"), "p@post.example", false, false, false},
		"two senders":         {zone{"post.example": {"v=spf1 ip4:127.0.0.1 -all"}}, append([]byte("From: p@post.example\r\n"), mail("x@bank.example")...), "p@post.example", false, false, false},
		"no answer":           {zone{"post.example": {"!"}, "_dmarc.post.example": {"!"}}, mail("p@post.example"), "p@post.example", false, false, true},
		"policy of the whole": {zone{"_dmarc.bank.example": {"v=DMARC1; p=none; sp=quarantine"}}, mail("p@www.bank.example"), "x@evil.example", false, true, false},
		"nothing known":       {zone{}, mail("p@post.example"), "p@post.example", false, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, inbound.SMTP, func(cfg *inbound.Config) { cfg.Resolver = c.zone })
			k := d.talk()
			k.say("EHLO client.example", "250")
			k.say("MAIL FROM:<"+c.envelope+">", "250")
			k.say("RCPT TO:<info@a.example>", "250")
			k.say("DATA", "354")
			k.raw(string(c.raw) + ".\r\n")
			k.want("250")
			got := d.taken()
			if len(got) != 1 {
				t.Fatalf("%d mails", len(got))
			}
			if r := got[0].Check; r.Trusted() != c.trusted || r.Refused() != c.refused || r.Unknown() != c.unknown {
				t.Errorf("check = %+v", r)
			}
		})
	}
}

// Results that pretend to be ours are not kept; those of others are.
func TestForgedResults(t *testing.T) {
	d := newDesk(t, inbound.SMTP, func(c *inbound.Config) { c.Resolver = zone{} })
	k := d.talk()
	k.begin("info@a.example")
	k.raw("Authentication-Results: mx.example; dmarc=pass header.from=bank.example\r\nAUTHENTICATION-RESULTS:\r\n MX.example 1; spf=pass\r\n" +
		"Authentication-Results: (c) \"mx.example\"; spf=pass\r\nAuthentication-Results: other.example; spf=pass\r\nReturn-Path: <x@y>\r\n" + simple + ".\r\n")
	k.want("250")
	raw := string(d.taken()[0].Original)
	if strings.Contains(raw, "dmarc=pass") || strings.Count(strings.ToLower(raw), "mx.example") != 2 || !strings.Contains(raw, "other.example; spf=pass") ||
		strings.Contains(raw, "x@y") {
		t.Errorf("kept mail:\n%s", raw)
	}
}
