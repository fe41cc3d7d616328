package web

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"

	"poststelle/internal/web/ui"
)

// The form token is the second line behind the check of the headers Origin and
// Sec-Fetch-Site (http.CrossOriginProtection): each form of a page with a
// session carries a value that only that session could have drawn. A post
// without it is served as if it had no session, so it can do no more than a
// stranger; and who comes with an old form meets what an ended session meets:
// the form again, with what was typed.
//
// The token is not kept and needs no cookie. It is good as long as its session,
// in every tab and over Rotate, and different on every page, so that compression
// does not give it away.
const (
	tokenNonce = 12
	tokenSize  = tokenNonce + 16
	tokenText  = (tokenSize*8 + 5) / 6 // in base64url

	// tokenWithin is how far into a form the token is looked for. Components of
	// package ui put it first.
	tokenWithin = 8 << 10
)

// FormToken returns a token for the forms of a page, "" without a session. Pages
// drawn by Render have it in their context already, where ui.Guard finds it.
func FormToken(r *http.Request) string {
	sc := scopeOf(r.Context())
	sc.look(r)
	return sc.formToken()
}

func (sc *scope) formToken() string {
	s := sc.session
	if s == nil {
		s = sc.hidden
	}
	if s == nil {
		return ""
	}
	if sc.drawn.of == s {
		return sc.drawn.token
	}
	b := make([]byte, tokenNonce, tokenNonce+sha256.Size)
	rand.Read(b) // never fails
	b = tokenMAC(s.kept.Secret(), b)
	sc.drawn.of, sc.drawn.token = s, base64.RawURLEncoding.EncodeToString(b[:tokenSize])
	return sc.drawn.token
}

// tokenMAC appends the MAC to a nonce.
func tokenMAC(secret, nonce []byte) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("poststelle/web/form-token\x00"))
	mac.Write(nonce)
	return mac.Sum(nonce)
}

// fits tells whether a token was drawn for the session with that secret.
func fits(secret []byte, token string) bool {
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(b) != tokenSize {
		return false
	}
	want := tokenMAC(secret, bytes.Clone(b[:tokenNonce]))
	return hmac.Equal(b, want[:tokenSize])
}

// guard reads the token of a post that comes with a session cookie, before the
// handler reads the body, and looks the session up.
func (sc *scope) guard(r *http.Request) {
	sc.guarded = true
	if len(r.CookiesNamed(sc.sessionCookie())) == 0 {
		return
	}
	if r.Body != nil && r.Body != http.NoBody {
		body := r.Body
		_, refused := body.(announced)
		if refused && !sc.expects {
			body = sc.body // its length is too much, its beginning is not
		}
		start, rest := ahead(body, r.ContentLength, tokenWithin)
		sc.token = tokenIn(r.Header.Get("Content-Type"), start)
		if !refused {
			r.Body = rest
		}
	}
	if sc.look(r); sc.away != nil {
		sc.keepTyped(r)
	}
}

// ahead reads the first n bytes of a body of that length (-1 if it is not
// known), and returns a body that begins with them again.
func ahead(body io.ReadCloser, length int64, n int) (start []byte, again io.ReadCloser) {
	if length >= 0 {
		n = int(min(length, int64(n)))
	}
	start = make([]byte, n)
	got, err := io.ReadFull(body, start)
	start = start[:got]
	var rest io.Reader = body
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && err != io.EOF {
		rest = failed{err}
	}
	return start, struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(start), rest), body}
}

type failed struct{ err error }

func (f failed) Read([]byte) (int, error) { return 0, f.err }

// tokenIn finds the token near the beginning of a form: in the first field of
// one with files, in any whole field of another.
func tokenIn(contentType string, start []byte) string {
	mediaType, params, err := mime.ParseMediaType(contentType)
	switch {
	case err != nil:
	case mediaType == "application/x-www-form-urlencoded":
		for pair := range strings.SplitSeq(string(start), "&") {
			if token, ok := strings.CutPrefix(pair, ui.GuardField+"="); ok && len(token) == tokenText {
				return token
			}
		}
	case mediaType == "multipart/form-data" && properBoundary(params["boundary"]):
		p, err := multipart.NewReader(bytes.NewReader(start), params["boundary"]).NextRawPart()
		if err != nil || p.FormName() != ui.GuardField {
			return ""
		}
		token, err := io.ReadAll(io.LimitReader(p, tokenText+1))
		if err == nil && len(token) == tokenText {
			return string(token)
		}
	}
	return ""
}

// typedLimit is how much of a form is kept for the page that says that the
// sessions are away.
const typedLimit = 1 << 20

// typed is a form that could not be taken.
type typed struct {
	action string
	fields url.Values
	files  bool
}

// keepTyped reads the texts of a form whose session cannot be found now, so
// that the error page can offer to send it once more. A form with a password or
// a code is not shown again.
func (sc *scope) keepTyped(r *http.Request) {
	if r.Body == nil || r.Body == http.NoBody {
		return
	}
	start, rest := ahead(r.Body, r.ContentLength, typedLimit) // of a form with a long file the texts stand first
	r.Body = rest
	t := &typed{action: sc.prefix() + r.URL.EscapedPath(), fields: url.Values{}}
	if r.URL.RawQuery != "" {
		t.action += "?" + r.URL.RawQuery
	}
	again := r.WithContext(r.Context())
	again.Body = io.NopCloser(bytes.NewReader(start))
	if form, err := Form(again); err == nil {
		for _, name := range form.Names() {
			t.fields[name] = form.All(name)
		}
	} else {
		again.Body = io.NopCloser(bytes.NewReader(start))
		t.readParts(again)
	}
	for _, secret := range [...]string{"password", "otp", "code"} {
		if t.fields.Has(secret) {
			return
		}
	}
	if len(t.fields) > 0 {
		sc.typed = t
	}
}

func (t *typed) readParts(r *http.Request) {
	parts, err := Parts(r)
	for err == nil {
		var p *Part
		if p, err = parts.Next(); err != nil {
			return
		}
		if p.IsFile {
			t.files = t.files || p.FileName != ""
			continue
		}
		var text string
		if text, err = p.Value(); err == nil {
			t.fields[p.Name] = append(t.fields[p.Name], text)
		}
	}
}
