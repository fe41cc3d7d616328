package assets_test

import (
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"poststelle/internal/web/assets"
)

func TestRead(t *testing.T) {
	for _, name := range assets.Names() {
		if data, err := assets.Read(name); err != nil || len(data) == 0 {
			t.Errorf("Read(%s) = %d bytes, %v", name, len(data), err)
		}
	}
	for _, name := range []string{"nothing.css", "../assets.go", "icons.txt", "dist/kern.min.css", ".stamp", ""} {
		if _, err := assets.Read(name); err == nil {
			t.Errorf("Read(%q) gave a file", name)
		}
	}
}

func TestFS(t *testing.T) {
	fsys, err := assets.FS()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	if err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, name)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	if want := assets.Names(); !slices.Equal(names, want) {
		t.Errorf("FS holds %v, want %v", names, want)
	}
	css, err := fs.ReadFile(fsys, "poststelle.css")
	if err != nil {
		t.Fatal(err)
	}
	if slices.Contains(names, "fira-sans-latin-400-normal.woff2") && !regexp.MustCompile(`url\("fira-sans-latin-400-normal\.[0-9a-f]{16}\.woff2"\)`).Match(css) {
		t.Error("the stylesheet names its font without hash")
	}
}

// A binary without dist must say so, and say what to do.
func TestCheck(t *testing.T) {
	if _, err := os.Stat("dist/kern.min.css"); err != nil {
		err := assets.Check()
		if err == nil || !strings.Contains(err.Error(), "kern.min.css") || !strings.Contains(err.Error(), "./dev/assets") {
			t.Errorf("Check() = %v without dist", err)
		}
		return
	}
	if err := assets.Check(); err != nil {
		t.Errorf("Check() = %v with dist", err)
	}
	whole := os.DirFS(".")
	if err := assets.CheckFS(whole); err != nil {
		t.Errorf("CheckFS of the folder = %v", err)
	}
	if err := assets.CheckFS(without{whole, "dist/icons.svg"}); err == nil || !strings.Contains(err.Error(), "icons.svg") || !strings.Contains(err.Error(), "./dev/assets") {
		t.Errorf("CheckFS without the sprite = %v", err)
	}
}

type without struct {
	fs.FS
	name string
}

func (w without) Open(name string) (fs.File, error) {
	if name == w.name {
		return nil, fs.ErrNotExist
	}
	return w.FS.Open(name)
}

// Tokens only: a colour written out would not follow the theme of a municipality, the dark theme or forced colours.
func TestStylesheet_TokensOnly(t *testing.T) {
	css, err := assets.Read("poststelle.css")
	if err != nil {
		t.Fatal(err)
	}
	for _, finding := range literals(string(css)) {
		t.Error(finding)
	}
	if got := literals(".ps-x { color: #fff }"); len(got) != 1 {
		t.Errorf("planted colour: %v", got)
	}
	if got := literals(".x { background: rgb(1 2 3) }"); len(got) != 1 {
		t.Errorf("planted colour: %v", got)
	}
	for _, name := range assets.References(css) {
		if !strings.HasPrefix(name, "fira-sans-latin") {
			t.Errorf("stylesheet refers to %s", name)
		}
	}
	if n := len(assets.References(css)); n != 6 {
		t.Errorf("%d references, want 6 faces", n)
	}
}

func literals(css string) []string {
	css = regexp.MustCompile(`(?s)/\*.*?\*/`).ReplaceAllString(css, "")
	return regexp.MustCompile(`#[0-9a-fA-F]{3,8}\b|\b(?:rgba?|hsla?|oklch|oklab|lab|lch)\([0-9]`).FindAllString(css, -1)
}

// Scripts write no markup from strings, evaluate nothing and keep no styles: the policy of the pages forbids it.
func TestScripts(t *testing.T) {
	bad := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|\.style\b|setAttribute\('style|setAttribute\('on|localStorage|sessionStorage|document\.cookie|https?://`)
	for name, limit := range map[string]int{"basis.mjs": 5 << 10, "passkey.mjs": 5 << 10, "tasten.mjs": 5 << 10} {
		js, err := assets.Read(name)
		if err != nil {
			t.Fatal(err)
		}
		if len(js) > limit {
			t.Errorf("%s has %d bytes, at most %d", name, len(js), limit)
		}
		if m := bad.Find(js); m != nil {
			t.Errorf("%s uses %s", name, m)
		}
	}
	if !bad.MatchString("x.innerHTML = y") {
		t.Error("planted innerHTML not found")
	}
}

func TestIcons_Sorted(t *testing.T) {
	list, err := os.ReadFile("icons.txt")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for line := range strings.Lines(string(list)) {
		if !strings.HasPrefix(line, "#") {
			names = append(names, strings.TrimSpace(line))
		}
	}
	if !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Error("icons.txt is not sorted or names an icon twice")
	}
}
