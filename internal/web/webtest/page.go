package webtest

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// Page is a response.
type Page struct {
	Status int
	Header http.Header
	Body   string
	Host   string
	Path   string // with query, after redirects
	Broken bool   // the response ended early

	c   *Client
	doc *html.Node
}

// Select returns the elements that match a selector: tag, #id, .class,
// [attribute], [attribute=value] in any combination, and the descendant space:
// "form.suche input[name=q]".
func (p *Page) Select(selector string) []*html.Node {
	p.c.t.Helper()
	found, err := find(p.doc, selector)
	if err != nil {
		p.c.t.Fatalf("webtest: %v", err)
	}
	return found
}

// Has reports whether an element matches.
func (p *Page) Has(selector string) bool { p.c.t.Helper(); return len(p.Select(selector)) > 0 }

// Count returns how many elements match.
func (p *Page) Count(selector string) int { p.c.t.Helper(); return len(p.Select(selector)) }

// Text returns the text of the first match with white space folded, "" if
// nothing matches.
func (p *Page) Text(selector string) string {
	p.c.t.Helper()
	if all := p.Texts(selector); len(all) > 0 {
		return all[0]
	}
	return ""
}

// Texts returns the texts of all matches.
func (p *Page) Texts(selector string) []string {
	p.c.t.Helper()
	var out []string
	for _, n := range p.Select(selector) {
		out = append(out, fold(n))
	}
	return out
}

// Attr returns an attribute of the first match, "" if there is none.
func (p *Page) Attr(selector, name string) string {
	p.c.t.Helper()
	for _, n := range p.Select(selector) {
		v, _ := attr(n, name)
		return v
	}
	return ""
}

// Title returns the title of the page.
func (p *Page) Title() string { return p.Text("title") }

// Contains reports whether the text of the page (not its markup) contains s.
func (p *Page) Contains(s string) bool { return strings.Contains(fold(p.doc), s) }

// Want ends the test if the page has another status.
func (p *Page) Want(status int) *Page {
	p.c.t.Helper()
	if p.Status != status {
		p.c.t.Fatalf("%s: status %d, want %d; page says %q", p.Path, p.Status, status, p.Text("main"))
	}
	return p
}

// Click follows the link with that text or, if there is none, the first link
// that matches the selector.
func (p *Page) Click(textOrSelector string) *Page {
	p.c.t.Helper()
	var link *html.Node
	for _, a := range p.Select("a[href]") {
		if fold(a) == textOrSelector {
			link = a
			break
		}
	}
	if link == nil {
		if found, err := find(p.doc, textOrSelector); err == nil && len(found) > 0 {
			link = found[0]
		}
	}
	if link == nil {
		p.c.t.Fatalf("%s: no link %q", p.Path, textOrSelector)
	}
	href, _ := attr(link, "href")
	return p.c.Get(p.resolve(href))
}

func (p *Page) resolve(ref string) string {
	base, err := url.Parse("http://" + p.Host + p.Path)
	if err != nil {
		p.c.t.Fatalf("webtest: %v", err)
	}
	u, err := base.Parse(ref)
	if err != nil {
		p.c.t.Fatalf("%s: bad address %q", p.Path, ref)
	}
	u.Fragment = ""
	return u.String()
}

// Form is a form of a page with the values a browser would send.
type Form struct {
	Method, Action string

	p      *Page
	node   *html.Node
	fields []field
	multi  bool
}

type field struct {
	name, value string
	kind        string // "text", "hidden", "radio", "checkbox", "select", "file", "submit", …
	options     []string
	on          bool // sent
	disabled    bool
	files       []file
}

type file struct {
	name, typ string
	data      []byte
}

// Form returns the form that matches; with "" the only form inside main, or the
// only form of the page. A search or display form of the frame is thus not in
// the way.
func (p *Page) Form(selector string) *Form {
	p.c.t.Helper()
	var found []*html.Node
	if selector == "" {
		if found = p.Select("main form"); len(found) == 0 {
			found = p.Select("form")
		}
		if len(found) > 1 {
			p.c.t.Fatalf("%s: %d forms, name one", p.Path, len(found))
		}
	} else {
		found = p.Select(selector)
	}
	if len(found) == 0 || found[0].Data != "form" {
		p.c.t.Fatalf("%s: no form %q (status %d, %q)", p.Path, selector, p.Status, p.Text("h1"))
	}
	f := &Form{p: p, node: found[0], Method: "GET"}
	if m, _ := attr(f.node, "method"); strings.EqualFold(m, "post") {
		f.Method = "POST"
	}
	action, ok := attr(f.node, "action")
	if !ok || action == "" {
		action = p.Path
	}
	f.Action = p.resolve(action)
	enc, _ := attr(f.node, "enctype")
	f.multi = enc == "multipart/form-data"
	id, _ := attr(f.node, "id")
	walk(p.doc, func(n *html.Node) {
		owner, named := attr(n, "form")
		if named && owner == id && id != "" || !named && within(n, f.node) {
			f.read(n)
		}
	})
	return f
}

