// Package mailtest holds outgoing mail against what every mail of the program
// keeps, for all tests that send some: they put their sender behind [Wrap], or
// hand what a sink took to [Check].
package mailtest

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	netmail "net/mail"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"poststelle/internal/mail"
)

// maxLine is the longest line of a message without its end (RFC 5322, 2.1.1).
const maxLine = 998

// Check fails the test for each thing that is wrong with a message as it stands on
// the wire. One with fields of a list has to be a whole issue.
func Check(t testing.TB, raw []byte) {
	t.Helper()
	for _, p := range Problems(raw) {
		t.Errorf("mail on the wire: %s", p)
	}
}

// Problems says what is wrong with a message as it stands on the wire:
//
//   - its lines end with CR LF, hold ASCII and at most 998 bytes;
//   - From, To, Subject, Date, Message-ID, MIME-Version and Auto-Submitted stand
//     there once and can be read, no other recipient and no receipt is named;
//   - its text, and an alternative as HTML behind it, are UTF-8 in base64 or
//     quoted-printable;
//   - with a field of a list it has all of them (RFC 2919, RFC 2369, RFC 8058), and
//     the link that unsubscribes stands in text and HTML as well;
//   - a signature covers the fields that count (RFC 6376).
func Problems(raw []byte) []string {
	w := &look{}
	w.lines(raw)
	m, err := netmail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return append(w.wrong, "does not parse: "+err.Error())
	}
	w.h = m.Header
	w.fields()
	w.body(m.Body)
	if w.h.Get("List-Id") != "" || w.h.Get("List-Unsubscribe") != "" || w.h.Get("List-Unsubscribe-Post") != "" {
		w.list()
	}
	for _, s := range w.h["Dkim-Signature"] {
		w.signature(s)
	}
	return w.wrong
}

// look collects what is wrong with one message.
type look struct {
	h          netmail.Header
	text, html string
	wrong      []string
}

func (w *look) say(format string, args ...any) {
	w.wrong = append(w.wrong, fmt.Sprintf(format, args...))
}

func (w *look) lines(raw []byte) {
	if !bytes.HasSuffix(raw, []byte("\r\n")) {
		w.say("the last line has no end")
	}
	for line := range bytes.SplitSeq(raw, []byte("\r\n")) {
		switch {
		case len(line) > maxLine:
			w.say("a line of %d bytes", len(line))
		case bytes.ContainsAny(line, "\r\n\x00"):
			w.say("a bare CR or LF, or NUL")
		case bytes.ContainsFunc(line, func(r rune) bool { return r > '~' }):
			w.say("a line that is not ASCII")
		}
	}
}

// messageID is the form of an identifier that others can refer to.
var messageID = regexp.MustCompile(`^<[A-Za-z0-9._-]{1,128}@[A-Za-z0-9.-]+>$`)

func (w *look) fields() {
	for _, name := range []string{"From", "To", "Subject", "Date", "Message-Id", "Mime-Version", "Auto-Submitted", "Content-Type"} {
		if n := len(w.h[name]); n != 1 {
			w.say("%d fields %s", n, name)
		}
	}
	for _, name := range []string{"Cc", "Bcc", "Return-Receipt-To", "Disposition-Notification-To", "X-Confirm-Reading-To"} {
		if len(w.h[name]) > 0 {
			w.say("a field %s", name)
		}
	}
	for _, name := range []string{"From", "To"} {
		if list, err := w.h.AddressList(name); err != nil || len(list) != 1 {
			w.say("%s does not name one address", name)
		}
	}
	if _, err := w.h.Date(); err != nil {
		w.say("Date: %v", err)
	}
	if !messageID.MatchString(w.h.Get("Message-ID")) {
		w.say("Message-ID is no identifier")
	}
	word := new(mime.WordDecoder)
	if s, err := word.DecodeHeader(w.h.Get("Subject")); err != nil || strings.TrimSpace(s) == "" || strings.ContainsAny(s, "\r\n") {
		w.say("Subject is no line of text")
	}
	if w.h.Get("Mime-Version") != "1.0" || w.h.Get("Auto-Submitted") != "auto-generated" {
		w.say("MIME-Version or Auto-Submitted says something else")
	}
}

func (w *look) body(r io.Reader) {
	kind, params, err := mime.ParseMediaType(w.h.Get("Content-Type"))
	if err != nil {
		w.say("Content-Type: %v", err)
		return
	}
	if kind == "text/plain" {
		w.text = w.leaf(kind, params, w.h.Get("Content-Transfer-Encoding"), r)
		return
	}
	if kind != "multipart/alternative" {
		w.say("a body of type %s", kind)
		return
	}
	parts := multipart.NewReader(r, params["boundary"])
	for _, part := range []struct {
		want string
		to   *string
	}{{"text/plain", &w.text}, {"text/html", &w.html}} {
		p, err := parts.NextRawPart()
		if err != nil {
			w.say("no part %s: %v", part.want, err)
			return
		}
		kind, params, err := mime.ParseMediaType(p.Header.Get("Content-Type"))
		if err != nil || kind != part.want {
			w.say("a part %q in the place of %s", p.Header.Get("Content-Type"), part.want)
		}
		*part.to = w.leaf(kind, params, p.Header.Get("Content-Transfer-Encoding"), p)
	}
	if _, err := parts.NextRawPart(); err != io.EOF {
		w.say("more than two parts")
	}
}

