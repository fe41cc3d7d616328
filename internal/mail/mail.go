// Package mail hands single messages to an SMTP relay.
//
// What it keeps true:
//
//   - One message has one recipient. Nobody learns of anybody else.
//   - Nothing that a person typed can become a header, a second recipient or
//     a second message: control characters in any header value are refused,
//     other text travels in encoded words, and bodies are always base64, so
//     that no line of a text ever stands raw in the SMTP dialogue (a bare CR
//     passes most dot-writers and is what SMTP smuggling needs).
//   - The same Message gives the same Message-ID and the same Date, however
//     often it is sent. When the answer to the end of data is lost, the relay
//     may hold the message although Send failed; sending again makes at most
//     one duplicate, which the recipient's side can recognise.
//   - Certificates are verified. There is no mode that tries TLS and falls
//     back to clear text.
//   - Messages say that a machine wrote them (RFC 3834) and never ask for a
//     receipt.
//
// Messages are signed with DKIM where the domain of their sender has a key
// ([Keyring]); the private halves lie in the database as ciphertext.
//
// What it does not do: keep a queue, retry, or receive. Callers enqueue a job
// and send from it; [IsPermanent] tells them when retrying is pointless. No
// error of this package repeats an address or a word of the message.
package mail

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	netmail "net/mail"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	gomail "github.com/wneessen/go-mail"

	"poststelle/internal/fault"
)

// Message is one mail to one recipient.
type Message struct {
	// From is the sender shown, as "name@example.org" or
	// "Stadt Beispiel <name@example.org>". Empty means the sender's default.
	From string
	// To is a bare address as ParseAddress accepts it.
	To string
	// Subject is one line of text.
	Subject string
	// Text is the plain text body and must not be empty.
	Text string
	// HTML is an optional alternative of the same content.
	HTML string
	// ID makes the Message-ID: it must be the same whenever this message is
	// sent again and different for every other message. 1 to 128 characters
	// of [A-Za-z0-9._-]; the domain of From is appended.
	ID string
	// Headers are additional header fields, for example "List-Id". Fields
	// that this package writes itself and fields that ask for receipts are
	// refused.
	Headers map[string]string
	// At is the Date of the message. It must not change between attempts.
	At time.Time
	// DKIM signs the message when it is set. Its domain must be that of From.
	DKIM *DKIM
}

// Sender sends a message. A nil error means that the next hop has taken
// responsibility for it; any error means that it may or may not have.
type Sender interface {
	Send(ctx context.Context, m Message) error
}

// Limits of a message. They are far above what a notice needs and below what
// relays refuse.
const (
	maxHeader = 900     // bytes; a line may have 998 (RFC 5322, 2.1.1)
	maxBody   = 4 << 20 // bytes of Text and of HTML
)

// Error says why a message was not sent. It never holds an address or text of
// the message, nor the words of the relay, which often repeat both.
type Error struct {
	// Stage is where it failed: message, connect, mail, rcpt, data, content
	// or end.
	Stage string
	// Code is the SMTP reply code, 0 when there was none.
	Code int
	// Enhanced is the enhanced status code (RFC 3463), if there was one.
	Enhanced string
	// Permanent says that the same message will fail again.
	Permanent bool
	// Err is the cause on this side of the connection; nil for a reply.
	Err error
}