func (f *Form) read(n *html.Node) {
	name, _ := attr(n, "name")
	if name == "" {
		return
	}
	value, hasValue := attr(n, "value")
	_, disabled := attr(n, "disabled")
	x := field{name: name, value: value, disabled: disabled}
	switch n.Data {
	case "input":
		x.kind, _ = attr(n, "type")
		x.kind = strings.ToLower(x.kind)
		_, checked := attr(n, "checked")
		switch x.kind {
		case "radio", "checkbox":
			if !hasValue {
				x.value = "on"
			}
			x.on = checked
		case "submit", "button", "reset", "image":
			x.kind = "submit"
		default:
			x.on = true
		}
	case "button":
		if typ, _ := attr(n, "type"); typ == "button" || typ == "reset" {
			return
		}
		x.kind = "submit"
	case "textarea":
		x.kind, x.on = "text", true
		// A browser sends line ends as CRLF.
		x.value = strings.ReplaceAll(strings.TrimPrefix(text(n), "\n"), "\n", "\r\n")
	case "select":
		x.kind, x.on = "select", true
		first := true
		walk(n, func(o *html.Node) {
			if o.Data != "option" || o.Type != html.ElementNode {
				return
			}
			v, ok := attr(o, "value")
			if !ok {
				v = fold(o)
			}
			x.options = append(x.options, v)
			if _, sel := attr(o, "selected"); sel || first {
				x.value = v
			}
			first = false
		})
	default:
		return
	}
	f.fields = append(f.fields, x)
}

// Names returns the names of all fields, in order, each once.
func (f *Form) Names() []string {
	var out []string
	for _, x := range f.fields {
		if !slices.Contains(out, x.name) {
			out = append(out, x.name)
		}
	}
	return out
}

// Get returns the value that the form would send for a field.
func (f *Form) Get(name string) string {
	for _, x := range f.fields {
		if x.name == name && x.on && x.kind != "submit" {
			return strings.ReplaceAll(x.value, "\r\n", "\n")
		}
	}
	return ""
}

// Set fills in a field: text, the option of a select, the radio button with
// that value. It ends the test where a person could not do that.
func (f *Form) Set(name, value string) *Form {
	f.p.c.t.Helper()
	done := false
	for i := range f.fields {
		x := &f.fields[i]
		if x.name != name || x.disabled {
			continue
		}
		switch x.kind {
		case "radio":
			x.on = x.value == value
			done = done || x.on
		case "checkbox":
			if x.value == value {
				x.on, done = true, true
			}
		case "select":
			if slices.Contains(x.options, value) {
				x.value, done = value, true
			}
		case "submit", "file":
		default:
			if !done {
				x.value, done = value, true
			}
		}
	}
	if !done {
		f.p.c.t.Fatalf("%s: field %q cannot be set to %q; fields: %v", f.p.Path, name, value, f.Names())
	}
	return f
}

// Check ticks a box; Uncheck removes the tick. With several boxes of one name
// the value names one; "" is the first.
func (f *Form) Check(name, value string) *Form { f.p.c.t.Helper(); return f.tick(name, value, true) }

// Uncheck removes the tick of a box.
func (f *Form) Uncheck(name, value string) *Form { f.p.c.t.Helper(); return f.tick(name, value, false) }

func (f *Form) tick(name, value string, on bool) *Form {
	f.p.c.t.Helper()
	for i := range f.fields {
		x := &f.fields[i]
		if x.name == name && x.kind == "checkbox" && (value == "" || x.value == value) {
			x.on = on
			return f
		}
	}
	f.p.c.t.Fatalf("%s: no box %q with value %q", f.p.Path, name, value)
	return f
}

