package inbound_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"poststelle/internal/inbound"
)

func crlf(s string) []byte { return []byte(strings.ReplaceAll(s, "\n", "\r\n")) }

func TestRead_Charsets(t *testing.T) {
	for name, c := range map[string]struct{ head, body, want string }{
		"latin1 qp":      {"Content-Type: text/plain; charset=ISO-8859-1\nContent-Transfer-Encoding: quoted-printable\n", "Gr=FC=DFe\n", "Grüße"},
		"latin9 euro":    {"Content-Type: text/plain; charset=iso-8859-15\nContent-Transfer-Encoding: quoted-printable\n", "5 =A4\n", "5 €"},
		"cp1252":         {"Content-Type: text/plain; charset=\"windows-1252\"\nContent-Transfer-Encoding: quoted-printable\n", "=84so=93 =80\n", "„so“ €"},
		"utf8 base64":    {"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n", base64.StdEncoding.EncodeToString([]byte("Grüße")), "Grüße"},
		"wrong label":    {"Content-Type: text/plain; charset=us-ascii\n", "Grüße\n", "Grüße"},
		"no such label":  {"Content-Type: text/plain; charset=x-klingon\n", "Gr\xfc\xdfe\n", "Grüße"},
		"replacement":    {"Content-Type: text/plain; charset=iso-2022-kr\n", "plain\n", "plain"},
		"controls":       {"", "a\x00b\x1b[31m\u2028c\n", "ab[31m\nc"},
		"broken base64":  {"Content-Transfer-Encoding: base64\n", "R3L8!!w\n", "Grü"},
		"html":           {"Content-Type: text/html; charset=utf-8\n", "<style>x{}</style><p>Eins<br>zwei</p><script>evil()</script><a href='https://x.example/'>dort</a>", "Eins\nzwei\ndort <https://x.example/>"},
		"broken type":    {"Content-Type: text/plain; charset\n", "Text\n", "Text"},
		"no header":      {"", "nur Text\n", "nur Text"},
		"encoded twice?": {"Content-Type: text/plain\nContent-Transfer-Encoding: x-uuencode\n", "begin\n", "begin"},
	} {
		m := inbound.Read(crlf(c.head + "\n" + c.body))
		if m.Text != c.want && name != "broken base64" {
			t.Errorf("%s: %q, want %q", name, m.Text, c.want)
		}
		if !utf8.ValidString(m.Text) {
			t.Errorf("%s: not UTF-8", name)
		}
	}
}

func TestRead_Header(t *testing.T) {
	m := inbound.Read(crlf("From: =?utf-8?q?M=C3=BCller=0D=0ABcc:_x@y.example?= <M@Post.Example>\nReply-To: other@else.example\n" +
		"Subject: =?iso-8859-1?Q?Stra=DFe?=\n =?utf-8?B?" + base64.StdEncoding.EncodeToString([]byte("\r\nX: y\x00\u202e")) + "?=\nMessage-ID: <a@b> (x)\n\nx\n"))
	if strings.ContainsFunc(m.Subject+m.From.Name, unicode.IsControl) || !strings.HasPrefix(m.Subject, "Straße") {
		t.Errorf("subject %q, from %q", m.Subject, m.From.Name)
	}
	if m.From.Address != "M@post.example" || m.ReplyTo != "other@else.example" || m.MessageID != "<a@b>" {
		t.Errorf("%+v", m)
	}
	for _, from := range []string{"", "nobody", "<>", "a@b@c", "\"x\ny\" <a@b.example", "=?x?y?z?=", "a@b.example, c@d.example", "undisclosed:;"} {
		inbound.Read(crlf("From: " + from + "\n\nx"))
	}
	for head, want := range map[string]bool{
		"Auto-Submitted: no\n": false, "Auto-Submitted: auto-replied\n": true, "Auto-Submitted: auto-generated; x=y\n": true,
		"Precedence: bulk\n": true, "List-Id: <x>\n": true, "X-Auto-Response-Suppress: All\n": true, "Subject: x\n": false,
	} {
		if got := inbound.Read(crlf(head + "\nx")).Machine; got != want {
			t.Errorf("%q: machine %v", head, got)
		}
	}
}

