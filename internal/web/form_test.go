package web_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"poststelle/internal/fault"
	"poststelle/internal/web"
)

// echo shows what web.Form made of a body, one line a field, and which fields it
// complains about.
func echo(w http.ResponseWriter, r *http.Request) error {
	f, err := web.Form(r)
	if f == nil {
		return err
	}
	var b strings.Builder
	for _, name := range f.Names() {
		fmt.Fprintf(&b, "%s=%q", name, f.All(name))
	}
	for _, x := range fault.FieldsOf(err) {
		fmt.Fprintf(&b, " !%s:%s", x.Name, x.Key)
	}
	code := 200
	if err != nil {
		code = web.StatusOf(err)
	}
	return web.Render(w, r, code, web.View{Title: "x", Body: text(b.String())})
}

func formRoutes(rt *web.Router) { rt.Handle("POST /echo", echo) }

const urlencoded = "application/x-www-form-urlencoded"

func TestForm(t *testing.T) {
	w := newWorld(t, formRoutes)
	for _, tc := range []struct {
		name, typ, body string
		status          int
		want            string
	}{
		{"plain", urlencoded, "a=1&b=2", 200, `a=["1"]b=["2"]`},
		{"several values", urlencoded, "a=1&b=2&a=3", 200, `a=["1" "3"]b=["2"]`},
		{"line ends", urlencoded, "a=1%0D%0A2%0D3%0A4", 200, `a=["1\n2\n3\n4"]`},
		{"NFC", urlencoded, "a=A%CC%88", 200, `a=["Ä"]`},
		{"invalid UTF-8", urlencoded, "a=x%FFy&b=2", 422, `a=["x�y"]b=["2"] !a:web.field.encoding`},
		{"surrogate", urlencoded, "a=%ED%A0%80", 422, `a=["�"] !a:web.field.encoding`},
		{"NUL", urlencoded, "a=x%00y&a=%01", 422, `a=["x�y" "�"] !a:web.field.control`},
		{"C1 control", urlencoded, "a=%C2%85", 422, `a=["�"] !a:web.field.control`},
		{"tab", urlencoded, "a=x%09y", 200, `a=["x\ty"]`},
		{"empty", urlencoded, "", 200, ""},
		{"no value", urlencoded, "a&b=", 200, `a=[""]b=[""]`},
		{"charset", urlencoded + "; charset=utf-8", "a=1", 200, `a=["1"]`},
		{"bad escape", urlencoded, "a=%zz", 400, ""},
		{"bad name", urlencoded, "a%00=1", 400, ""},
		{"invalid name", urlencoded, "%FF=1", 400, ""},
		{"long name", urlencoded, strings.Repeat("n", 101) + "=1", 400, ""},
		{"long value", urlencoded, "a=" + strings.Repeat("x", web.MaxField+1) + "&b=2", 422, `a=["` + strings.Repeat("x", web.MaxField+1) + `"]b=["2"] !a:web.field.long`},
		{"longest value", urlencoded, "a=" + strings.Repeat("x", web.MaxField), 200, `a=["` + strings.Repeat("x", web.MaxField) + `"]`},
		{"most fields", urlencoded, "b=2&" + strings.Repeat("a&", 999), 200, `b=["2"]a=[` + strings.TrimSpace(strings.Repeat(`"" `, 999)) + `]`},
		{"many fields", urlencoded, "b=2&" + strings.Repeat("a&", 999) + "c=3", 422, `b=["2"]a=[` + strings.TrimSpace(strings.Repeat(`"" `, 999)) + `] !:web.form.many`},
		{"body of 4 MiB", urlencoded, "a=1" + strings.Repeat("&", 4<<20-3), 200, `a=["1"]`},
		{"body over 4 MiB", urlencoded, strings.Repeat("&", 4<<20+1), 413, ""},
		{"JSON", "application/json", `{"a":1}`, 400, ""},
		{"text", "text/plain", "a=1", 400, ""},
		{"no type", "", "a=1", 400, ""},
	} {
		p := w.Do("POST", "/echo", tc.typ, []byte(tc.body))
		if p.Status != tc.status || p.Status == 200 && p.Text("h1") != strings.Join(strings.Fields(tc.want), " ") || p.Status == 422 && p.Text("h1") != tc.want {
			t.Errorf("%s: %d %.200s, want %d %.200s", tc.name, p.Status, p.Text("h1"), tc.status, tc.want)
		}
	}
}