// File chooses a file; several calls choose several files.
func (f *Form) File(name, fileName, mediaType string, data []byte) *Form {
	f.p.c.t.Helper()
	for i := range f.fields {
		if x := &f.fields[i]; x.name == name && x.kind == "file" {
			x.files = append(x.files, file{fileName, mediaType, data})
			return f
		}
	}
	f.p.c.t.Fatalf("%s: no file field %q; fields: %v", f.p.Path, name, f.Names())
	return f
}

// Add sends a field that the form does not have, as an attacker would.
func (f *Form) Add(name, value string) *Form {
	f.fields = append(f.fields, field{name: name, value: value, kind: "hidden", on: true})
	return f
}

// Submit presses the button with that name, "name" or "name=value"; without
// one the form is sent as Enter would, with the first button.
func (f *Form) Submit(button ...string) *Page {
	f.p.c.t.Helper()
	pressed := -1
	for i, x := range f.fields {
		if x.kind != "submit" || x.disabled {
			continue
		}
		if len(button) == 0 || button[0] == x.name || button[0] == x.name+"="+x.value {
			pressed = i
			break
		}
	}
	if len(button) > 0 && pressed < 0 {
		f.p.c.t.Fatalf("%s: no button %q; fields: %v", f.p.Path, button[0], f.Names())
	}
	if len(button) == 0 && f.unnamedButtonFirst() {
		pressed = -1
	}
	action := f.Action
	if pressed >= 0 {
		if a := f.formAction(f.fields[pressed]); a != "" {
			action = f.p.resolve(a)
		}
	}
	if f.multi && f.Method == "POST" {
		typ, body := f.multipart(pressed)
		return f.p.c.Do("POST", action, typ, body)
	}
	var q []string
	for i, x := range f.fields {
		if x.disabled || !x.on && i != pressed || x.kind == "submit" && i != pressed {
			continue
		}
		q = append(q, url.QueryEscape(x.name)+"="+url.QueryEscape(x.value))
	}
	data := strings.Join(q, "&")
	if f.Method == "GET" {
		action, _, _ = strings.Cut(action, "?")
		return f.p.c.Get(action + "?" + data)
	}
	return f.p.c.Do("POST", action, "application/x-www-form-urlencoded", []byte(data))
}

// unnamedButtonFirst reports whether Enter presses a button that sends nothing.
func (f *Form) unnamedButtonFirst() bool {
	unnamed, decided := false, false
	walk(f.node, func(n *html.Node) {
		typ, _ := attr(n, "type")
		if decided || n.Type != html.ElementNode || n.Data != "button" && !(n.Data == "input" && typ == "submit") || n.Data == "button" && (typ == "button" || typ == "reset") {
			return
		}
		name, _ := attr(n, "name")
		unnamed, decided = name == "", true
	})
	return unnamed
}

func (f *Form) formAction(x field) (action string) {
	walk(f.p.doc, func(n *html.Node) {
		name, _ := attr(n, "name")
		value, _ := attr(n, "value")
		if name == x.name && value == x.value {
			if a, ok := attr(n, "formaction"); ok {
				action = a
			}
		}
	})
	return action
}

func (f *Form) multipart(pressed int) (contentType string, body []byte) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	part := func(disposition, typ string, data []byte) {
		h := textproto.MIMEHeader{"Content-Disposition": {disposition}}
		if typ != "" {
			h.Set("Content-Type", typ)
		}
		p, err := w.CreatePart(h)
		if err == nil {
			_, err = p.Write(data)
		}
		if err != nil {
			f.p.c.t.Fatalf("webtest: %v", err)
		}
	}
	quote := strings.NewReplacer(`"`, "%22", "\r", "%0D", "\n", "%0A").Replace
	for i, x := range f.fields {
		if x.disabled || !x.on && i != pressed || x.kind == "submit" && i != pressed {
			continue
		}
		disposition := fmt.Sprintf(`form-data; name="%s"`, quote(x.name))
		if x.kind != "file" {
			part(disposition, "", []byte(x.value))
			continue
		}
		if len(x.files) == 0 {
			part(disposition+`; filename=""`, "application/octet-stream", nil)
		}
		for _, a := range x.files {
			part(disposition+fmt.Sprintf(`; filename="%s"`, quote(a.name)), a.typ, a.data)
		}
	}
	if err := w.Close(); err != nil {
		f.p.c.t.Fatalf("webtest: %v", err)
	}
	return w.FormDataContentType(), b.Bytes()
}
