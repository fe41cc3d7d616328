package load

import (
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net/url"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"poststelle/internal/fault"
)

// form is a form of a page as a browser would submit it.
type form struct {
	action    *url.URL
	multipart bool
	fields    []field
	files     []string // names of its file inputs
	buttons   []field
	primary   int // of buttons; -1 if none is marked
}

type field struct {
	name, value string
	radio       bool
	chosen      bool // a radio or box that is on; true for everything else
}

// upload is a file to send with a form.
type upload struct {
	name    string
	content []byte
}

// forms reads the forms with method post of a page.
func forms(page []byte, at *url.URL) ([]*form, error) {
	doc, err := html.Parse(bytes.NewReader(page))
	if err != nil {
		return nil, err
	}
	var out []*form
	for n := range doc.Descendants() {
		if n.DataAtom == atom.Form && strings.EqualFold(attr(n, "method"), "post") {
			f, err := readForm(n, at)
			if err != nil {
				return nil, err
			}
			out = append(out, f)
		}
	}
	return out, nil
}

func readForm(n *html.Node, at *url.URL) (*form, error) {
	f := &form{multipart: attr(n, "enctype") == "multipart/form-data", primary: -1}
	var err error
	if f.action, err = at.Parse(attr(n, "action")); err != nil {
		return nil, err
	}
	for c := range n.Descendants() {
		switch c.DataAtom {
		case atom.Input:
			f.addInput(c)
		case atom.Textarea:
			f.fields = append(f.fields, field{name: attr(c, "name"), value: strings.TrimPrefix(textOf(c), "\n"), chosen: true})
		case atom.Select:
			f.fields = append(f.fields, field{name: attr(c, "name"), value: selected(c), chosen: true})
		case atom.Button:
			if t := attr(c, "type"); t == "" || t == "submit" {
				f.addButton(c)
			}
		}
	}
	return f, nil
}

func (f *form) addInput(c *html.Node) {
	name, value := attr(c, "name"), attr(c, "value")
	switch attr(c, "type") {
	case "file":
		f.files = append(f.files, name)
	case "submit":
		f.addButton(c)
	case "button", "image", "reset":
	case "radio", "checkbox":
		if value == "" {
			value = "on"
		}
		f.fields = append(f.fields, field{name: name, value: value, radio: attr(c, "type") == "radio", chosen: has(c, "checked")})
	default:
		f.fields = append(f.fields, field{name: name, value: value, chosen: true})
	}
}

func (f *form) addButton(c *html.Node) {
	if f.primary < 0 && strings.Contains(attr(c, "class"), "--primary") {
		f.primary = len(f.buttons)
	}
	f.buttons = append(f.buttons, field{name: attr(c, "name"), value: attr(c, "value")})
}

func (f *form) has(name string) bool {
	for _, x := range f.fields {
		if x.name == name {
			return true
		}
	}
	return false
}

// set fills in a field. A radio button is chosen by its value; the first one
// serves where no value is wanted.
func (f *form) set(name, value string) {
	done := false
	for i := range f.fields {
		x := &f.fields[i]
		switch {
		case x.name != name:
		case !x.radio:
			x.value, x.chosen = value, true
		default:
			x.chosen = !done && (value == "" || x.value == value)
			done = done || x.chosen
		}
	}
}

// open reports whether no radio button of the name is chosen.
func (f *form) open(name string) bool {
	radio := false
	for _, x := range f.fields {
		if x.name == name && x.radio {
			radio = true
			if x.chosen {
				return false
			}
		}
	}
	return radio
}

// sent is what a browser sends when the main button is pressed, in the order of
// the page: the form token has to come before long texts and before files.
func (f *form) sent() []field {
	var out []field
	for _, x := range f.fields {
		if x.chosen && x.name != "" {
			out = append(out, x)
		}
	}
	if i := max(f.primary, 0); i < len(f.buttons) && f.buttons[i].name != "" {
		out = append(out, f.buttons[i])
	}
	return out
}

// body encodes the form; with files it must be one that takes them.
func (f *form) body(files []upload) (contentType string, r io.Reader, err error) {
	if len(files) > 0 && (!f.multipart || len(f.files) == 0) {
		return "", nil, fmt.Errorf("the form takes no files: %w", fault.Invalid)
	}
	if !f.multipart {
		var pairs []string
		for _, x := range f.sent() {
			pairs = append(pairs, url.QueryEscape(x.name)+"="+url.QueryEscape(x.value))
		}
		return "application/x-www-form-urlencoded", strings.NewReader(strings.Join(pairs, "&")), nil
	}
	var buf bytes.Buffer
	w := multipart.NewWriter(&buf)
	for _, x := range f.sent() {
		if err := w.WriteField(x.name, x.value); err != nil {
			return "", nil, err
		}
	}
	for _, u := range files {
		part, err := w.CreateFormFile(f.files[0], u.name)
		if err != nil {
			return "", nil, err
		}
		if _, err := part.Write(u.content); err != nil {
			return "", nil, err
		}
	}
	if err := w.Close(); err != nil {
		return "", nil, err
	}
	return w.FormDataContentType(), &buf, nil
}

// mainForm is the one that leads on: the form with the page's main button, else
// one with a field of the names.
func mainForm(all []*form, names map[string]string) *form {
	for _, f := range all {
		if f.primary >= 0 {
			return f
		}
	}
	for _, f := range all {
		for name := range names {
			if f.has(name) {
				return f
			}
		}
	}
	return nil
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, key string) bool {
	for _, a := range n.Attr {
		if a.Key == key {
			return true
		}
	}
	return false
}

func textOf(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			b.WriteString(c.Data)
		}
	}
	return b.String()
}

// selected returns the chosen value of a select, else its first that is not
// empty.
func selected(n *html.Node) string {
	first := ""
	for o := range n.Descendants() {
		if o.DataAtom != atom.Option {
			continue
		}
		v := attr(o, "value")
		if has(o, "selected") && v != "" {
			return v
		}
		if first == "" {
			first = v
		}
	}
	return first
}

// byID returns the text of the element with an id, "" when there is none.
func byID(page []byte, id string) string {
	doc, err := html.Parse(bytes.NewReader(page))
	if err != nil {
		return ""
	}
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode && attr(n, "id") == id {
			return strings.Join(strings.Fields(textOf(n)), " ")
		}
	}
	return ""
}
