package web

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"

	"poststelle/internal/fault"
)

// PartReader reads a multipart form (RFC 7578) part by part, without temporary
// files. Read each part before asking for the next.
type PartReader struct {
	mr    *multipart.Reader
	src   *source
	n     int
	text  int64 // bytes of texts so far
	wrong []fault.Field
}

// source is the body of a form. It knows what the multipart reader does not
// tell: whether the final boundary came, and whether the body is over. A form
// that ends in the header of a part is otherwise taken for a whole one.
type source struct {
	r           io.Reader
	final, tail []byte
	closed      bool
	err         error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if !s.closed {
		seam := append(s.tail, p[:min(n, len(s.final))]...)
		s.closed = bytes.Contains(seam, s.final) || bytes.Contains(p[:n], s.final)
		if n >= len(s.final) {
			seam = append(seam[:0], p[n-len(s.final):n]...)
		}
		s.tail = append(s.tail[:0], seam[max(0, len(seam)-len(s.final)):]...)
	}
	s.err = err
	return n, err
}

// Part is one field or one file of a multipart form.
type Part struct {
	// Name is the name of the field.
	Name string
	// IsFile says that the part came from a file input. A file input left
	// empty sends a file without name and content.
	IsFile bool
	// FileName is what the browser sent, made harmless as by FileName, but for
	// characters that reorder or hide text: who receives a file shall see them
	// (ui.SafeText, ui.Spelled), Attachment replaces them. "" if it sent none.
	FileName string
	// Type is the media type that the browser claims, without parameters.
	Type string

	pr *PartReader
	p  *multipart.Part
}

// Parts begins to read a multipart form. The route's BodyLimit holds for the
// whole. A header that is no multipart form with a proper boundary (RFC 2046,
// 5.1.1) gives 400.
func Parts(r *http.Request) (*PartReader, error) {
	mediaType, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != "multipart/form-data" || !properBoundary(params["boundary"]) || r.Body == nil {
		return nil, status(http.StatusBadRequest)
	}
	src := &source{r: r.Body, final: []byte("--" + params["boundary"] + "--")}
	return &PartReader{mr: multipart.NewReader(src, params["boundary"]), src: src}, nil
}

func properBoundary(b string) bool {
	return b != "" && len(b) <= 70 && !strings.HasSuffix(b, " ") &&
		strings.Trim(b, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789'()+_,-./:=? ") == ""
}

// Next returns the next part, io.EOF after the last. A form that breaks off is
// fault.Invalid (web.upload.cut), and so are more than MaxParts parts
// (web.form.many).
func (pr *PartReader) Next() (*Part, error) {
	p, err := pr.mr.NextRawPart()
	switch {
	case err == io.EOF && pr.n > 0 && pr.src.closed:
		return nil, io.EOF
	case err != nil && pr.src.err != nil && !pr.src.closed:
		return nil, bodyError(pr.src.err) // also within a header, which then looks malformed
	case err != nil:
		return nil, partError(err) // a form without any part was cut as well
	}
	if pr.n++; pr.n > MaxParts {
		return nil, fault.With(fault.Invalid, "web.form.many")
	}
	disp, params, err := mime.ParseMediaType(p.Header.Get("Content-Disposition"))
	name := params["name"]
	if err != nil || disp != "form-data" || name == "" || !cleanName(name) {
		return nil, status(http.StatusBadRequest)
	}
	switch strings.ToLower(p.Header.Get("Content-Transfer-Encoding")) {
	case "", "7bit", "8bit", "binary": // RFC 7578, 4.7: no other one in use
	default:
		return nil, status(http.StatusBadRequest)
	}
	claimed, _, _ := mime.ParseMediaType(p.Header.Get("Content-Type"))
	if strings.HasPrefix(claimed, "multipart/") {
		return nil, status(http.StatusBadRequest)
	}
	out := &Part{Name: name, Type: claimed, pr: pr, p: p}
	if sent, ok := params["filename"]; ok {
		out.IsFile = true
		if sent != "" {
			// Browsers send these three characters of a name as escapes and "%" as it is (WHATWG HTML, multipart/form-data
			// encoding): whoever typed "%22" gets what a quotation mark gets.
			sent = strings.NewReplacer("%22", `"`, "%0D", "\r", "%0A", "\n").Replace(sent)
			out.FileName = fileName(sent, func(rune) bool { return false })
		}
	}
	return out, nil
}

// Invalid returns the fields whose text had to be repaired so far as one
// fault.Invalid error, or nil.
func (pr *PartReader) Invalid() error { return fault.Fields(pr.wrong...) }

// Read reads the content of a file. It ends with fault.TooLarge at the limit
// of the route and with fault.Invalid when the upload breaks off, so nobody
// takes half a file for a whole one.
func (p *Part) Read(b []byte) (int, error) {
	n, err := p.p.Read(b)
	if err != nil && err != io.EOF {
		err = partError(err)
	}
	return n, err
}

// Value reads the text of a field, cleaned as in Values. All texts of a form
// together are at most DefaultBodyLimit; more is fault.TooLarge.
func (p *Part) Value() (string, error) {
	data, err := io.ReadAll(io.LimitReader(p, DefaultBodyLimit-p.pr.text+1))
	if err != nil {
		return "", err
	}
	if p.pr.text += int64(len(data)); p.pr.text > DefaultBodyLimit {
		return "", fault.With(fault.TooLarge, "web.field.long")
	}
	text, complaint := cleanText(string(data))
	p.pr.wrong = complain(p.pr.wrong, p.Name, complaint)
	return text, nil
}

func partError(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return bodyError(err)
	}
	if errors.Is(err, multipart.ErrMessageTooLarge) {
		return &fault.Error{Kind: fault.TooLarge, Err: err}
	}
	if strings.HasPrefix(err.Error(), "malformed MIME header") {
		return status(http.StatusBadRequest)
	}
	return bodyError(err)
}
