package mailtest_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"poststelle/internal/mail"
	"poststelle/internal/mail/mailtest"
)

func issue(t *testing.T) []byte {
	t.Helper()
	tpl, err := mail.NewTemplate(series())
	if err != nil {
		t.Fatal(err)
	}
	raw, err := tpl.Append(nil, mail.Recipient{To: "anna@post.example", ID: "n.1", Slot: strings.Repeat("ab", 20)})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func series() mail.Series {
	link := "https://stadt.example/newsletter/abmelden/" + mail.Slot
	return mail.Series{
		From: "Stadt Größingen <info@stadt.example>", Subject: "Neues", At: time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC),
		Text: "Guten Tag.\n\nAbmelden:\n" + link + "\n", HTML: `<p>Guten Tag.</p><p><a href="` + link + `">Abmelden</a></p>`,
		Headers: []mail.Header{
			{Name: "List-Id", Value: "<news.stadt.example>"},
			{Name: "List-Unsubscribe", Value: "<" + link + ">, <mailto:info@stadt.example?subject=abmelden%20" + mail.Slot + ">"},
			{Name: "List-Unsubscribe-Post", Value: "List-Unsubscribe=One-Click"},
		},
	}
}

func notice(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	err := mail.Write(&b, mail.Message{
		From: "info@stadt.example", To: "anna@post.example", Subject: "Grüße", Text: "Guten Tag", ID: "1", At: time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC),
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestProblems_None(t *testing.T) {
	mailtest.Check(t, issue(t))
	mailtest.Check(t, notice(t))
}

// Each spoilt message is found out, so a mail of the program with that fault would
// be.
func TestProblems_Sabotage(t *testing.T) {
	cut := func(name string) func(string) string {
		return func(s string) string {
			from := strings.Index(s, "\r\n"+name+":")
			end := from + 2 + strings.Index(s[from+2:], "\r\n")
			for s[end+2] == ' ' { // folded
				end += 2 + strings.Index(s[end+2:], "\r\n")
			}
			return s[:from] + s[end:]
		}
	}
	swap := func(old, with string) func(string) string {
		return func(s string) string { return strings.Replace(s, old, with, 1) }
	}
	front := func(line string) func(string) string { return func(s string) string { return line + "\r\n" + s } }
	all := map[string]func(string) string{
		"two senders":                front("From: b@example.org"),
		"another recipient":          front("Cc: b@example.org"),
		"a receipt":                  front("Disposition-Notification-To: b@example.org"),
		"two dates":                  front("Date: Sun, 22 Nov 2026 08:00:00 +0000"),
		"no date that can be read":   swap("2026 08:00", "2026 99:00"),
		"no brackets at the ID":      swap("Message-ID: <n.1@stadt.example>", "Message-ID: n.1@stadt.example"),
		"a machine that says no":     swap("Auto-Submitted: auto-generated", "Auto-Submitted: no"),
		"a body that stands raw":     swap("quoted-printable", "8bit"),
		"a part without UTF-8":       swap("charset=UTF-8", "charset=latin1"),
		"a bare LF":                  swap("Guten", "Guten\n"),
		"a bare CR":                  swap("Guten", "Guten\r"),
		"a byte beyond ASCII":        swap("Guten", "G\xfcten"),
		"a line without end":         swap("Guten Tag.", strings.Repeat("x", 999)),
		"no link at the end":         swap(strings.Repeat("ab", 20)+"=\r\n", strings.Repeat("ab", 20)+strings.Repeat("weiter =\r\n", 100)),
		"another link in the text":   swap("\r\nhttps://stadt.example", "\r\nhttps://x.example"),
		"another link in the HTML":   swap(`"https://stadt.example`, `"https://x.example`),
		"no mailto":                  swap("mailto:", "gopher:"),
		"no https":                   swap("<https:", "<http:"),
		"a way without brackets":     swap("<https:", "https:"),
		"no one click":               swap("One-Click", "Two-Click"),
		"a List-Id without a point":  swap("<news.stadt.example>", "<news>"),
		"a signature without list":   front("DKIM-Signature: v=1; d=stadt.example; h=From:From:To:Subject:Date:Message-ID:MIME-Version:Content-Type; b=x"),
		"a signature with one From":  front("DKIM-Signature: v=1; h=From:To:Subject:Date:Message-ID:MIME-Version:Content-Type:List-Id:List-Unsubscribe:List-Unsubscribe-Post; b=x"),
		"a header that is no header": front("nothing"),
	}
	for _, name := range []string{"To", "Message-ID", "Date", "Subject", "MIME-Version", "Auto-Submitted", "Content-Type", "List-Id", "List-Unsubscribe", "List-Unsubscribe-Post"} {
		all["no "+name] = cut(name)
	}
	good := string(issue(t))
	for name, spoil := range all {
		bad := spoil(good)
		if bad == good && !strings.Contains(name, "HTML") {
			t.Errorf("%s: nothing is spoilt", name)
			continue
		}
		if name == "another link in the HTML" { // it stands behind a soft break
			bad = strings.Replace(good, "<a href=3D", "<a name=3D", 1)
		}
		if len(mailtest.Problems([]byte(bad))) == 0 {
			t.Errorf("%s: found nothing", name)
		}
	}
}

// recorder is a test that counts its failures.
type recorder struct {
	testing.TB
	failed []string
}

func (r *recorder) Helper() {}
func (r *recorder) Errorf(format string, args ...any) {
	r.failed = append(r.failed, fmt.Sprintf(format, args...))
}

func TestWrap(t *testing.T) {
	r := &recorder{TB: t}
	s := mailtest.Wrap(r, mail.NewMemory(10))
	m := mail.Message{From: "info@stadt.example", To: "anna@post.example", Subject: "Grüße", Text: "Guten Tag", ID: "1", At: time.Now()}
	if err := s.Send(t.Context(), m); err != nil || len(r.failed) != 0 {
		t.Fatalf("Send() = %v, %v", err, r.failed)
	}
	m.Headers = map[string]string{"List-Id": "<news.stadt.example>"}
	if err := s.Send(t.Context(), m); err != nil || len(r.failed) == 0 {
		t.Errorf("half an issue: %v, %v", err, r.failed)
	}
	many := func(spoil func(*mail.Series)) int {
		t.Helper()
		x := series()
		spoil(&x)
		tpl, err := mail.NewTemplate(x)
		if err != nil {
			t.Fatal(err)
		}
		r.failed = nil
		left := 1
		err = s.Many(context.Background(), tpl, func(bool) (mail.Recipient, bool) {
			left--
			return mail.Recipient{To: "anna@post.example", ID: "1", Slot: strings.Repeat("ab", 20)}, left == 0
		}, func(mail.Recipient, error) {})
		if err != nil {
			t.Fatal(err)
		}
		return len(r.failed)
	}
	if n := many(func(*mail.Series) {}); n != 0 {
		t.Errorf("a good issue: %v", r.failed)
	}
	if many(func(s *mail.Series) { s.Headers = nil }) == 0 || many(func(s *mail.Series) { s.Text = "Nichts" }) == 0 {
		t.Error("an issue without a way out passes")
	}
}

// unchecked returns the packages whose tests send mail past the checks.
func unchecked(root fs.FS) (out []string, err error) {
	sends, checks := map[string]bool{}, map[string]bool{}
	err = fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		raw, err := fs.ReadFile(root, path)
		dir := filepath.ToSlash(filepath.Dir(path))
		text := string(raw)
		sends[dir] = sends[dir] || strings.Contains(text, "mail.NewMemory(") || strings.Contains(text, "mail.NewSMTP(") || strings.Contains(text, ") Send(")
		checks[dir] = checks[dir] || strings.Contains(text, "mailtest.")
		return err
	})
	for dir := range sends {
		if sends[dir] && !checks[dir] && dir != "mail" { // which tests the senders themselves
			out = append(out, dir)
		}
	}
	return out, err
}

// Every package whose tests send mail has it checked here.
func TestEverybodyChecks(t *testing.T) {
	left, err := unchecked(os.DirFS("../.."))
	if err != nil || len(left) > 0 {
		t.Errorf("tests send mail that nobody checks in %v, %v", left, err)
	}
	sabotage := t.TempDir()
	if err := os.Mkdir(filepath.Join(sabotage, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(sabotage, "x", "x_test.go"), []byte("var m = mail.NewMemory(1)"), 0o600); err != nil {
		t.Fatal(err)
	}
	if left, err := unchecked(os.DirFS(sabotage)); err != nil || len(left) != 1 {
		t.Errorf("a package that does not check: %v, %v", left, err)
	}
}
