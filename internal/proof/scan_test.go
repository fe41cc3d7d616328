package proof_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"
)

// marks are the strings planted in one run. All of them hold one random core,
// so that a scan is a search for the core in every form in which a program
// could have written it.
type marks struct {
	core    string
	values  []string // what was planted, each with the core in it
	secrets []string // made by the program, searched for as they are
	asked   bool     // looked up by somebody: not searched for in a log of all parameters
}

func newMarks() *marks { return &marks{core: "q" + strings.ToLower(rand.Text()[:15])} }

// plant returns a string to type somewhere; name says where when it is found.
func (m *marks) plant(name string) string {
	v := name + m.core
	m.values = append(m.values, v)
	return v
}

// hide has a value found that the program made, as the seed of a second factor.
func (m *marks) hide(secret string) { m.secrets = append(m.secrets, secret) }

// pattern is one form of one mark. Those with fold are compared in lower case.
type pattern struct {
	form string
	data []byte
	fold bool
}

// forms of a text that are searched for wherever it begins in a file.
func forms(text string) []pattern {
	low := strings.ToLower(text)
	units := utf16.Encode([]rune(low))
	little, big := make([]byte, 0, 2*len(units)), make([]byte, 0, 2*len(units))
	escaped := new(strings.Builder)
	for _, u := range units {
		little = append(little, byte(u), byte(u>>8))
		big = append(big, byte(u>>8), byte(u))
		fmt.Fprintf(escaped, `\u%04x`, u)
	}
	percent := new(strings.Builder)
	for i := range len(low) {
		fmt.Fprintf(percent, "%%%02x", low[i])
	}
	out := []pattern{
		{"plain", []byte(low), true},
		{"UTF-16LE", little, true},
		{"UTF-16BE", big, true},
		{"hex", []byte(hex.EncodeToString([]byte(low))), true},
		{"JSON-escaped", []byte(escaped.String()), true},
		{"percent-encoded", []byte(percent.String()), true},
	}
	// Base64 and base32 look different at each offset in their group; only the
	// characters that the text alone decides are compared.
	for skip := range 3 {
		for name, enc := range map[string]*base64.Encoding{"base64": base64.RawStdEncoding, "base64url": base64.RawURLEncoding} {
			all := enc.EncodeToString(append(make([]byte, skip), text...))
			out = append(out, pattern{name, []byte(all[(skip*8+5)/6 : (skip+len(text))*8/6]), false})
		}
	}
	for skip := range 5 {
		all := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(append(make([]byte, skip), text...))
		out = append(out, pattern{"base32", []byte(strings.ToLower(all[(skip*8+4)/5 : (skip+len(text))*8/5])), true})
	}
	return out
}

func (m *marks) finder() *finder {
	out := forms(m.core)
	for _, s := range m.secrets {
		out = append(out, forms(s)...)
	}
	// A hash of what somebody typed leads back to it as well.
	for _, v := range append(m.values, m.secrets...) {
		sum := sha256.Sum256([]byte(v))
		out = append(out,
			pattern{"SHA-256 of " + v, sum[:], false},
			pattern{"SHA-256 in hex of " + v, []byte(hex.EncodeToString(sum[:])), true},
			pattern{"SHA-256 in base64 of " + v, []byte(base64.RawStdEncoding.EncodeToString(sum[:])), false},
			pattern{"SHA-256 in base64url of " + v, []byte(base64.RawURLEncoding.EncodeToString(sum[:])), false})
	}
	return newFinder(out)
}

// finder looks for many patterns at once: by their first two bytes, then by
// their first four.
type finder struct {
	first [1 << 16]bool
	next  map[uint32][]pattern
	fold  *finder // of the patterns compared in lower case
}