func TestRead_Parts(t *testing.T) {
	m := inbound.Read(crlf(`Content-Type: multipart/mixed; boundary=o

preamble
--o
Content-Type: multipart/alternative; boundary=i

--i
Content-Type: text/plain

Der Text.
--i
Content-Type: text/html

<b>Der Text.</b>
--i--
--o
Content-Type: application/pdf; name="=?utf-8?q?Pl=C3=A4ne.pdf?="
Content-Disposition: attachment; filename*=utf-8''Pl%C3%A4ne.pdf
Content-Transfer-Encoding: base64

JVBERi0=
--o
Content-Type: application/ms-tnef; name=winmail.dat

xx
--o
Content-Type: text/plain

Noch etwas.
--o--
`))
	if m.Text != "Der Text.\n\nNoch etwas." || m.HTML || m.Partial {
		t.Errorf("text %q html %v partial %v", m.Text, m.HTML, m.Partial)
	}
	if len(m.Files) != 2 || m.Files[0].Name != "Pläne.pdf" || string(m.Files[0].Content) != "%PDF-" || m.Files[1].Name != "winmail.dat" {
		t.Errorf("files %q", m.Files)
	}
	m = inbound.Read(crlf("Content-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=b\n\n--b\nContent-Type: application/pgp-encrypted\n\nVersion: 1\n--b\nContent-Type: application/octet-stream; name=encrypted.asc\n\nxxxx\n--b--\n"))
	if !m.Encrypted || len(m.Files) != 2 || m.Text != "" {
		t.Errorf("encrypted: %+v", m)
	}
}

// A mail that is built to hurt is bounded, and said to be read in part.
func TestRead_Bombs(t *testing.T) {
	deep := "x"
	for i := range 3000 {
		deep = fmt.Sprintf("Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n%s\n--b%d--\n", i, i, deep, i)
		if len(deep) > 200_000 {
			break
		}
	}
	wide := "Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("--b\n\nx\n", 20_000) + "--b--\n"
	fields := strings.Repeat("X: y\n", 100_000) + "\nx"
	folded := "X: y\n" + strings.Repeat(" z\n", 80_000) + "\nx"
	for name, raw := range map[string]string{"deep": deep, "wide": wide, "fields": fields, "folded": folded} {
		if m := inbound.Read(crlf(raw)); !m.Partial && name != "folded" {
			t.Errorf("%s is read as if it were whole", name)
		}
	}
	inbound.FromHTML(strings.Repeat("<div><a href=x>", 50_000))
}

func TestRead_Report(t *testing.T) {
	m := inbound.Read(crlf(`From: MAILER-DAEMON@mx.example
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: text/plain

Sorry.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example

Final-Recipient: rfc822; <p@post.example>
Action: failed
Status: 5.1.1 (no such user)

Final-Recipient: rfc822; q@post.example
Action: delayed
Status: 4.4.1
--b
Content-Type: message/rfc822

Message-ID: <abc@poststelle.example>
Subject: x

text
--b--
`))
	if m.Report == nil || !m.Machine {
		t.Fatalf("no report: %+v", m)
	}
	r := m.Report
	if r.OriginalID != "<abc@poststelle.example>" || !r.Failed() || len(r.Recipients) != 2 ||
		r.Recipients[0] != (inbound.ReportedRecipient{Address: "p@post.example", Action: "failed", Status: "5.1.1"}) {
		t.Errorf("report = %+v", r)
	}
}

func TestMark(t *testing.T) {
	a := inbound.Mark(crlf("Received: one\n" + "From: a@b\nMessage-ID: <1@x>\n\ntext\n"))
	b := inbound.Mark(crlf("Received: two\nReceived: three\nFrom: a@b\nMessage-ID: <1@x>\n\ntext\n"))
	c := inbound.Mark(crlf("From: a@b\nMessage-ID: <1@x>\n\ntext.\n"))
	d := inbound.Mark(crlf("From: a@b\nMessage-ID: <2@x>\n\ntext\n"))
	if !bytes.Equal(a, b) || bytes.Equal(a, c) || bytes.Equal(a, d) {
		t.Error("a mark follows the trace, or does not follow the mail")
	}
}

func FuzzRead(f *testing.F) {
	for _, s := range []string{
		simple, "", "\r\n", ":\r\n x\r\n\r\n", "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n--b--", "From: =?utf-8?b?//8=?=\r\n\r\n\xff",
		"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n\r\n\r\n--b",
		"Content-Type: text/html\r\n\r\n<a href=x><p>y</a>&#0;",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		m := inbound.Read(raw)
		for _, s := range []string{m.Subject, m.From.Name, m.From.Address, m.MessageID, m.ReplyTo} {
			if !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
				t.Errorf("line %q", s)
			}
		}
		if !utf8.ValidString(m.Text) || strings.ContainsFunc(m.Text, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }) {
			t.Errorf("text %q", m.Text)
		}
		size := 0
		for _, x := range m.Files {
			size += len(x.Content)
		}
		if size > len(raw) {
			t.Errorf("%d bytes of files in a mail of %d", size, len(raw))
		}
	})
}
