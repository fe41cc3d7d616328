package inbound

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"
	"time"
)

// Bounds of a header section. What is above is not read; the mail is kept as a
// file all the same.
const (
	maxHeader = 256 << 10 // bytes
	maxFields = 1000
	maxHops   = 50 // fields "Received" (RFC 5321, 6.3)
)

// field is one header field: its name in lower case, the value unfolded, and the
// lines as they came.
type field struct {
	name  string
	value string
	raw   []byte
}

// header is the header section of a mail or of a part.
type header struct {
	fields []field
	over   bool // it was larger than we read
}

// split cuts a mail into header and body at the first empty line. Lines may end
// with CR LF or, in what was decoded, with LF.
func split(raw []byte) (h header, body []byte) {
	defer h.unfold()
	rest := raw
	read := 0
	for len(rest) > 0 {
		line, next := cutLine(rest)
		if len(bytes.TrimRight(line, "\r\n")) == 0 {
			return h, next
		}
		if read += len(line); read > maxHeader || len(h.fields) >= maxFields {
			h.over = true
			return h, bodyOf(rest)
		}
		h.add(line)
		rest = next
	}
	return h, nil
}

// bodyOf skips the remaining header.
func bodyOf(rest []byte) []byte {
	for len(rest) > 0 {
		line, next := cutLine(rest)
		rest = next
		if len(bytes.TrimRight(line, "\r\n")) == 0 {
			break
		}
	}
	return rest
}

func cutLine(b []byte) (line, rest []byte) {
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		return b[:i+1], b[i+1:]
	}
	return b, nil
}

// add takes one line: a new field, or the continuation of the last one. Lines
// that are neither are kept in place, without a name.
func (h *header) add(line []byte) {
	if (line[0] == ' ' || line[0] == '\t') && len(h.fields) > 0 {
		f := &h.fields[len(h.fields)-1]
		f.raw = f.raw[:len(f.raw)+len(line)] // the lines lie one behind the other
		return
	}
	name, _, ok := bytes.Cut(line, []byte(":"))
	if trimmed := bytes.TrimRight(name, " \t"); !ok || bytes.ContainsAny(trimmed, " \t") {
		name = nil
	}
	h.fields = append(h.fields, field{name: strings.ToLower(strings.TrimSpace(string(name))), raw: line})
}

// unfold takes the values out of the lines.
func (h *header) unfold() {
	for i := range h.fields {
		f := &h.fields[i]
		value := f.raw
		if f.name != "" {
			_, value, _ = bytes.Cut(f.raw, []byte(":"))
		}
		lines := bytes.Split(value, []byte("\n"))
		for j := range lines {
			lines[j] = bytes.TrimSpace(lines[j])
		}
		f.value = strings.TrimSpace(string(bytes.Join(lines, []byte(" "))))
	}
}

// get returns the value of the first field with a name in lower case, "" for none.
func (h header) get(name string) string {
	for _, f := range h.fields {
		if f.name == name {
			return f.value
		}
	}
	return ""
}

// count returns how many fields have a name.
func (h header) count(name string) (n int) {
	for _, f := range h.fields {
		if f.name == name {
			n++
		}
	}
	return n
}

func (h header) hops() int { return h.count("received") }

// fromHere reports whether a mail was written by this installation itself.
func (s *Server) fromHere(h header) bool {
	if s.Own == "" || machineWord(h.get("auto-submitted")) == "no" {
		return false
	}
	return strings.EqualFold(fromOf(h).Address, addressIn(s.Own))
}

// machineWord returns the keyword of Auto-Submitted (RFC 3834, 5), "no" when
// there is none.
func machineWord(value string) string {
	word, _, _ := strings.Cut(value, ";")
	if word = strings.ToLower(strings.TrimSpace(word)); word == "" {
		return "no"
	}
	return word
}

// machine reports whether a machine wrote a mail: an automatic answer, a report,
// a list.
func machine(h header) bool {
	switch strings.ToLower(h.get("precedence")) {
	case "bulk", "junk", "list", "auto_reply":
		return true
	}
	return machineWord(h.get("auto-submitted")) != "no" || h.get("x-auto-response-suppress") != "" || h.get("x-autoreply") != "" ||
		h.get("list-id") != "" || h.get("list-unsubscribe") != "" || strings.HasPrefix(strings.ToLower(h.get("content-type")), "multipart/report")
}

// traced returns the mail as it is kept: with our trace on top, and without
// fields that pretend to be results of ours (RFC 8601, 5).
func (s *Server) traced(e envelope, r recipient, h header, body []byte, c Check) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "Return-Path: <%s>\r\n", e.from)
	fmt.Fprintf(&b, "Authentication-Results: %s;\r\n %s\r\n", s.Name, strings.Join(c.results(), ";\r\n "))
	from := e.helo
	if e.remote != "" {
		from += " ([" + e.remote + "])"
	}
	fmt.Fprintf(&b, "Received: from %s\r\n by %s with %s\r\n for <%s>; %s\r\n", from, s.Name, e.protocol(), r.address, s.Now().UTC().Format(time.RFC1123Z))
	for _, f := range h.fields {
		if f.name == "authentication-results" && s.ours(f.value) || f.name == "return-path" {
			continue
		}
		b.Write(f.raw)
	}
	if h.over { // read no further, but nothing of the rest is lost
		b.WriteString("X-Header-Cut: yes\r\n")
	}
	b.WriteString("\r\n")
	b.Write(body)
	return b.Bytes()
}

// protocol is the name of what was spoken (RFC 3848).
func (e envelope) protocol() string {
	name := "ESMTP"
	if e.lmtp {
		name = "LMTP"
	}
	if e.tls {
		name += "S"
	}
	return name
}

// ours reports whether a field Authentication-Results pretends to be from here.
func (s *Server) ours(value string) bool {
	id, _, _ := strings.Cut(value, ";")
	if i := strings.IndexByte(id, '('); i >= 0 && strings.TrimSpace(id[:i]) == "" { // a comment in front
		if j := strings.LastIndexByte(id, ')'); j > i {
			id = id[j+1:]
		}
	}
	words := strings.Fields(strings.Trim(strings.TrimSpace(id), `"`))
	return len(words) > 0 && strings.EqualFold(strings.TrimSuffix(strings.Trim(words[0], `"`), "."), s.Name)
}

// mark is the hash by which the same mail is known when it is sent again: of its
// body and of the fields that its author wrote, not of the trace that each server
// adds.
func mark(h header, body []byte) []byte {
	sum := sha256.New()
	part := func(b []byte) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(b)))
		sum.Write(n[:])
		sum.Write(b)
	}
	for _, name := range []string{"message-id", "date", "from", "subject"} {
		part([]byte(h.get(name)))
	}
	part(body)
	return sum.Sum(nil)
}
