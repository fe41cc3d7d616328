package mail

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"mime"
	netmail "net/mail"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Slot stands in the text, the HTML and the headers of a Series for the word that
// differs from recipient to recipient: the secret in the link that unsubscribes.
const Slot = "\uE000"

// maxSlot is the longest word for a Slot: it has to fit into one line of
// quoted-printable.
const maxSlot = 75

// Header is one header field.
type Header struct{ Name, Value string }

// Series is a message that goes to many people, one by one: the same words for
// everybody, but for the address, the Message-ID and the word in the Slots.
type Series struct {
	// From, Subject, Text, HTML and At are those of Message.
	From, Subject string
	Text, HTML    string
	At            time.Time
	// Envelope is the address to which failures are reported; empty means that of
	// the relay's configuration.
	Envelope string
	// Headers are additional fields in this order, under the rules of Message.
	// Values may hold Slots.
	Headers []Header
	// DKIM signs each message when it is set.
	DKIM *DKIM
}

// Recipient is one of those to whom a Series goes. ID makes the Message-ID, as in
// Message; Slot is at most 75 of A-Z a-z 0-9 - _.
type Recipient struct {
	To       Address
	ID, Slot string
}

// Template is a Series made ready: composing it for a recipient copies its parts
// and allocates nothing. It is safe for use by several goroutines.
type Template struct {
	s        Series
	envelope string
	domain   string // of Message-IDs
	parts    []part
	to       checked
}

// part is bytes that are the same for everybody, followed by what is not.
type part struct {
	text []byte
	then byte // partTo, partID, partSlot, or 0 at the end
}

const (
	partTo = iota + 1
	partID
	partSlot
)

// NewTemplate applies the rules of Message and encodes the series. Every error is
// an *Error.
func NewTemplate(s Series) (*Template, error) {
	plain := strings.NewReplacer(Slot, "x")
	probe := Message{
		From: s.From, To: "a@example.org", Subject: s.Subject, Text: plain.Replace(s.Text), HTML: plain.Replace(s.HTML), ID: "x", At: s.At,
		Headers: map[string]string{},
	}
	for _, h := range s.Headers {
		if _, twice := probe.Headers[h.Name]; twice {
			return nil, malformed("header field stands twice")
		}
		probe.Headers[h.Name] = plain.Replace(h.Value)
	}
	c, err := check(probe, "")
	if err != nil {
		return nil, err
	}
	t := &Template{s: s, domain: c.id[1:], to: c}
	if s.Envelope != "" {
		a, err := ParseAddress("envelope", s.Envelope)
		if err != nil {
			return nil, malformed("envelope sender: %w", err)
		}
		t.envelope = string(a)
	}
	t.write(c.from)
	for _, p := range t.parts {
		if bytes.Contains(p.text, []byte("\n.")) {
			return nil, malformed("a line begins with a dot") // cannot be: it would end the message
		}
	}
	return t, nil
}

// write composes the parts.
func (t *Template) write(from netmail.Address) {
	w := &partWriter{t: t}
	w.header("From", from.String())
	w.text("To: <")
	w.then(partTo)
	w.text(">\r\nMessage-ID: <")
	w.then(partID)
	w.text(t.domain + ">\r\n")
	w.header("Date", t.s.At.UTC().Format(time.RFC1123Z))
	w.header("Subject", headerText(t.s.Subject))
	w.header("MIME-Version", "1.0")
	w.header("Auto-Submitted", "auto-generated")
	for _, h := range t.s.Headers {
		value := h.Value
		if !printable(strings.ReplaceAll(value, Slot, "x")) {
			value = headerText(value)
		}
		w.header(h.Name, strings.ReplaceAll(value, ", <", ",\r\n <"))
	}
	const kind = "; charset=UTF-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
	if t.s.HTML == "" {
		w.text("Content-Type: text/plain" + kind)
		w.body(t.s.Text)
	} else {
		// What begins with =_ cannot stand in quoted-printable text (RFC 2045, 6.7).
		sum := sha256.Sum256([]byte(t.s.Text + t.s.HTML))
		boundary := "=_" + hex.EncodeToString(sum[:16])
		w.text("Content-Type: multipart/alternative; boundary=\"" + boundary + "\"\r\n\r\n--" + boundary + "\r\nContent-Type: text/plain" + kind)
		w.body(t.s.Text)
		w.text("\r\n--" + boundary + "\r\nContent-Type: text/html" + kind)
		w.body(t.s.HTML)
		w.text("\r\n--" + boundary + "--\r\n")
	}
	w.then(0)
}