func FuzzForm(f *testing.F) {
	for _, s := range []string{"a=1&b=2", "a=%FF", "a=%0D%0A", "%00=1", "a=A%CC%88", "&&=&"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		r, err := http.NewRequest("POST", "/", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", urlencoded)
		v, err := web.Form(r)
		if v == nil {
			if err == nil {
				t.Error("neither values nor error")
			}
			return
		}
		for _, name := range v.Names() {
			for _, s := range v.All(name) {
				if strings.ContainsFunc(s, func(c rune) bool { return c < 0x20 && c != '\n' && c != '\t' || c == 0x7f }) {
					t.Errorf("control character in %q", s)
				}
			}
		}
	})
}

func partRoutes(rt *web.Router) {
	rt.Handle("POST /hochladen", func(w http.ResponseWriter, r *http.Request) error {
		pr, err := web.Parts(r)
		if err != nil {
			return err
		}
		var b strings.Builder
		for {
			p, err := pr.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return err
			}
			if !p.IsFile {
				v, err := p.Value()
				if err != nil {
					return err
				}
				fmt.Fprintf(&b, "%s=%q ", p.Name, v)
				continue
			}
			n, err := io.Copy(io.Discard, p)
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, "%s:%q,%s,%d ", p.Name, p.FileName, p.Type, n)
		}
		if err := pr.Invalid(); err != nil {
			return err
		}
		return web.Render(w, r, 200, web.View{Title: "x", Body: text(strings.TrimSpace(b.String()))})
	}, web.BodyLimit(6<<20))
	rt.Handle("POST /echo", echo)
	rt.Handle("GET /formular", func(w http.ResponseWriter, r *http.Request) error {
		return web.Render(w, r, 200, web.View{Title: "x", Body: raw(`<form method="post" action="/hochladen" enctype="multipart/form-data">
			<input name="betreff"><textarea name="text">
Zeile</textarea><input type="file" name="anhang" multiple><input type="checkbox" name="ja" checked>
			<select name="amt"><option value="1">Eins<option value="2">Zwei</select><input type="radio" name="weg" value="a" checked><input type="radio" name="weg" value="b">
			<button name="tun" value="senden">Senden</button></form>`)})
	})
}

func part(disposition, more, content string) string {
	return "--grenze\r\nContent-Disposition: " + disposition + "\r\n" + more + "\r\n" + content + "\r\n"
}

