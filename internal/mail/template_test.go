package mail_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	netmail "net/mail"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-msgauth/dkim"

	"poststelle/internal/mail"
)

func series() mail.Series {
	return mail.Series{
		From: "Stadt Größingen <info@stadt.example>", Subject: "Neues aus dem Rathaus: Größe, Straße und Übermut in einer langen Zeile, die bricht",
		Text:    "Guten Tag,\n\n.ein Punkt am Anfang\nLeerzeichen am Ende \n" + strings.Repeat("Straße ", 30) + "\nAbmelden: https://stadt.example/newsletter/abmelden/" + mail.Slot + "\n",
		HTML:    `<p class="x">Grüße</p><p><a href="https://stadt.example/newsletter/abmelden/` + mail.Slot + `">Abmelden</a></p>`,
		At:      time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC),
		Headers: []mail.Header{{"List-Id", "<news.stadt.example>"}, {"List-Unsubscribe", "<https://stadt.example/newsletter/abmelden/" + mail.Slot + ">, <mailto:info@stadt.example?subject=abmelden%20" + mail.Slot + ">"}, {"List-Unsubscribe-Post", "List-Unsubscribe=One-Click"}},
	}
}

var slot = strings.Repeat("Ab-9_", 15)

func compose(t *testing.T, s mail.Series) []byte {
	t.Helper()
	tpl, err := mail.NewTemplate(s)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := tpl.Append(nil, mail.Recipient{To: "anna@post.example", ID: "n.1", Slot: slot})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// What a parser reads is what was written, with the word in its places.
func TestTemplate(t *testing.T) {
	s := series()
	raw := compose(t, s)
	for line := range bytes.SplitSeq(raw, []byte("\r\n")) {
		if len(line) > 900 || bytes.ContainsAny(line, "\r\n") || bytes.HasPrefix(line, []byte(".")) {
			t.Errorf("line on the wire: %q", line)
		}
	}
	m, err := netmail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	word := new(mime.WordDecoder)
	if got, err := word.DecodeHeader(m.Header.Get("Subject")); err != nil || got != s.Subject {
		t.Errorf("Subject = %q, %v", got, err)
	}
	if from, err := m.Header.AddressList("From"); err != nil || from[0].Name != "Stadt Größingen" {
		t.Errorf("From = %v, %v", from, err)
	}
	fill := strings.NewReplacer(mail.Slot, slot)
	for name, want := range map[string]string{
		"To": "<anna@post.example>", "Message-ID": "<n.1@stadt.example>", "List-Id": "<news.stadt.example>",
		"List-Unsubscribe": fill.Replace(s.Headers[1].Value), "List-Unsubscribe-Post": "List-Unsubscribe=One-Click", "Auto-Submitted": "auto-generated",
	} {
		if got := m.Header.Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	for _, want := range []string{s.Text, s.HTML + "\n"} {
		p, err := parts.NextRawPart()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(quotedprintable.NewReader(p))
		// The line end before a boundary belongs to the boundary (RFC 2046, 5.1.1).
		if got := strings.ReplaceAll(string(text), "\r\n", "\n"); err != nil || got != fill.Replace(want) {
			t.Errorf("part = %q, %v, want %q", got, err, fill.Replace(want))
		}
	}
}

func TestTemplate_Refuses(t *testing.T) {
	for name, spoil := range map[string]func(*mail.Series){
		"a header in the subject":  func(s *mail.Series) { s.Subject = "x\r\nBcc: b@example.org" },
		"a header in a value":      func(s *mail.Series) { s.Headers[0].Value = "<x>\r\nBcc: b@example.org" },
		"a reserved field":         func(s *mail.Series) { s.Headers[0].Name = "Sender" },
		"a field twice":            func(s *mail.Series) { s.Headers[1] = s.Headers[0] },
		"no text":                  func(s *mail.Series) { s.Text = "" },
		"a bad sender":             func(s *mail.Series) { s.From = "niemand" },
		"a bad envelope":           func(s *mail.Series) { s.Envelope = "a@b.example> SIZE=1" },
		"no date":                  func(s *mail.Series) { s.At = time.Time{} },
		"a header in the sender":   func(s *mail.Series) { s.From = "a <a@b.example>\r\nBcc: b@example.org" },
		"a text that is not UTF-8": func(s *mail.Series) { s.Text = "\xff" },
	} {
		s := series()
		spoil(&s)
		if _, err := mail.NewTemplate(s); !mail.IsPermanent(err) {
			t.Errorf("%s: NewTemplate() = %v, want a permanent error", name, err)
		}
	}
	tpl, err := mail.NewTemplate(series())
	if err != nil {
		t.Fatal(err)
	}
	good := mail.Recipient{To: "a@b.example", ID: "1", Slot: "x"}
	for _, spoil := range []func(*mail.Recipient){
		func(r *mail.Recipient) { r.To = "a@b.example>\r\nRCPT TO:<b@example.org" },
		func(r *mail.Recipient) { r.ID = "1@x>\r\nBcc: b" },
		func(r *mail.Recipient) { r.Slot = "x\r\n.\r\n" },
		func(r *mail.Recipient) { r.Slot = "" },
		func(r *mail.Recipient) { r.Slot = strings.Repeat("x", 76) },
	} {
		r := good
		spoil(&r)
		if _, err := tpl.Append(nil, r); !mail.IsPermanent(err) {
			t.Errorf("Append(%q) = %v, want a permanent error", r, err)
		}
	}
}

// A bare CR, and the end of data in a text, reach the wire encoded.
func TestTemplate_Smuggling(t *testing.T) {
	s := series()
	s.Text = "a\r.\rb\n.\nc\r\n.\r\nMAIL FROM:<x@y.example>\n"
	s.HTML = "<p>\r.\r</p>\n.\n"
	raw := string(compose(t, s))
	for _, evil := range []string{"\r.", "\n.", ".\r\nMAIL"} {
		if strings.Contains(raw, evil) {
			t.Errorf("%q stands on the wire", evil)
		}
	}
	if strings.Count(raw, "\r") != strings.Count(raw, "\r\n") || strings.Count(raw, "\n") != strings.Count(raw, "\r\n") {
		t.Error("a bare CR or LF stands on the wire")
	}
}

func FuzzTemplate(f *testing.F) {
	f.Add("Betreff", "Text", "<p>", "List-Name")
	f.Add("=?utf-8?q?a=0Ab?=", "\r.\r\n.", ".", "ü \x01")
	f.Fuzz(func(t *testing.T, subject, text, html, value string) {
		s := series()
		s.Subject, s.Text, s.HTML = subject, text, html
		s.Headers[0].Value = value
		tpl, err := mail.NewTemplate(s)
		if err != nil {
			return
		}
		raw, err := tpl.Append(nil, mail.Recipient{To: "a@b.example", ID: "1", Slot: "x"})
		if err != nil {
			t.Fatal(err)
		}
		if strings.Count(string(raw), "\n") != strings.Count(string(raw), "\r\n") || strings.Contains(string(raw), "\n.") || strings.Count(string(raw), "\r") != strings.Count(string(raw), "\r\n") {
			t.Errorf("not fit for the wire: %q", raw)
		}
		m, err := netmail.ReadMessage(bytes.NewReader(raw))
		if err != nil {
			t.Fatalf("not a message: %v: %q", err, raw)
		}
		if m.Header.Get("Bcc") != "" || len(m.Header) > 13 {
			t.Errorf("%d fields: %v", len(m.Header), m.Header)
		}
	})
}

// Both signatures verify with published keys, and cover the list's fields.
func TestTemplate_DKIM(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	edPublic, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaPublic, err := x509.MarshalPKIXPublicKey(&rsaKey.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	records := map[string]string{
		"r1._domainkey.stadt.example": "v=DKIM1; k=rsa; p=" + base64.StdEncoding.EncodeToString(rsaPublic),
		"e1._domainkey.stadt.example": "v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(edPublic),
	}
	s := series()
	if s.DKIM, err = mail.NewDKIM("stadt.example", nil, mail.DKIMKey{"r1", rsaKey}, mail.DKIMKey{"e1", edKey}); err != nil {
		t.Fatal(err)
	}
	raw := compose(t, s)
	verify := func(raw []byte) []*dkim.Verification {
		all, err := dkim.VerifyWithOptions(bytes.NewReader(raw), &dkim.VerifyOptions{LookupTXT: func(name string) ([]string, error) { return []string{records[name]}, nil }})
		if err != nil || len(all) != 2 {
			t.Fatalf("Verify() = %d signatures, %v", len(all), err)
		}
		return all
	}
	for _, v := range verify(raw) {
		if v.Err != nil || v.Domain != "stadt.example" {
			t.Errorf("signature of %s: %v", v.Domain, v.Err)
		}
		for _, field := range []string{"From", "To", "Subject", "Date", "Message-ID", "List-Id", "List-Unsubscribe", "List-Unsubscribe-Post"} {
			if !strings.Contains(strings.ToLower(":"+strings.Join(v.HeaderKeys, ":")+":"), ":"+strings.ToLower(field)+":") {
				t.Errorf("h= does not cover %s: %v", field, v.HeaderKeys)
			}
		}
	}
	for _, change := range [][2]string{{"One-Click", "Two-Click"}, {"abmelden/" + slot[:5], "abmelden/xxxxx"}, {"Gr=C3=BC=C3=9Fe", "Gruesse"}} {
		bad := strings.Replace(string(raw), change[0], change[1], 1)
		if bad == string(raw) {
			t.Fatalf("%q is not in the message", change[0])
		}
		for _, v := range verify([]byte(bad)) {
			if v.Err == nil {
				t.Errorf("%q changed to %q: the signature still holds", change[0], change[1])
			}
		}
	}
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err == nil {
		if _, err := mail.NewDKIM("stadt.example", nil, mail.DKIMKey{"r", small}); err == nil {
			t.Error("NewDKIM() takes a key of 1024 bits")
		}
	}
}

func BenchmarkTemplate(b *testing.B) {
	tpl, err := mail.NewTemplate(series())
	if err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 0, 8<<10)
	b.ReportAllocs()
	for b.Loop() {
		if buf, err = tpl.Append(buf[:0], mail.Recipient{To: "anna@post.example", ID: "n.1", Slot: slot}); err != nil {
			b.Fatal(err)
		}
	}
}
