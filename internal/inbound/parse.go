package inbound

import (
	"bytes"
	"mime"
	"strings"
)

// Bounds of the structure of a mail. What lies deeper or comes later is not read.
const (
	maxDepth    = 10
	maxParts    = 200
	maxBoundary = 200
	maxText     = 1 << 20 // bytes of text that is looked at
	maxSubject  = 1000
)

// content is what a part of a mail holds.
type content struct {
	plain  string
	markup string
	files  []File
}

// text returns what the part says, as plain text.
func (c content) text() (text string, fromMarkup bool) {
	if strings.TrimSpace(c.plain) != "" || strings.TrimSpace(c.markup) == "" {
		return c.plain, false
	}
	return fromHTML(c.markup), true
}

// walker reads the parts of one mail.
type walker struct {
	parts     int
	partial   bool
	encrypted bool
	report    *Report
}

// read reads a mail as far as it can be read. It never fails: what cannot be read
// stays in the mail itself, and Partial says so.
func read(h header, body []byte) Mail {
	w := &walker{partial: h.over}
	c := w.walk(h, body, 0)
	m := Mail{
		From: fromOf(h), ReplyTo: personIn(h.get("reply-to")).Address, Subject: cleanLine(decodeWords(h.get("subject")), maxSubject),
		MessageID: messageID(h.get("message-id")), Machine: machine(h), Files: c.files, Report: w.report,
	}
	if m.ReplyTo == m.From.Address {
		m.ReplyTo = ""
	}
	text, fromMarkup := c.text()
	m.Text, m.HTML = strings.TrimSpace(cleanText(text)), fromMarkup
	m.Partial, m.Encrypted = w.partial, w.encrypted
	return m
}

// messageID returns a Message-ID in its angle brackets, "" when it is none.
func messageID(value string) string {
	i, j := strings.IndexByte(value, '<'), strings.IndexByte(value, '>')
	if i < 0 || j < i || j-i > maxName || strings.ContainsFunc(value[i:j], func(r rune) bool { return r <= ' ' || r > '~' }) {
		return ""
	}
	return value[i : j+1]
}

// walk reads one part and those inside it.
func (w *walker) walk(h header, body []byte, depth int) content {
	if w.parts++; w.parts > maxParts || depth > maxDepth {
		w.partial = true
		return content{}
	}
	kind, params := contentType(h)
	if strings.HasPrefix(kind, "multipart/") {
		boundary := params["boundary"]
		if boundary == "" || len(boundary) > maxBoundary {
			w.partial = true
			return content{plain: clip(toUTF8(body, ""))}
		}
		return w.multipart(kind, params, splitParts(body, boundary), depth)
	}
	return w.leaf(h, kind, params, body)
}

// contentType returns the media type of a part in lower case, text/plain when it
// names none (RFC 2045, 5.2).
func contentType(h header) (string, map[string]string) {
	value := h.get("content-type")
	if value == "" {
		return "text/plain", nil
	}
	kind, params, err := mime.ParseMediaType(value)
	if err == nil || kind != "" { // a type whose parameters are broken is still a type
		return kind, params
	}
	kind, _, _ = strings.Cut(value, ";")
	if kind = strings.ToLower(strings.TrimSpace(kind)); !strings.Contains(kind, "/") || strings.HasPrefix(kind, "multipart/") {
		return "application/octet-stream", nil
	}
	return kind, nil
}

// splitParts cuts the body of a multipart at its boundary (RFC 2046, 5.1.1)
// without copying it. A last part without an end is taken as it is.
func splitParts(body []byte, boundary string) [][]byte {
	var out [][]byte
	delimiter := []byte("--" + boundary)
	start := -1
	for at := 0; at < len(body) && len(out) <= maxParts; {
		line, _ := cutLine(body[at:])
		if rest, ok := bytes.CutPrefix(line, delimiter); ok {
			end := bytes.HasPrefix(rest, []byte("--"))
			if end || len(bytes.TrimSpace(rest)) == 0 {
				if start >= 0 {
					out = append(out, trimBreak(body[start:at]))
				}
				if end {
					return out
				}
				start = at + len(line)
			}
		}
		at += len(line)
	}
	if start >= 0 && start <= len(body) && len(out) <= maxParts {
		out = append(out, body[start:])
	}
	return out
}