func TestParts(t *testing.T) {
	w := newWorld(t, partRoutes)
	const end = "--grenze--\r\n"
	field := part(`form-data; name="a"`, "", "1")
	pdf := part(`form-data; name="f"; filename="x.pdf"`, "Content-Type: application/pdf\r\n", "%PDF")
	for _, tc := range []struct {
		name, typ, body string
		status          int
		want            string
	}{
		{"field and file", "", field + pdf + end, 200, `a="1" f:"x.pdf",application/pdf,4`},
		{"file input left empty", "", part(`form-data; name="f"; filename=""`, "", "") + end, 200, `f:"",,0`},
		{"two files in one field", "", pdf + pdf + end, 200, `f:"x.pdf",application/pdf,4 f:"x.pdf",application/pdf,4`},
		{"traversal", "", part(`form-data; name="f"; filename="../../etc/passwd"`, "", "x") + end, 200, `f:"passwd",,1`},
		{"Windows path", "", part(`form-data; name="f"; filename="C:\\temp\\x.doc"`, "", "x") + end, 200, `f:"x.doc",,1`},
		{"bidi name", "", part("form-data; name=\"f\"; filename=\"rechnung\u202efdp.exe\"", "", "x") + end, 200, `f:"rechnung\u202efdp.exe",,1`},
		{"what browsers escape", "", part(`form-data; name="f"; filename="%22a%22%0D%0A%2F50%25.txt"`, "", "x") + end, 200, `f:"_a___%2F50%25.txt",,1`},
		{"escaped directory", "", part(`form-data; name="f"; filename="..%2Fpasswd"`, "", "x") + end, 200, `f:"%2Fpasswd",,1`},
		{"invalid UTF-8", "", part(`form-data; name="a"`, "", "\xff") + end, 422, ""},
		{"no end", "", field + pdf, 422, "cut"},
		{"cut in file", "", "--grenze\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x\"\r\n\r\nhalf", 422, "cut"},
		{"cut in header", "", field + "--grenze\r\nContent-Dispo", 422, "cut"},
		{"cut in first header", "", "--grenze\r\nContent-Dispo", 422, "cut"},
		{"cut in a name", "", field + "--grenze\r\nContent-Disposition: form-data; name=\"f", 422, "cut"},
		{"cut after a header", "", field + "--grenze\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x\"\r\n", 422, "cut"},
		{"cut in the final boundary", "", field + "--grenze-", 422, "cut"},
		{"epilogue", "", field + end + strings.Repeat("x", 10000), 200, `a="1"`},
		{"empty body", "", "", 422, "cut"},
		{"101 parts", "", strings.Repeat(field, 101) + end, 422, ""},
		{"10001 parts", "", strings.Repeat(field, 10001) + end, 422, ""},
		{"long field", "", part(`form-data; name="a"`, "", strings.Repeat("x", web.MaxField+1)) + end, 422, ""},
		{"long fields together", "", strings.Repeat(part(`form-data; name="a"`, "", strings.Repeat("x", 1<<20)), 5) + end, 413, ""},
		{"1 MB name", "", part(`form-data; name="`+strings.Repeat("n", 1<<20)+`"`, "", "x") + end, 400, ""},
		{"no name", "", part(`form-data`, "", "x") + end, 400, ""},
		{"no disposition", "", "--grenze\r\n\r\nx\r\n" + end, 400, ""},
		{"other disposition", "", part(`attachment; name="a"`, "", "x") + end, 400, ""},
		{"nested multipart", "", part(`form-data; name="a"`, "Content-Type: multipart/mixed; boundary=b\r\n", "x") + end, 400, ""},
		{"transfer encoding", "", part(`form-data; name="a"`, "Content-Transfer-Encoding: base64\r\n", "eA==") + end, 400, ""},
		{"malformed header", "", "--grenze\r\nnonsense\r\n\r\nx\r\n" + end, 400, ""},
		{"no boundary", "multipart/form-data", field + end, 400, ""},
		{"long boundary", "multipart/form-data; boundary=" + strings.Repeat("b", 71), field + end, 400, ""},
		{"bad boundary", `multipart/form-data; boundary="a<b"`, field + end, 400, ""},
		{"other type", "multipart/mixed; boundary=grenze", field + end, 400, ""},
		{"body over the limit", "", pdf + part(`form-data; name="f"; filename="x"`, "", strings.Repeat("x", 6<<20)) + end, 413, ""},
	} {
		typ := tc.typ
		if typ == "" {
			typ = "multipart/form-data; boundary=grenze"
		}
		p := w.Do("POST", "/hochladen", typ, []byte(tc.body))
		if p.Status != tc.status || p.Status == 200 && p.Text("h1") != tc.want {
			t.Errorf("%s: %d %q, want %d %q", tc.name, p.Status, p.Text("h1"), tc.status, tc.want)
		}
		if tc.want == "cut" && !p.Contains("abgebrochen") {
			t.Errorf("%s: page says %q", tc.name, p.Text("main"))
		}
	}
	// Form takes a multipart form without files, and no other.
	if p := w.Do("POST", "/echo", "multipart/form-data; boundary=grenze", []byte(field+end)); p.Text("h1") != `a=["1"]` {
		t.Errorf("Form of a multipart form: %d %q", p.Status, p.Text("h1"))
	}
	if p := w.Do("POST", "/echo", "multipart/form-data; boundary=grenze", []byte(pdf+end)); p.Status != 400 {
		t.Errorf("Form of a multipart form with a file: %d", p.Status)
	}
}

func TestClient_Form(t *testing.T) {
	w := newWorld(t, partRoutes)
	f := w.Get("/formular").Form("")
	f.Set("betreff", "Laterne").Set("amt", "2").Set("weg", "b").Uncheck("ja", "")
	f.File("anhang", "a b.jpg", "image/jpeg", bytes.Repeat([]byte("x"), 70000)).File("anhang", "c.pdf", "application/pdf", []byte("y"))
	p := f.Submit()
	want := `betreff="Laterne" text="Zeile" anhang:"a b.jpg",image/jpeg,70000 anhang:"c.pdf",application/pdf,1 amt="2" weg="b" tun="senden"`
	if got := p.Text("h1"); got != want {
		t.Errorf("submitted %s\nwant      %s", got, want)
	}
}