// partWriter collects the parts of a template.
type partWriter struct {
	t   *Template
	now []byte
}

func (w *partWriter) text(s string) { w.now = append(w.now, s...) }

func (w *partWriter) then(what byte) {
	w.t.parts = append(w.t.parts, part{w.now, what})
	w.now = nil
}

func (w *partWriter) header(name, value string) {
	w.text(name + ": ")
	for i, s := range strings.Split(value, Slot) {
		if i > 0 {
			w.then(partSlot)
		}
		w.text(s)
	}
	w.text("\r\n")
}

// body writes a text in quoted-printable. A word for a Slot gets a line of its
// own between soft breaks, so that no line grows too long.
func (w *partWriter) body(s string) {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	if !strings.HasSuffix(s, "\n") {
		s += "\n"
	}
	for i, piece := range strings.Split(s, Slot) {
		if i > 0 {
			w.text("=\r\n")
			w.then(partSlot)
			w.text("=\r\n")
		}
		w.now = appendQP(w.now, piece)
	}
}

// appendQP appends s in quoted-printable (RFC 2045, 6.7), from the beginning of a
// line. No line begins with a dot, so that none needs doubling on the wire.
func appendQP(b []byte, s string) []byte {
	const most = 75
	col := 0
	for i := range len(s) {
		c := s[i]
		if c == '\n' {
			b, col = append(b, '\r', '\n'), 0
			continue
		}
		last := i+1 == len(s) || s[i+1] == '\n'
		if col+3 > most {
			b, col = append(b, "=\r\n"...), 0
		}
		switch {
		case c == '.' && col == 0, c == '=', c < ' ' && c != '\t', c >= 0x7f, last && (c == ' ' || c == '\t'):
			const digits = "0123456789ABCDEF"
			b, col = append(b, '=', digits[c>>4], digits[c&15]), col+3
		default:
			b, col = append(b, c), col+1
		}
	}
	return b
}

func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r >= 0x7f }) && !strings.Contains(s, "=?")
}

// headerText encodes text for a header, in lines of at most 76 characters.
func headerText(s string) string {
	if !printable(s) || len(s) > 70 {
		if strings.Contains(s, "=?") || utf8.RuneCountInString(s) == len(s) {
			return encodeLiteral(s)
		}
		return strings.ReplaceAll(mime.BEncoding.Encode("UTF-8", s), "?= =?", "?=\r\n =?")
	}
	return s
}

// Append appends the message for a recipient as it stands on the wire (RFC 5322),
// and signs it. Every error is an *Error.
func (t *Template) Append(b []byte, r Recipient) ([]byte, error) {
	if r.To == "" || strings.ContainsAny(string(r.To), "\r\n<> ") || !validID(r.ID) || !validSlot(r.Slot) {
		return b, malformed("recipient of a series")
	}
	start := len(b)
	for _, p := range t.parts {
		b = append(b, p.text...)
		switch p.then {
		case partTo:
			b = append(b, r.To...)
		case partID:
			b = append(b, r.ID...)
		case partSlot:
			b = append(b, r.Slot...)
		}
	}
	if t.s.DKIM == nil {
		return b, nil
	}
	return t.s.DKIM.sign(b, start), nil
}

func validSlot(s string) bool {
	return s != "" && len(s) <= maxSlot && !strings.ContainsFunc(s, func(r rune) bool {
		return r > 'z' || !alnum(byte(r)) && r != '-' && r != '_'
	})
}

// Subject returns the subject of the series.
func (t *Template) Subject() string { return t.s.Subject }

// Headers returns the additional fields of the series, Slots included.
func (t *Template) Headers() []Header { return slices.Clone(t.s.Headers) }

// message is the series as a single message, for senders that know no other.
func (t *Template) message(r Recipient) Message {
	fill := strings.NewReplacer(Slot, r.Slot)
	m := Message{
		From: t.s.From, To: string(r.To), Subject: t.s.Subject, Text: fill.Replace(t.s.Text), HTML: fill.Replace(t.s.HTML), ID: r.ID, At: t.s.At, DKIM: t.s.DKIM,
	}
	m.Headers = make(map[string]string, len(t.s.Headers))
	for _, h := range t.s.Headers {
		m.Headers[h.Name] = fill.Replace(h.Value)
	}
	return m
}
