package seal

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// The receipt's text is its own file because it has a rule of its own: the
// parser reads line by line into a ParsedReceipt, prints that again and
// compares. So there is one canonical text, and the printer defines it.

const (
	receiptBegin = "----- BEGINN EMPFANGSBESTAETIGUNG 1 -----"
	receiptEnd   = "----- ENDE EMPFANGSBESTAETIGUNG 1 -----"

	instantForm = "2006-01-02T15:04:05.000Z"
	// maxReceiptText bounds what ParseReceipt looks at: maxFiles lines of at
	// most 101 bytes, names, and trailing blanks.
	maxReceiptText = 256 << 10
	maxName        = 200
	maxID          = 64
)

// isID reports printable ASCII without blanks, 1 to 64 characters.
func isID(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return s != "" && len(s) <= maxID
}

// isName reports a name of 1 to 200 bytes of valid UTF-8 in which nothing is
// invisible: graphic characters and single blanks between them.
func isName(s string) bool {
	if s == "" || len(s) > maxName || !utf8.ValidString(s) || strings.Contains(s, "  ") || strings.Trim(s, " ") != s {
		return false
	}
	for _, r := range s {
		if r != ' ' && (!unicode.IsGraphic(r) || unicode.IsSpace(r)) {
			return false
		}
	}
	return true
}

// isARS reports 2 to 12 digits.
func isARS(s string) bool {
	return len(s) >= 2 && len(s) <= 12 && strings.Trim(s, "0123456789") == ""
}

// wellFormed checks that the canonical text can hold every value.
func (r Receipt) wellFormed() error {
	bad := func(what string) error { return fmt.Errorf("%w: %s", ErrReceipt, what) }
	switch {
	case !isID(r.Tenant):
		return bad("tenant")
	case !isName(r.TenantName):
		return bad("tenant's name")
	case r.ARS != "" && !isARS(r.ARS):
		return bad("ARS")
	case !isID(r.Mailbox):
		return bad("mailbox")
	case !isName(r.MailboxName):
		return bad("mailbox's name")
	case r.Case != "" && (!isName(r.Case) || r.Case == "-"):
		return bad("case")
	case r.At.Year() < 2000 || r.At.Year() > 9999:
		return bad("instant")
	case len(r.Files) > maxFiles:
		return bad("too many files")
	}
	for _, f := range r.Files {
		if f.Size < 0 {
			return bad("size of a file")
		}
	}
	return nil
}

// orDash stands for an empty value.
func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// body prints all lines above the signature.
func (p ParsedReceipt) body() []byte {
	var b []byte
	line := func(label, value string) { b = append(append(append(append(b, label...), ": "...), value...), '\n') }
	b = append(b, receiptBegin+"\n"...)
	line("Behoerde", p.TenantName)
	line("Behoerde Kennung", p.Tenant)
	line("Behoerde ARS", orDash(p.ARS))
	line("Postfach", p.MailboxName)
	line("Postfach Kennung", p.Mailbox)
	line("Vorgang", orDash(p.Case))
	line("Eingang (UTC)", p.At.Format(instantForm))
	line("Text SHA-256", hex.EncodeToString(p.Text[:]))
	line("Anzahl Dateien", strconv.Itoa(len(p.Files)))
	for i, f := range p.Files {
		line(fmt.Sprintf("Datei %d", i+1), fmt.Sprintf("%d Byte %x", f.Size, f.SHA256))
	}
	c := p.Certificate
	line("Fingerabdruck", FingerprintOf(c.Authority).String())
	line("Schluessel der Behoerde", hex.EncodeToString(c.Authority))
	line("Zertifikat fuer", c.Tenant)
	line("Zertifikat Tag", c.Day)
	line("Tagesschluessel", hex.EncodeToString(c.Key))
	line("Zertifikat 1/2", hex.EncodeToString(c.Signature[:32]))
	line("Zertifikat 2/2", hex.EncodeToString(c.Signature[32:]))
	return b
}

// text prints the whole receipt.
func (p ParsedReceipt) text() string {
	return fmt.Sprintf("%sUnterschrift 1/2: %x\nUnterschrift 2/2: %x\n%s\n", p.body(), p.Signature[:32], p.Signature[32:], receiptEnd)
}