func TestAttachment(t *testing.T) {
	w := newWorld(t, standardRoutes)
	p := w.Get("/datei")
	for name, want := range map[string]string{
		"Content-Type":                 "application/octet-stream",
		"Content-Disposition":          `attachment; filename="Stra_e.html"; filename*=UTF-8''Stra%C3%9Fe.html`,
		"Content-Security-Policy":      "sandbox; default-src 'none'",
		"Cross-Origin-Resource-Policy": "same-origin",
		"X-Content-Type-Options":       "nosniff",
		"Content-Length":               "5",
		"Cache-Control":                "no-store",
	} {
		if got := p.Header.Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
}

func TestFileName(t *testing.T) {
	for in, want := range map[string]string{
		"bericht.pdf": "bericht.pdf", "../../x": "x", `C:\x\y.doc`: "y.doc", "con.txt": "_con.txt", "COM1": "_COM1", "nul": "_nul",
		"-rf": "rf", ".htaccess": "htaccess", "a\r\nb": "a__b", "a\x00b": "a_b", "rechnung\u202efdp.exe": "rechnung_fdp.exe",
		"": "datei", "..": "datei", "/": "datei", "x.pdf. ": "x.pdf", "a\"b": "a_b", "\xff.txt": "\ufffd.txt", "Ä.pdf": "Ä.pdf", "conto.txt": "conto.txt",
	} {
		if got := web.FileName(in); got != want {
			t.Errorf("FileName(%q) = %q, want %q", in, got, want)
		}
	}
	long := web.FileName(strings.Repeat("ä", 300) + ".pdf")
	if len(long) > 200 || !strings.HasSuffix(long, ".pdf") {
		t.Errorf("long name: %d bytes, ends in %q", len(long), long[len(long)-4:])
	}
}

func TestAssets(t *testing.T) {
	assets, err := web.NewAssets(testAssets)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, standardRoutes, func(c *web.Config, _ *web.SessionConfig) { c.Assets = assets })
	href := assets.Href("poststelle.css")
	w.Header.Set("Accept-Encoding", "gzip, br;q=0.5")
	if p := w.Get(href); p.Header.Get("Content-Encoding") != "" || p.Status != 200 {
		t.Errorf("before Compress: %d, encoding %q", p.Status, p.Header.Get("Content-Encoding"))
	}
	if err := assets.Compress(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ path, accept, encoding, cache string }{
		{href, "gzip, br", "br", "public, max-age=31536000, immutable"},
		{href, "gzip", "gzip", "public, max-age=31536000, immutable"},
		{href, "br;q=0, gzip;q=1", "gzip", "public, max-age=31536000, immutable"},
		{href, "", "", "public, max-age=31536000, immutable"},
		{href, "brx", "", "public, max-age=31536000, immutable"},
		{"/assets/poststelle.css", "", "", "public, max-age=600"},
		{"/assets/poststelle.0123456789abcdef.css", "br", "br", "public, max-age=600"},
		{assets.Href("fonts/fira.woff2"), "br", "", "public, max-age=31536000, immutable"},
	} {
		w.Header.Set("Accept-Encoding", tc.accept)
		p := w.Get(tc.path)
		if p.Status != 200 || p.Header.Get("Content-Encoding") != tc.encoding || p.Header.Get("Cache-Control") != tc.cache {
			t.Errorf("%s (%s): %d %q %q", tc.path, tc.accept, p.Status, p.Header.Get("Content-Encoding"), p.Header.Get("Cache-Control"))
		}
		w.Header.Set("If-None-Match", p.Header.Get("ETag"))
		if p := w.Get(tc.path); p.Status != 304 || p.Body != "" {
			t.Errorf("%s: second time %d", tc.path, p.Status)
		}
		w.Header.Del("If-None-Match")
	}
	if got := w.Get(href).Header.Get("Content-Type"); got != "text/css; charset=utf-8" {
		t.Errorf("type = %q", got)
	}
	for _, path := range []string{"/assets/.gitkeep", "/assets/nichts.css", "/assets/fonts", "/assets/../web.go"} {
		if p := w.Get(path); p.Status != 404 {
			t.Errorf("%s: %d, want 404", path, p.Status)
		}
	}
}

func TestForm_EmptyBody(t *testing.T) {
	r, err := http.NewRequestWithContext(t.Context(), "POST", "/", nil)
	if err != nil {
		t.Fatal(err)
	}
	v, err := web.Form(r)
	if err != nil || v == nil || v.Get("x") != "" || v.Has("x") {
		t.Errorf("Form() = %v, %v", v, err)
	}
	v.Set("x", "1")
	if v.Get("x") != "1" {
		t.Error("Set on an empty form is lost")
	}
}
