package inbound

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/unicode/norm"
)

// toUTF8 decodes text in a named charset. What is named wrongly is read as UTF-8
// where it is that, else as Windows-1252, in which every byte has a meaning.
func toUTF8(b []byte, charset string) string {
	charset = strings.ToLower(strings.Trim(strings.TrimSpace(charset), `"'`))
	switch charset {
	case "", "utf-8", "utf8", "us-ascii", "ascii":
	default:
		if e, err := htmlindex.Get(charset); err == nil {
			if name, err := htmlindex.Name(e); err == nil && name != "replacement" {
				if out, err := e.NewDecoder().Bytes(b); err == nil {
					return string(out)
				}
			}
		}
	}
	if utf8.Valid(b) {
		return string(b)
	}
	out, err := charmap.Windows1252.NewDecoder().Bytes(b)
	if err != nil {
		return strings.ToValidUTF8(string(b), "\uFFFD")
	}
	return string(out)
}

// cleanText makes a text that may be shown: valid, line ends as LF, in NFC, and
// without control characters. Characters that change the direction of writing
// stay: pages show them escaped, because a text that hides should be seen to.
func cleanText(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u2028", "\n", "\u2029", "\n").Replace(s)
	s = strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return r
		}
		if unicode.IsControl(r) || r == '\uFEFF' {
			return -1
		}
		return r
	}, s)
	return norm.NFC.String(s)
}