// ParseReceipt reads a receipt as it was pasted or saved: with CRLF, blanks at
// the ends of lines, a byte order mark, and empty lines before and after. Apart
// from that only the canonical text is accepted. It fails with ErrReceipt. It
// verifies nothing.
func ParseReceipt(text string) (ParsedReceipt, error) {
	canonical, err := unpaste(text)
	if err != nil {
		return ParsedReceipt{}, err
	}
	l := lines{rest: canonical}
	var p ParsedReceipt
	l.exact(receiptBegin)
	p.TenantName = l.value("Behoerde")
	p.Tenant = l.value("Behoerde Kennung")
	p.ARS = unDash(l.value("Behoerde ARS"))
	p.MailboxName = l.value("Postfach")
	p.Mailbox = l.value("Postfach Kennung")
	p.Case = unDash(l.value("Vorgang"))
	p.At = l.instant("Eingang (UTC)")
	copy(p.Text[:], l.hex("Text SHA-256"))
	n := l.number("Anzahl Dateien")
	for i := 0; i < n && l.err == nil; i++ {
		p.Files = append(p.Files, l.file(fmt.Sprintf("Datei %d", i+1)))
	}
	l.value("Fingerabdruck") // compared below
	p.Certificate.Authority = l.hex("Schluessel der Behoerde")
	p.Certificate.Tenant = l.value("Zertifikat fuer")
	p.Certificate.Day = l.value("Zertifikat Tag")
	p.Certificate.Key = l.hex("Tagesschluessel")
	p.Certificate.Signature = append(l.hex("Zertifikat 1/2"), l.hex("Zertifikat 2/2")...)
	p.Signature = append(l.hex("Unterschrift 1/2"), l.hex("Unterschrift 2/2")...)
	l.exact(receiptEnd)
	if l.err != nil {
		return ParsedReceipt{}, l.err
	}
	if err := p.wellFormed(); err != nil {
		return ParsedReceipt{}, err
	}
	if err := p.Certificate.wellFormed(); err != nil {
		return ParsedReceipt{}, err
	}
	if p.text() != canonical {
		return ParsedReceipt{}, fmt.Errorf("%w: not canonical", ErrReceipt)
	}
	return p, nil
}

// unpaste takes away what copying, printing and saving may add.
func unpaste(text string) (string, error) {
	if len(text) > maxReceiptText {
		return "", fmt.Errorf("%w: too long", ErrReceipt)
	}
	text = strings.Trim(strings.TrimPrefix(text, "\ufeff"), " \t\r\n")
	var b strings.Builder
	for line := range strings.SplitSeq(text, "\n") {
		b.WriteString(strings.TrimRight(line, " \t\r"))
		b.WriteByte('\n')
	}
	return b.String(), nil
}

func unDash(s string) string {
	if s == "-" {
		return ""
	}
	return s
}

// lines reads the lines of a receipt; after the first that does not fit, all
// its methods do nothing.
type lines struct {
	rest string
	err  error
}

func (l *lines) fail(what string) {
	if l.err == nil {
		l.err = fmt.Errorf("%w: %s", ErrReceipt, what)
	}
}

// prefixed returns what follows prefix in the next line.
func (l *lines) prefixed(prefix, what string) string {
	line, rest, _ := strings.Cut(l.rest, "\n")
	value, ok := strings.CutPrefix(line, prefix)
	if !ok || l.err != nil {
		l.fail(what)
		return ""
	}
	l.rest = rest
	return value
}

func (l *lines) exact(want string) {
	if l.prefixed(want, want) != "" {
		l.fail(want)
	}
}

func (l *lines) value(label string) string { return l.prefixed(label+": ", label) }

// hex returns 32 bytes, or nil after an error.
func (l *lines) hex(label string) []byte {
	b, err := hex.DecodeString(l.value(label))
	if err != nil || len(b) != 32 {
		l.fail(label)
		return nil
	}
	return b
}

func (l *lines) instant(label string) time.Time {
	t, err := time.Parse(instantForm, l.value(label))
	if err != nil {
		l.fail(label)
	}
	return t
}

func (l *lines) number(label string) int {
	n, err := strconv.ParseUint(l.value(label), 10, 16)
	if err != nil || n > maxFiles {
		l.fail(label)
	}
	return int(n)
}

func (l *lines) file(label string) ReceiptFile {
	size, sum, _ := strings.Cut(l.value(label), " Byte ")
	n, err := strconv.ParseInt(size, 10, 64)
	b, errSum := hex.DecodeString(sum)
	if err != nil || errSum != nil || len(b) != 32 {
		l.fail(label)
		return ReceiptFile{}
	}
	return ReceiptFile{n, [32]byte(b)}
}