func newFinder(patterns []pattern) *finder {
	f := &finder{next: map[uint32][]pattern{}, fold: &finder{next: map[uint32][]pattern{}}}
	for _, p := range patterns {
		in := f
		if p.fold {
			in = f.fold
		}
		in.first[binary.LittleEndian.Uint16(p.data)] = true
		key := binary.LittleEndian.Uint32(p.data)
		in.next[key] = append(in.next[key], p)
	}
	return f
}

func (f *finder) scan(data []byte, found func(p pattern, at int)) {
	for i := 0; i+4 <= len(data); i++ {
		if !f.first[binary.LittleEndian.Uint16(data[i:])] {
			continue
		}
		for _, p := range f.next[binary.LittleEndian.Uint32(data[i:])] {
			if bytes.HasPrefix(data[i:], p.data) {
				found(p, i)
			}
		}
	}
}

// find returns where marks stand in data, each form once.
func find(f *finder, where string, data []byte) (hits []string) {
	seen := map[string]bool{}
	found := func(p pattern, at int) {
		if !seen[p.form] {
			seen[p.form] = true
			around := data[max(0, at-60):min(len(data), at+len(p.data)+20)]
			hits = append(hits, fmt.Sprintf("%s at %d, %s: %q", where, at, p.form, around))
		}
	}
	f.scan(data, found)
	f.fold.scan(lower(data), found)
	return hits
}

// lower turns ASCII letters to lower case and leaves every other byte alone.
func lower(data []byte) []byte {
	out := bytes.Clone(data)
	for i, c := range out {
		if 'A' <= c && c <= 'Z' {
			out[i] = c + 'a' - 'A'
		}
	}
	return out
}

// findUnder scans names and contents of everything below a directory.
func findUnder(t *testing.T, f *finder, dir string) (hits []string) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // removed meanwhile
		}
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		hits = append(hits, find(f, "name "+rel, []byte(rel))...)
		if !e.Type().IsRegular() {
			return nil
		}
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		hits = append(hits, find(f, rel, data)...)
		return err
	}))
	return hits
}

func TestScan_FindsEveryForm(t *testing.T) {
	m := newMarks()
	v := m.plant("Wert-")
	m.hide("GEHEIMNISGEHEIMNIS")
	ps := m.finder()
	le := new(bytes.Buffer)
	for _, u := range utf16.Encode([]rune("x" + v)) {
		le.Write([]byte{byte(u), byte(u >> 8)})
	}
	sum := sha256.Sum256([]byte(v))
	planted := map[string][]byte{
		"plain":      []byte("…" + v + "…"),
		"upper case": []byte(strings.ToUpper(v)),
		"UTF-16":     le.Bytes(),
		"hex":        []byte(`\x00` + strings.ToUpper(hex.EncodeToString([]byte(v)))),
		"hash":       sum[:],
		"hash hex":   []byte(hex.EncodeToString(sum[:])),
		"secret":     []byte("secret=GeheimnisGeheimnis"),
	}
	for skip := range 6 {
		pad := strings.Repeat("z", skip)
		planted[fmt.Sprint("base64 ", skip)] = []byte(base64.StdEncoding.EncodeToString([]byte(pad + v + "!")))
		planted[fmt.Sprint("base64url ", skip)] = []byte(base64.URLEncoding.EncodeToString([]byte(pad + v + "!")))
		planted[fmt.Sprint("base32 ", skip)] = []byte(base32.StdEncoding.EncodeToString([]byte(pad + v + "!")))
	}
	for name, data := range planted {
		if len(find(ps, name, data)) == 0 {
			t.Errorf("%s: %q holds a mark that the scan does not see", name, data)
		}
		dir := t.TempDir()
		must(t, os.WriteFile(filepath.Join(dir, "f"), append(make([]byte, 70_000), data...), 0o600))
		if len(findUnder(t, ps, dir)) == 0 {
			t.Errorf("%s: not found in a file", name)
		}
	}
	if hits := find(ps, "noise", []byte("nothing to see "+rand.Text())); len(hits) > 0 {
		t.Errorf("false alarm: %v", hits)
	}
}