// Error describes the failure for the log.
func (e *Error) Error() string {
	s := "mail: " + e.Stage
	if e.Code != 0 {
		s += fmt.Sprintf(": reply %d", e.Code)
	}
	if e.Enhanced != "" {
		s += " " + e.Enhanced
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is makes a temporary failure match fault.Unavailable.
func (e *Error) Is(target error) bool {
	return target == fault.Unavailable && !e.Permanent
}

// IsPermanent reports whether sending the same message again is pointless:
// the relay refused it for good (5xx), or the message is malformed. Trouble
// with the connection, the certificate or our own sign-in at the relay is
// temporary, because an operator can mend it while the message waits.
func IsPermanent(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Permanent
}

func malformed(format string, args ...any) error {
	return &Error{Stage: "message", Permanent: true, Err: fmt.Errorf(format, args...)}
}

// reserved are the fields which callers must not set: those this package
// writes, those that change the envelope or the transport, and those that
// request receipts.
var reserved = []string{
	"from", "to", "cc", "bcc", "sender", "subject", "date", "message-id", "mime-version", "auto-submitted",
	"return-path", "received", "return-receipt-to", "disposition-notification-to", "x-confirm-reading-to",
	"dkim-signature", "arc-seal", "authentication-results",
}

// checked is a message whose parts have passed the rules.
type checked struct {
	from    netmail.Address
	to      Address
	id      string
	headers []header
	Message
}

type header struct{ name, value string }

// check applies the rules that every implementer enforces, so that a test
// against Memory meets the same refusals as production.
func check(m Message, defaultFrom string) (checked, error) {
	c := checked{Message: m}
	from := m.From
	if from == "" {
		from = defaultFrom
	}
	var err error
	if c.from, err = parseFrom(from); err != nil {
		return c, err
	}
	if c.to, err = ParseAddress("to", m.To); err != nil {
		return c, malformed("recipient: %w", err)
	}
	if m.At.IsZero() {
		return c, malformed("no date")
	}
	if !validID(m.ID) {
		return c, malformed("bad message id")
	}
	c.id = m.ID + "@" + c.from.Address[strings.LastIndexByte(c.from.Address, '@')+1:]
	if strings.TrimSpace(m.Subject) == "" {
		return c, malformed("no subject")
	}
	if !oneLine(m.Subject) {
		return c, malformed("subject is not one line of text")
	}
	if m.Text == "" {
		return c, malformed("no text")
	}
	if len(m.Text) > maxBody || len(m.HTML) > maxBody {
		return c, malformed("body too large")
	}
	if !utf8.ValidString(m.Text) || !utf8.ValidString(m.HTML) {
		return c, malformed("body is not UTF-8")
	}
	for name, value := range m.Headers {
		if !fieldName(name) || slices.Contains(reserved, strings.ToLower(name)) ||
			strings.HasPrefix(strings.ToLower(name), "content-") || strings.HasPrefix(strings.ToLower(name), "resent-") {
			return c, malformed("header field not allowed")
		}
		if !oneLine(value) {
			return c, malformed("header value is not one line of text")
		}
		c.headers = append(c.headers, header{name, value})
	}
	slices.SortFunc(c.headers, func(a, b header) int { return strings.Compare(a.name, b.name) })
	return c, nil
}

// parseFrom reads an address with an optional display name.
func parseFrom(s string) (netmail.Address, error) {
	if !oneLine(s) {
		return netmail.Address{}, malformed("sender is not one line of text")
	}
	name, bare := "", s
	if strings.HasSuffix(s, ">") {
		a, err := netmail.ParseAddress(s)
		if err != nil {
			return netmail.Address{}, malformed("bad sender")
		}
		name, bare = a.Name, a.Address
	}
	a, err := ParseAddress("from", bare)
	if err != nil {
		return netmail.Address{}, malformed("sender: %w", err)
	}
	if !oneLine(name) { // an encoded word may hide a control character
		return netmail.Address{}, malformed("sender name is not one line of text")
	}
	return netmail.Address{Name: name, Address: string(a)}, nil
}

func validID(s string) bool {
	if s == "" || len(s) > 128 || s[0] == '.' || s[len(s)-1] == '.' || strings.Contains(s, "..") {
		return false
	}
	for i := range len(s) {
		if b := s[i]; !alnum(b) && b != '.' && b != '_' && b != '-' {
			return false
		}
	}
	return true
}

func alnum(b byte) bool {
	return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9'
}

// oneLine reports whether s may stand in a header: valid text without any
// control or line-separating character.
func oneLine(s string) bool {
	if len(s) > maxHeader || !utf8.ValidString(s) {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) || r == '\u2028' || r == '\u2029'
	})
}

func fieldName(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		if !alnum(s[i]) && s[i] != '-' {
			return false
		}
	}
	return true
}

// encodeLiteral encodes text that already looks like an encoded word. The
// library leaves printable ASCII alone, and a subject "=?utf-8?q?a=0Ab?="
// would reach the reader decoded. The words are folded as RFC 2047 asks.
func encodeLiteral(s string) string {
	var words []string
	for len(s) > 0 {
		n := min(len(s), 42)
		for n < len(s) && !utf8.RuneStart(s[n]) {
			n--
		}
		words = append(words, "=?UTF-8?B?"+base64.StdEncoding.EncodeToString([]byte(s[:n]))+"?=")
		s = s[n:]
	}
	return strings.Join(words, "\r\n ")
}

// build makes the message that goes over the wire.
func build(c checked) *gomail.Msg {
	m := gomail.NewMsg(gomail.WithCharset(gomail.CharsetUTF8), gomail.WithEncoding(gomail.EncodingB64),
		gomail.WithNoDefaultUserAgent())
	set := func(name, value string) {
		if strings.Contains(value, "=?") {
			m.SetGenHeaderPreformatted(gomail.Header(name), encodeLiteral(value))
			return
		}
		m.SetGenHeader(gomail.Header(name), value)
	}
	m.FromMailAddress(&c.from)
	m.ToMailAddress(&netmail.Address{Address: string(c.to)})
	m.SetDateWithValue(c.At.UTC())
	m.SetMessageIDWithValue(c.id)
	set("Subject", c.Subject)
	m.SetGenHeader("Auto-Submitted", "auto-generated")
	for _, h := range c.headers {
		set(h.name, h.value)
	}
	m.SetBodyString(gomail.TypeTextPlain, c.Text, gomail.WithPartEncoding(gomail.EncodingB64))
	if c.HTML != "" {
		m.AddAlternativeString(gomail.TypeTextHTML, c.HTML, gomail.WithPartEncoding(gomail.EncodingB64))
	}
	if c.DKIM != nil {
		signMsg(m, c.DKIM)
	}
	return m
}

// signMsg adds the signatures to a message that is complete: written again, it
// has the same bytes.
func signMsg(m *gomail.Msg, d *DKIM) {
	const name = "DKIM-Signature"
	var b bytes.Buffer
	if _, err := m.WriteTo(&b); err != nil {
		d.failed(fmt.Errorf("mail: sign: %w", err))
		return
	}
	if fields := d.fields(b.Bytes()); fields != "" {
		m.SetGenHeaderPreformatted(name, strings.TrimSuffix(strings.TrimPrefix(fields, name+": "), "\r\n"))
	}
}

// Write writes m as it would be sent (RFC 5322), for a preview or a test.
func Write(w io.Writer, m Message) error {
	c, err := check(m, "")
	if err != nil {
		return err
	}
	_, err = build(c).WriteTo(w)
	return err
}
