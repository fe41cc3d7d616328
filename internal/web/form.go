package web

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"poststelle/internal/fault"
)

// Limits of a form. Beyond MaxField and MaxFields a form is still read, to show
// what was typed again beside the complaint; the end is DefaultBodyLimit, which
// also bounds the texts of a form with files.
const (
	MaxField     = 256 << 10 // bytes of one value
	MaxFieldName = 100       // bytes
	MaxFields    = 1000      // pairs of an urlencoded form
	MaxParts     = 100       // parts of a multipart form
)

// Values are the fields of a posted form. Every value is valid UTF-8 in NFC
// with \n as line end and without other control characters than \n and \t.
type Values struct {
	m     map[string][]string
	names []string
}

// Get returns the first value of a field, "" if there is none.
func (v *Values) Get(name string) string {
	if all := v.m[name]; len(all) > 0 {
		return all[0]
	}
	return ""
}

// All returns all values of a field in the order of the form.
func (v *Values) All(name string) []string { return slices.Clone(v.m[name]) }

// Has reports whether the field was sent, empty or not.
func (v *Values) Has(name string) bool { return len(v.m[name]) > 0 }

// Names returns the names of the fields in the order of the form.
func (v *Values) Names() []string { return slices.Clone(v.names) }

// Set replaces the values of a field, to show a form again.
func (v *Values) Set(name string, values ...string) {
	if v.m == nil {
		v.m = map[string][]string{}
	}
	if !v.Has(name) {
		v.names = append(v.names, name)
	}
	v.m[name] = values
}

func (v *Values) add(name, value string) { v.Set(name, append(v.m[name], value)...) }

// cleanText returns s as Values hold it, and the i18n key of the complaint if
// something had to be replaced or is too long.
func cleanText(s string) (text, complaint string) {
	text = s
	if !utf8.ValidString(s) {
		text, complaint = strings.ToValidUTF8(s, "\uFFFD"), "web.field.encoding"
	}
	if len(s) > MaxField {
		complaint = "web.field.long"
	}
	if strings.ContainsRune(text, '\r') {
		text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
	}
	if strings.ContainsFunc(text, forbidden) {
		complaint = "web.field.control"
		text = strings.Map(func(c rune) rune {
			if forbidden(c) {
				return '\uFFFD'
			}
			return c
		}, text)
	}
	return norm.NFC.String(text), complaint
}

// forbidden are the control characters C0 and C1, except tab and line feed.
func forbidden(c rune) bool {
	return c < 0x20 && c != '\n' && c != '\t' || c >= 0x7f && c < 0xa0
}

// cleanName accepts the name of a field as programs write it.
func cleanName(s string) bool {
	return len(s) <= MaxFieldName && utf8.ValidString(s) && !strings.ContainsFunc(s, forbidden) && !strings.ContainsAny(s, "\n\t")
}

// Form reads a posted form, urlencoded or multipart without files, into memory;
// no body is an empty form. A text that had to be repaired, or is longer than
// MaxField, gives the values together with a fault.Invalid error that names the
// fields, so that a handler can show them again. So does an urlencoded form with
// too many pairs: the values are those of the first MaxFields, and the complaint
// is about the field "". With any other error the values are nil: a malformed
// body (400), a body over the limit of the route (413), a cut-off body (422).
func Form(r *http.Request) (*Values, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return &Values{}, nil
	}
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case err == nil && mediaType == "application/x-www-form-urlencoded":
		var data bytes.Buffer
		data.Grow(int(min(max(r.ContentLength, 0), 64<<10)) + bytes.MinRead)
		if _, err := data.ReadFrom(r.Body); err != nil {
			return nil, bodyError(err)
		}
		return parseForm(data.String())
	case err == nil && mediaType == "multipart/form-data":
		return multipartForm(r)
	}
	return nil, status(http.StatusBadRequest)
}

func parseForm(s string) (*Values, error) {
	v := &Values{m: map[string][]string{}}
	var wrong []fault.Field
	n := 0
	for pair := range strings.SplitSeq(s, "&") {
		if pair == "" {
			continue
		}
		if n++; n > MaxFields {
			wrong = complain(wrong, "", "web.form.many")
			break
		}
		rawName, rawValue, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(rawName)
		if err != nil || !cleanName(name) {
			return nil, status(http.StatusBadRequest)
		}
		value, err := url.QueryUnescape(rawValue)
		if err != nil {
			return nil, status(http.StatusBadRequest)
		}
		text, complaint := cleanText(value)
		v.add(name, text)
		wrong = complain(wrong, name, complaint)
	}
	return v, fault.Fields(wrong...)
}

// complain adds the first complaint of each field.
func complain(wrong []fault.Field, name, key string) []fault.Field {
	if key == "" || slices.ContainsFunc(wrong, func(f fault.Field) bool { return f.Name == name }) {
		return wrong
	}
	return append(wrong, fault.Field{Name: name, Key: key})
}

func multipartForm(r *http.Request) (*Values, error) {
	pr, err := Parts(r)
	if err != nil {
		return nil, err
	}
	v := &Values{m: map[string][]string{}}
	for {
		p, err := pr.Next()
		if errors.Is(err, io.EOF) {
			return v, pr.Invalid()
		}
		if err != nil {
			return nil, err
		}
		if p.IsFile {
			return nil, status(http.StatusBadRequest)
		}
		text, err := p.Value()
		if err != nil {
			return nil, err
		}
		v.add(p.Name, text)
	}
}

// bodyError says what a failed read of the body means: the limit, or a body
// that ended early.
func bodyError(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &fault.Error{Kind: fault.TooLarge, Err: err}
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF // nobody must take the cut for the end
	}
	return &fault.Error{Kind: fault.Invalid, Key: "web.upload.cut", Err: err}
}
