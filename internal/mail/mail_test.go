package mail_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	netmail "net/mail"
	"strings"
	"testing"
	"time"

	"poststelle/internal/mail"
)

// Both senders apply the same rules.
func TestSend_Malformed(t *testing.T) {
	addr := "127.0.0.1:1" // never reached
	senders := map[string]mail.Sender{"memory": mail.NewMemory(1), "smtp": sender(t, mail.SMTPConfig{Addr: addr, TLS: mail.TLSNone})}
	for name, change := range map[string]func(*mail.Message){
		"subject CRLF":       func(m *mail.Message) { m.Subject = "a\r\nBcc: b@example.org" },
		"subject LF":         func(m *mail.Message) { m.Subject = "a\nBcc: b@example.org" },
		"subject CR":         func(m *mail.Message) { m.Subject = "a\rBcc: b@example.org" },
		"subject NUL":        func(m *mail.Message) { m.Subject = "a\x00b" },
		"subject NEL":        func(m *mail.Message) { m.Subject = "a\u0085b" },
		"subject U+2028":     func(m *mail.Message) { m.Subject = "a\u2028b" },
		"subject not UTF-8":  func(m *mail.Message) { m.Subject = "a\xffb" },
		"subject long":       func(m *mail.Message) { m.Subject = strings.Repeat("a", 1000) },
		"subject empty":      func(m *mail.Message) { m.Subject = " " },
		"to CRLF":            func(m *mail.Message) { m.To = "a@example.org\r\nRCPT TO:<b@example.org>" },
		"to two":             func(m *mail.Message) { m.To = "a@example.org, b@example.org" },
		"to named":           func(m *mail.Message) { m.To = "A <a@example.org>" },
		"to empty":           func(m *mail.Message) { m.To = "" },
		"from CRLF":          func(m *mail.Message) { m.From = "A\r\nBcc: x@example.org <a@example.org>" },
		"from encoded CRLF":  func(m *mail.Message) { m.From = "=?utf-8?q?A=0D=0ABcc:_x?= <a@example.org>" },
		"from two":           func(m *mail.Message) { m.From = "A <a@example.org>, B <b@example.org>" },
		"from quoted local":  func(m *mail.Message) { m.From = `"a b"@example.org` },
		"header value CRLF":  func(m *mail.Message) { m.Headers = map[string]string{"X-A": "a\r\nBcc: b@example.org"} },
		"header name":        func(m *mail.Message) { m.Headers = map[string]string{"X-A: b\r\nBcc": "b@example.org"} },
		"header Bcc":         func(m *mail.Message) { m.Headers = map[string]string{"bcc": "b@example.org"} },
		"header receipt":     func(m *mail.Message) { m.Headers = map[string]string{"Return-Receipt-To": "b@example.org"} },
		"header MDN":         func(m *mail.Message) { m.Headers = map[string]string{"Disposition-Notification-To": "b@example.org"} },
		"header content":     func(m *mail.Message) { m.Headers = map[string]string{"Content-Type": "text/html"} },
		"header Message-ID":  func(m *mail.Message) { m.Headers = map[string]string{"message-id": "<x@y>"} },
		"id empty":           func(m *mail.Message) { m.ID = "" },
		"id CRLF":            func(m *mail.Message) { m.ID = "a\r\nb" },
		"id bracket":         func(m *mail.Message) { m.ID = "a>b" },
		"no date":            func(m *mail.Message) { m.At = time.Time{} },
		"no text":            func(m *mail.Message) { m.Text = "" },
		"text not UTF-8":     func(m *mail.Message) { m.Text = "\xff" },
		"text beyond bounds": func(m *mail.Message) { m.Text = strings.Repeat("a", 5<<20) },
	} {
		for kind, s := range senders {
			m := letter()
			change(&m)
			if err := s.Send(t.Context(), m); !mail.IsPermanent(err) {
				t.Errorf("%s: %s: Send() = %v, want a permanent error", kind, name, err)
			} else if strings.Contains(err.Error(), "example.org") {
				t.Errorf("%s: %s: error repeats the message: %v", kind, name, err)
			}
		}
	}
}

// What looks like an encoded word must arrive as the characters it consists of.
func TestWrite_EncodedWordInSubject(t *testing.T) {
	for _, subject := range []string{
		"=?utf-8?q?a=0D=0ABcc:_x@example.org?=", "=?utf-8?b?DQpCY2M6?= ä", strings.Repeat("=?ü", 150),
	} {
		m := letter()
		m.Subject = subject
		m.Headers = map[string]string{"X-Zeichen": subject}
		var b bytes.Buffer
		if err := mail.Write(&b, m); err != nil {
			t.Fatal(err)
		}
		got, err := netmail.ReadMessage(&b)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range []string{"Subject", "X-Zeichen"} {
			if dec, err := new(mime.WordDecoder).DecodeHeader(got.Header.Get(h)); err != nil || dec != subject {
				t.Errorf("%s = %q, %v, want %q", h, dec, err, subject)
			}
		}
		if len(got.Header["Bcc"]) != 0 {
			t.Error("header injected")
		}
	}
}

func TestMemory_NewestFirstAndBounded(t *testing.T) {
	mem := mail.NewMemory(2)
	if b, err := json.Marshal(mem); err != nil || string(b) != "[]" {
		t.Errorf("empty = %s, %v", b, err)
	}
	for i := range 5 {
		m := letter()
		m.Subject = fmt.Sprint("Nr. ", i)
		if err := mem.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	b, err := json.Marshal(mem)
	if err != nil {
		t.Fatal(err)
	}
	const one = `{"to":"erika@example.org","subject":"Nr. %d","text":"Guten Tag,\n\nes liegt eine Antwort für Sie bereit.\n","html":"","at":"2026-11-26T09:12:00Z"}`
	if want := "[" + fmt.Sprintf(one, 4) + "," + fmt.Sprintf(one, 3) + "]"; string(b) != want {
		t.Errorf("JSON = %s, want %s", b, want)
	}
}

func TestNewSMTP_Refuses(t *testing.T) {
	for name, cfg := range map[string]mail.SMTPConfig{
		"no port":       {Addr: "relay.example", From: "a@example.org"},
		"no host":       {Addr: ":25", From: "a@example.org"},
		"bad port":      {Addr: "relay.example:x", From: "a@example.org"},
		"mode":          {Addr: "relay.example:25", From: "a@example.org", TLS: "maybe"},
		"no sender":     {Addr: "relay.example:25"},
		"half sign-in":  {Addr: "relay.example:25", From: "a@example.org", Username: "a"},
		"EHLO injected": {Addr: "relay.example:25", From: "a@example.org", HELO: "a\r\nMAIL FROM:<>"},
	} {
		if _, err := mail.NewSMTP(cfg); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestSecret_DoesNotPrint(t *testing.T) {
	cfg := mail.SMTPConfig{Password: "geheim"}
	for _, s := range []string{fmt.Sprint(cfg), fmt.Sprintf("%+v %#v %q %x", cfg, cfg, cfg.Password, cfg.Password)} {
		if strings.Contains(s, "geheim") || strings.Contains(s, "676568") {
			t.Errorf("printed: %s", s)
		}
	}
	if b, err := json.Marshal(cfg); err == nil {
		t.Errorf("marshalled: %s", b)
	}
}