// trimBreak takes off the line break that belongs to the delimiter behind it.
func trimBreak(b []byte) []byte {
	b = bytes.TrimSuffix(b, []byte("\n"))
	return bytes.TrimSuffix(b, []byte("\r"))
}

func (w *walker) multipart(kind string, params map[string]string, parts [][]byte, depth int) content {
	if len(parts) == 0 {
		w.partial = true
		return content{}
	}
	if kind == "multipart/encrypted" {
		w.encrypted = true
	}
	var out content
	for i, p := range parts {
		h, body := split(p)
		w.partial = w.partial || h.over
		if kind == "multipart/report" && i > 0 {
			w.readReport(params, h, body)
		}
		c := w.walk(h, body, depth+1)
		out.files = append(out.files, c.files...)
		if kind == "multipart/alternative" {
			out.plain, out.markup = first(out.plain, c.plain), first(out.markup, c.markup)
			continue
		}
		out.join(c)
	}
	return out
}

// first returns a, or b when a says nothing.
func first(a, b string) string {
	if strings.TrimSpace(a) != "" {
		return a
	}
	return b
}

// join adds the text of a part that stands behind the others.
func (c *content) join(next content) {
	text, _ := next.text()
	switch {
	case strings.TrimSpace(text) == "":
	case c.plain == "" && c.markup == "":
		c.plain, c.markup = next.plain, next.markup
	default:
		before, _ := c.text()
		c.plain, c.markup = clip(strings.TrimSpace(before)+"\n\n"+text), ""
	}
}

// leaf reads a part without parts: text that is meant to be read, or a file.
func (w *walker) leaf(h header, kind string, params map[string]string, body []byte) content {
	decoded, whole := decodeTransfer(body, h.get("content-transfer-encoding"))
	w.partial = w.partial || !whole
	name, attached := fileName(h, params)
	if strings.HasPrefix(kind, "application/pkcs7-mime") || strings.HasPrefix(kind, "application/x-pkcs7-mime") {
		w.encrypted = w.encrypted || params["smime-type"] != "signed-data"
	}
	if !attached && name == "" {
		switch kind {
		case "text/plain":
			return content{plain: clip(toUTF8(decoded, params["charset"]))}
		case "text/html":
			return content{markup: clip(toUTF8(decoded, params["charset"]))}
		}
	}
	if name == "" {
		name = nameFor(kind)
	}
	return content{files: []File{{Name: name, Content: decoded}}}
}

// clip bounds a text that is looked at further.
func clip(s string) string {
	if len(s) > maxText {
		return strings.ToValidUTF8(s[:maxText], "")
	}
	return s
}

// fileName returns the name of an attachment and whether the part says that it is
// one.
func fileName(h header, params map[string]string) (name string, attached bool) {
	disposition, dp, err := mime.ParseMediaType(h.get("content-disposition"))
	if err != nil {
		disposition, _, _ = strings.Cut(strings.ToLower(h.get("content-disposition")), ";")
		disposition = strings.TrimSpace(disposition)
	}
	if name = dp["filename"]; name == "" {
		name = params["name"]
	}
	return cleanLine(decodeWords(name), maxName), disposition == "attachment"
}

// nameFor names a file whose sender gave it no name, by its type.
func nameFor(kind string) string {
	for _, k := range [...][2]string{
		{"application/pdf", "pdf"}, {"image/jpeg", "jpg"}, {"image/png", "png"}, {"image/gif", "gif"}, {"text/plain", "txt"}, {"text/html", "html"},
		{"text/csv", "csv"}, {"message/rfc822", "eml"}, {"text/calendar", "ics"}, {"application/ms-tnef", "dat"}, {"application/pgp-encrypted", "asc"},
		{"application/pkcs7-signature", "p7s"}, {"message/delivery-status", "txt"},
	} {
		if kind == k[0] {
			return "Anhang." + k[1]
		}
	}
	return "Anhang.bin"
}