// leaf returns the text of a part.
func (w *look) leaf(kind string, params map[string]string, encoding string, r io.Reader) string {
	switch strings.ToLower(encoding) {
	case "base64":
		r = base64.NewDecoder(base64.StdEncoding, r)
	case "quoted-printable":
		r = quotedprintable.NewReader(r)
	default: // what stands there raw is what SMTP smuggling needs
		w.say("%s travels as %q", kind, encoding)
	}
	text, err := io.ReadAll(r)
	if err != nil || !utf8.Valid(text) || len(bytes.TrimSpace(text)) == 0 || !strings.EqualFold(params["charset"], "utf-8") {
		w.say("%s is no text in UTF-8 (%v)", kind, err)
	}
	return string(text)
}

// listID is the identifier of a list (RFC 2919, 3).
var listID = regexp.MustCompile(`<[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+>$`)

func (w *look) list() {
	for _, name := range []string{"List-Id", "List-Unsubscribe", "List-Unsubscribe-Post"} {
		if n := len(w.h[name]); n != 1 {
			w.say("%d fields %s", n, name)
		}
	}
	if !listID.MatchString(w.h.Get("List-Id")) {
		w.say("List-Id is no identifier")
	}
	if w.h.Get("List-Unsubscribe-Post") != "List-Unsubscribe=One-Click" {
		w.say("List-Unsubscribe-Post does not allow one click")
	}
	web, post := "", ""
	for way := range strings.SplitSeq(w.h.Get("List-Unsubscribe"), ",") {
		way = strings.TrimSpace(way)
		if !strings.HasPrefix(way, "<") || !strings.HasSuffix(way, ">") {
			w.say("List-Unsubscribe has a way without angle brackets")
			continue
		}
		u, err := url.Parse(way[1 : len(way)-1])
		switch {
		case err != nil:
			w.say("List-Unsubscribe: %v", err)
		case (u.Scheme == "https" || u.Scheme == "http" && local(u.Hostname())) && len(u.Path) > 20 && u.RawQuery == "":
			web = u.String()
		case u.Scheme == "mailto" && strings.Contains(u.Opaque, "@"):
			post = u.String()
		default:
			w.say("List-Unsubscribe has a way by %s", u.Scheme)
		}
	}
	if web == "" || post == "" {
		w.say("List-Unsubscribe does not lead by https and by mail")
	}
	if tail := w.text[max(0, len(w.text)-500):]; !strings.Contains(tail, web) {
		w.say("the link that unsubscribes is not at the end of the text")
	}
	if w.html != "" && !strings.Contains(w.html, `href="`+web+`"`) {
		w.say("the link that unsubscribes is not in the HTML")
	}
}

// local reports whether a host is that of the demonstration, which has no
// certificate.
func local(host string) bool { return host == "localhost" || strings.HasPrefix(host, "127.") }

func (w *look) signature(s string) {
	var covered []string
	for tag := range strings.SplitSeq(s, ";") {
		if name, value, _ := strings.Cut(strings.TrimSpace(tag), "="); strings.TrimSpace(name) == "h" {
			for field := range strings.SplitSeq(value, ":") {
				covered = append(covered, strings.ToLower(strings.TrimSpace(field)))
			}
		}
	}
	for _, name := range []string{
		"from", "to", "subject", "date", "message-id", "mime-version", "content-type", "list-id", "list-unsubscribe", "list-unsubscribe-post",
	} {
		if !slices.Contains(covered, name) {
			w.say("the signature does not cover %s", name)
		}
	}
	if n := len(slices.DeleteFunc(covered, func(s string) bool { return s != "from" })); n < 2 {
		w.say("the signature lets somebody add a From")
	}
}

// Wrap returns a sender that checks every message which next takes. Series have
// to be issues of a list.
func Wrap(t testing.TB, next mail.BulkSender) mail.BulkSender { return &checking{t, next} }

// WrapSender is Wrap for a sender that knows no series.
func WrapSender(t testing.TB, next mail.Sender) mail.Sender { return single{&checking{t, nil}, next} }

type single struct {
	c    *checking
	next mail.Sender
}

func (s single) Send(ctx context.Context, m mail.Message) error {
	err := s.next.Send(ctx, m)
	if err == nil {
		s.c.message(m)
	}
	return err
}

type checking struct {
	t    testing.TB
	next mail.BulkSender
}

func (c *checking) Send(ctx context.Context, m mail.Message) error {
	err := c.next.Send(ctx, m)
	if err == nil {
		c.message(m)
	}
	return err
}

func (c *checking) message(m mail.Message) {
	if m.From == "" {
		m.From = "poststelle@example.org"
	}
	var b bytes.Buffer
	if err := mail.Write(&b, m); err != nil {
		c.t.Errorf("mail: %v", err)
		return
	}
	Check(c.t, b.Bytes())
}

func (c *checking) Many(ctx context.Context, t *mail.Template, next func(wait bool) (mail.Recipient, bool), done func(mail.Recipient, error)) error {
	return c.next.Many(ctx, t, next, func(r mail.Recipient, err error) {
		if err == nil {
			raw, err := t.Append(nil, r)
			if err != nil {
				c.t.Errorf("mail: %v", err)
			}
			Check(c.t, raw)
			if !bytes.Contains(raw, []byte("\r\nList-Unsubscribe: ")) {
				c.t.Errorf("mail on the wire: a series without fields of a list")
			}
		}
		done(r, err)
	})
}
