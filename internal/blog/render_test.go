package blog_test

import (
	"bytes"
	"encoding/binary"
	"encoding/xml"
	"hash/crc32"
	"io"
	"strings"
	"testing"
	"time"

	"poststelle/internal/blog"
	"poststelle/internal/web/webtest"
)

type formOf struct{ *webtest.Form }

// checkAtom checks what RFC 4287 demands of feed and entries: one id, title and updated each, an author, links, and no element
// that it does not know.
func checkAtom(t *testing.T, text, link string) {
	t.Helper()
	known := "feed id title updated author name link entry published summary content"
	d := xml.NewDecoder(strings.NewReader(text))
	count := map[string]int{}
	var path []string
	for {
		tok, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("feed: %v", err)
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			if tok.Name.Space != "http://www.w3.org/2005/Atom" || !strings.Contains(" "+known+" ", " "+tok.Name.Local+" ") {
				t.Errorf("element %v", tok.Name)
			}
			path = append(path, tok.Name.Local)
			count[strings.Join(path, "/")]++
		case xml.EndElement:
			path = path[:len(path)-1]
		case xml.CharData:
			if at := strings.Join(path, "/"); strings.HasSuffix(at, "updated") || strings.HasSuffix(at, "published") {
				if _, err := time.Parse(time.RFC3339, string(tok)); err != nil {
					t.Errorf("%s: %v", at, err)
				}
			}
		}
	}
	for at, want := range map[string]int{"feed": 1, "feed/id": 1, "feed/title": 1, "feed/updated": 1, "feed/author/name": 1, "feed/link": 2,
		"feed/entry/id": 1, "feed/entry/title": 1, "feed/entry/updated": 1, "feed/entry/link": 1, "feed/entry/content": 1} {
		if count[at] != want {
			t.Errorf("%s: %d, want %d", at, count[at], want)
		}
	}
	if !strings.Contains(text, `href="`+link+`"`) {
		t.Errorf("no link to %s", link)
	}
}

// bombPNG is a small file that says it has very many pixels.
func bombPNG(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	b.WriteString("\x89PNG\r\n\x1a\n")
	head := binary.BigEndian.AppendUint32(nil, 60000)
	head = append(binary.BigEndian.AppendUint32(head, 60000), 8, 2, 0, 0, 0)
	chunk := append([]byte("IHDR"), head...)
	b.Write(binary.BigEndian.AppendUint32(nil, uint32(len(head))))
	b.Write(chunk)
	b.Write(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(chunk)))
	return b.Bytes()
}

func TestSegments(t *testing.T) {
	for _, c := range []struct {
		text string
		want [][2]string
	}{
		{"ohne", [][2]string{{"ohne", ""}}},
		{"Siehe https://a.example/x.", [][2]string{{"Siehe ", ""}, {"https://a.example/x", "https://a.example/x"}, {".", ""}}},
		{"(http://b.example)", [][2]string{{"(", ""}, {"http://b.example", "http://b.example"}, {")", ""}}},
		{"javascript:alert(1)", [][2]string{{"javascript:alert(1)", ""}}},
	} {
		got := blog.Segments(c.text)
		if len(got) != len(c.want) {
			t.Errorf("%q: %q", c.text, got)
			continue
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%q: %q, want %q", c.text, got[i], c.want[i])
			}
		}
	}
}

// FuzzSegments: the pieces of a comment are the comment, and a link is a web address.
func FuzzSegments(f *testing.F) {
	f.Add("https://a.example. http://)")
	f.Add("https://,")
	f.Fuzz(func(t *testing.T, text string) {
		var b strings.Builder
		for _, s := range blog.Segments(text) {
			b.WriteString(s[0])
			if low := strings.ToLower(s[1]); s[1] != "" && !strings.HasPrefix(low, "http://") && !strings.HasPrefix(low, "https://") {
				t.Errorf("link %q", s[1])
			}
		}
		if b.String() != text {
			t.Errorf("pieces of %q make %q", text, b.String())
		}
	})
}

func FuzzPicture(f *testing.F) {
	f.Add([]byte("\xff\xd8\xff\xe1\x00\x10Exif\x00\x00II*\x00\x08\x00\x00\x00"))
	f.Add([]byte("\x89PNG\r\n\x1a\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		data, _, w, h, key := blog.EncodeAnew(raw)
		if key == "" && (len(data) == 0 || w < 1 || h < 1 || w > 1600 || h > 1600) {
			t.Errorf("%d bytes, %d x %d", len(data), w, h)
		}
	})
}