// cleanLine is cleanText for what stands on one line, shortened to n bytes.
func cleanLine(s string, n int) string {
	s = strings.Join(strings.Fields(cleanText(s)), " ")
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// wordDecoder decodes the encoded words of headers (RFC 2047).
func wordDecoder() *mime.WordDecoder {
	return &mime.WordDecoder{CharsetReader: func(charset string, r io.Reader) (io.Reader, error) {
		b, err := io.ReadAll(r)
		return strings.NewReader(toUTF8(b, charset)), err
	}}
}

// decodeWords returns the text of a header value; encoded words that are broken
// stay as they are.
func decodeWords(value string) string {
	value = toUTF8([]byte(value), "")
	if out, err := wordDecoder().DecodeHeader(value); err == nil {
		return out
	}
	return value
}

// maxName bounds names and addresses that are shown, in bytes.
const maxName = 250

// fromOf returns whom a mail claims to be from.
func fromOf(h header) Person { return personIn(h.get("from")) }

// personIn reads the first address of a header value. What cannot be read is the
// name, so that a clerk sees it.
func personIn(value string) Person {
	if value == "" {
		return Person{}
	}
	parser := mail.AddressParser{WordDecoder: wordDecoder()}
	list, err := parser.ParseList(toUTF8([]byte(value), ""))
	if err != nil || len(list) == 0 {
		return Person{Name: cleanLine(decodeWords(value), maxName), Address: writable(addressIn(value))}
	}
	return Person{Name: cleanLine(list[0].Name, maxName), Address: writable(list[0].Address)}
}

// addressIn finds the address in "Name <address>", or returns what is there.
func addressIn(value string) string {
	i := strings.LastIndexByte(value, '<')
	if i < 0 {
		return strings.TrimSpace(value)
	}
	address, _, _ := strings.Cut(value[i+1:], ">")
	return strings.TrimSpace(address)
}

// writable returns an address to which mail can be written, "" for any other.
func writable(address string) string {
	if len(address) > maxName || strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`<>()[]",;:\`, r) }) {
		return ""
	}
	local, domain, ok := strings.Cut(address, "@")
	if !ok || local == "" || domain == "" || strings.Contains(domain, "@") {
		return ""
	}
	return local + "@" + strings.ToLower(domain)
}

// decodeTransfer undoes the transfer encoding of a part. What is broken is
// decoded as far as it goes, and whole is false.
func decodeTransfer(body []byte, encoding string) (out []byte, whole bool) {
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "base64":
		return decodeBase64(body)
	case "quoted-printable":
		out, err := io.ReadAll(quotedprintable.NewReader(bytes.NewReader(body)))
		return out, err == nil
	case "", "7bit", "8bit", "binary":
		return body, true
	}
	return body, false
}

// decodeBase64 ignores what is not of the alphabet, as RFC 2045, 6.8 asks.
func decodeBase64(body []byte) ([]byte, bool) {
	kept := make([]byte, 0, len(body))
	for _, c := range body {
		switch {
		case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '+', c == '/':
			kept = append(kept, c)
		}
	}
	if len(kept)%4 == 1 { // no whole byte is in it
		kept = kept[:len(kept)-1]
	}
	out := make([]byte, base64.RawStdEncoding.DecodedLen(len(kept)))
	n, err := base64.RawStdEncoding.Decode(out, kept)
	return out[:n], err == nil
}

// fromHTML returns what a person reads of markup: no scripts, no styles, nothing
// is loaded; links stand with their address behind them.
func fromHTML(markup string) string {
	z := html.NewTokenizer(strings.NewReader(markup))
	var w htmlText
	for {
		switch z.Next() {
		case html.ErrorToken:
			return tidyLines(w.b.String())
		case html.TextToken:
			w.text(string(z.Text()))
		case html.StartTagToken, html.SelfClosingTagToken:
			w.open(z.Token())
		case html.EndTagToken:
			w.close(z.Token())
		}
	}
}

// htmlText collects the text of markup.
type htmlText struct {
	b      strings.Builder
	hidden int // depth inside of what is not shown
	href   string
	label  strings.Builder
}

func (w *htmlText) text(s string) {
	if w.hidden > 0 {
		return
	}
	s = html.UnescapeString(s)
	w.b.WriteString(strings.Map(func(r rune) rune {
		if r == '\n' || r == '\r' || r == '\t' {
			return ' '
		}
		return r
	}, s))
	if w.href != "" {
		w.label.WriteString(s)
	}
}

func hiddenTag(a atom.Atom) bool {
	switch a {
	case atom.Script, atom.Style, atom.Head, atom.Title, atom.Template, atom.Noscript, atom.Object, atom.Svg:
		return true
	}
	return false
}

func blockTag(a atom.Atom) bool {
	switch a {
	case atom.P, atom.Div, atom.Tr, atom.Table, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Ul, atom.Ol, atom.Blockquote, atom.Pre, atom.Hr,
		atom.Section, atom.Article, atom.Header, atom.Footer:
		return true
	}
	return false
}

func (w *htmlText) open(t html.Token) {
	switch {
	case t.DataAtom == atom.Body:
		w.hidden = 0 // a head that was never closed hides nothing
	case hiddenTag(t.DataAtom) && t.Type == html.StartTagToken:
		w.hidden++
	case w.hidden > 0:
	case t.DataAtom == atom.Br:
		w.b.WriteByte('\n')
	case t.DataAtom == atom.Li:
		w.b.WriteString("\n- ")
	case t.DataAtom == atom.Td || t.DataAtom == atom.Th:
		w.b.WriteByte(' ')
	case blockTag(t.DataAtom):
		w.b.WriteString("\n\n")
	case t.DataAtom == atom.Img:
		w.text(attribute(t, "alt"))
	case t.DataAtom == atom.A:
		w.href = attribute(t, "href")
		w.label.Reset()
	}
}

func (w *htmlText) close(t html.Token) {
	switch {
	case hiddenTag(t.DataAtom):
		w.hidden = max(0, w.hidden-1)
	case w.hidden > 0:
	case t.DataAtom == atom.A:
		label := strings.TrimSpace(w.label.String())
		target := strings.TrimPrefix(w.href, "mailto:")
		if web := strings.HasPrefix(w.href, "http://") || strings.HasPrefix(w.href, "https://") || target != w.href; web && label != target && label != "" {
			w.b.WriteString(" <" + target + ">")
		}
		w.href = ""
	case blockTag(t.DataAtom):
		w.b.WriteString("\n\n")
	}
}

func attribute(t html.Token, name string) string {
	for _, a := range t.Attr {
		if a.Key == name {
			return strings.TrimSpace(a.Val)
		}
	}
	return ""
}

// tidyLines joins blanks and drops more than one empty line.
func tidyLines(s string) string {
	var out []string
	empty := 0
	for line := range strings.SplitSeq(s, "\n") {
		line = strings.Join(strings.Fields(line), " ")
		if line == "" {
			empty++
			continue
		}
		if empty > 0 && len(out) > 0 {
			if empty > 1 {
				out = append(out, "")
			}
		}
		empty = 0
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}
