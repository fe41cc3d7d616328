package ui_test

import (
	"bytes"
	"context"
	"flag"
	"html"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/a-h/templ"

	"poststelle/internal/i18n"
	"poststelle/internal/web/assets"
	"poststelle/internal/web/ui"
)

// go test ./internal/web/ui -run Gallery -gallery DIR writes the gallery as files, for dev/look.mjs --dir DIR.
var galleryDir = flag.String("gallery", "", "directory to write the component gallery to")

func locale(t *testing.T, lang string) context.Context {
	t.Helper()
	catalog, err := i18n.Load()
	if err != nil {
		t.Fatal(err)
	}
	return i18n.With(t.Context(), catalog.Localizer(lang))
}

func render(t *testing.T, ctx context.Context, c templ.Component) string {
	t.Helper()
	var b bytes.Buffer
	if err := c.Render(ctx, &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

var (
	idAttr    = regexp.MustCompile(` id="([^"]*)"`)
	refAttr   = regexp.MustCompile(` (?:for|aria-labelledby|aria-describedby|data-zaehler)="([^"]*)"`)
	iconRef   = regexp.MustCompile(`icons\.svg#([a-z0-9_]+)`)
	emptyElem = regexp.MustCompile(`<(p|h1|h2|h3|a|li|dt|legend|label)(?: [^>]*)?>\s*</`)
)

func TestGallery(t *testing.T) {
	sprite, err := os.ReadFile("../assets/icons.txt")
	if err != nil {
		t.Fatal(err)
	}
	icons := strings.Fields(string(sprite))
	for _, p := range gallery() {
		t.Run(p.name, func(t *testing.T) {
			html := render(t, templ.WithNonce(locale(t, p.frame.Lang), "galerie"), ui.Layout(p.frame, p.view))
			for _, finding := range markupFindings(html) {
				t.Error(finding)
			}
			for _, m := range iconRef.FindAllStringSubmatch(html, -1) {
				if !slices.Contains(icons, m[1]) {
					t.Errorf("icon %s is not in internal/web/assets/icons.txt", m[1])
				}
			}
			if *galleryDir != "" {
				if err := os.WriteFile(filepath.Join(*galleryDir, p.name+".html"), []byte(html), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
	if *galleryDir == "" {
		return
	}
	for _, name := range assets.Names() {
		data, err := assets.Read(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(*galleryDir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(*galleryDir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// markupFindings are the rules every page keeps, whatever is on it.
func markupFindings(html string) []string {
	var out []string
	for what, bad := range map[string]bool{
		"a style attribute":           strings.Contains(html, ` style="`),
		"an inline handler":           regexp.MustCompile(` on[a-z]+="`).MatchString(html),
		"a script without nonce":      strings.Count(html, "<script") != strings.Count(html, `nonce="galerie"`),
		"an inline script":            regexp.MustCompile(`<script(?:[^>]*)>[^<]`).MatchString(html),
		"a key without sentence":      strings.Contains(html, i18n.MarkOpen),
		"not exactly one h1":          strings.Count(html, "<h1") != 1,
		"a missing language":          !regexp.MustCompile(`<html\s+lang="(de|en)"`).MatchString(html),
		"an address of another host":  regexp.MustCompile(`(?:href|src|action)="(?:https?:)?//`).MatchString(html),
		"a literal colour":            regexp.MustCompile(`(?:fill|stroke)="#`).MatchString(html),
		"a form that validates alone": strings.Contains(html, " required"),
	} {
		if bad {
			out = append(out, "page has "+what)
		}
	}
	ids := map[string]int{}
	for _, m := range idAttr.FindAllStringSubmatch(html, -1) {
		ids[m[1]]++
		if ids[m[1]] == 2 {
			out = append(out, "id twice: "+m[1])
		}
	}
	for _, m := range refAttr.FindAllStringSubmatch(html, -1) {
		for _, id := range strings.Fields(m[1]) {
			if ids[id] == 0 {
				out = append(out, "nothing has the id "+id)
			}
		}
	}
	for _, m := range emptyElem.FindAllString(html, -1) {
		if !strings.Contains(m, "data-hochladen") {
			out = append(out, "empty element "+m)
		}
	}
	slices.Sort(out)
	return out
}

func TestMarkupFindings_Planted(t *testing.T) {
	sound := `<html lang="de"><h1>x</h1><input id="a"><label for="a">A</label>`
	if got := markupFindings(sound); len(got) != 0 {
		t.Fatalf("sound page: %v", got)
	}
	for _, bad := range []string{` <p style="x">y</p>`, `<a onclick="x">y</a>`, `<script>x</script>`, `<h1>y</h1>`, `<b id="a">x</b>`, `<label for="zz">x</label>`, `<p></p>`, `<a href="//x.example/">x</a>`, i18n.MarkOpen + "k" + i18n.MarkClose} {
		if got := markupFindings(sound + bad); len(got) == 0 {
			t.Errorf("%s: no finding", bad)
		}
	}
}

func TestLayout_TitleOfErrors(t *testing.T) {
	f := ui.Frame{Lang: "de", ProductName: "Digitale Poststelle", TenantName: "Stadt Musterstadt"}
	html := render(t, locale(t, "de"), ui.Layout(f, ui.View{Title: "Ihr Anliegen", Errors: 2}))
	if want := "<title>Fehler: Ihr Anliegen – Digitale Poststelle – Stadt Musterstadt</title>"; !strings.Contains(html, want) {
		t.Errorf("title is not %s", want)
	}
}

func TestHref(t *testing.T) {
	for _, c := range []struct{ lang, path, want string }{
		{"de", "/abholen", "/abholen"}, {"en", "/abholen", "/en/abholen"}, {"en", "/", "/en"}, {"en", "/en/abholen", "/en/abholen"},
		{"en", "#x", "#x"}, {"en", "?a=1", "?a=1"}, {"en", "//other.example", "//other.example"}, {"en", "https://other.example/", "https://other.example/"},
	} {
		if got := ui.Href(locale(t, c.lang), c.path); got != c.want {
			t.Errorf("Href(%s, %s) = %s, want %s", c.lang, c.path, got, c.want)
		}
	}
}

func TestSafeText(t *testing.T) {
	for in, want := range map[string]string{
		"Kim <b>":                   "<bdi>Kim &lt;b&gt;</bdi>",
		"gpj.\u202efdp.exe":         `<bdi>gpj.<span class="ps-ctl">[U+202E]</span>fdp.exe</bdi>`,
		"a\u200bb":                  `<bdi>a<span class="ps-ctl">[U+200B]</span>b</bdi>`,
		"\x1b[31m":                  `<bdi><span class="ps-ctl">[U+001B]</span>[31m</bdi>`,
		"👩\u200d🚒":                  "<bdi>👩\u200d🚒</bdi>",
		"pay\u200dpal":              `<bdi>pay<span class="ps-ctl">[U+200D]</span>pal</bdi>`,
		"می\u200cخواهم":             "<bdi>می\u200cخواهم</bdi>",
		"tag\U000e0041":             `<bdi>tag<span class="ps-ctl">[U+E0041]</span></bdi>`,
		"zwei\nZeilen\tund\r\nEnde": "<bdi>zwei\nZeilen\tund\nEnde</bdi>",
	} {
		if got := render(t, t.Context(), ui.SafeText(in)); got != want {
			t.Errorf("SafeText(%q) = %s, want %s", in, got, want)
		}
		plain := html.UnescapeString(strings.NewReplacer("<bdi>", "", "</bdi>", "", `<span class="ps-ctl">`, "", "</span>", "").Replace(want))
		if got := ui.Spelled(in); got != plain {
			t.Errorf("Spelled(%q) = %q, want %q", in, got, plain)
		}
	}
}

func FuzzSafeText(f *testing.F) {
	f.Add("a\u202eb")
	f.Fuzz(func(t *testing.T, s string) {
		got := render(t, t.Context(), ui.SafeText(s))
		if strings.ContainsAny(got, "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u200b\ufeff\x00\x1b") {
			t.Errorf("SafeText(%q) lets a control character through: %q", s, got)
		}
	})
}

func TestHelp_State(t *testing.T) {
	ctx := locale(t, "de")
	for _, c := range []struct {
		kept       string
		byDefault  bool
		open, text string
	}{
		{"", false, "", "n:auf"}, {"", true, " open", "n:zu"}, {"auf", false, " open", "n:zu"}, {"zu", true, "", "n:auf"},
	} {
		kit := ui.Kit{Display: func(name string) string {
			if name != "hilfe_n" {
				t.Errorf("asked for %s", name)
			}
			return c.kept
		}}
		html := render(t, ui.With(ctx, kit), ui.Help(ui.HelpText{ID: "n", Title: "Hilfe", Text: "Text", Open: c.byDefault, Keep: true}))
		if open := strings.Contains(html, `data-anzeige="hilfe_n" open>`); open != (c.open != "") {
			t.Errorf("kept %q, default %v: open = %v", c.kept, c.byDefault, open)
		}
		if !strings.Contains(html, `name="hilfe" value="`+c.text+`"`) {
			t.Errorf("kept %q, default %v: button is not %s", c.kept, c.byDefault, c.text)
		}
	}
}

func TestHelpChoice(t *testing.T) {
	if name, state, ok := ui.HelpChoice("nachricht:auf"); name != "hilfe_nachricht" || state != "auf" || !ok {
		t.Errorf("HelpChoice = %q, %q, %v", name, state, ok)
	}
	for _, bad := range []string{"", "nachricht", "nachricht:offen", ":auf", "Böse:auf", "a b:zu"} {
		if _, _, ok := ui.HelpChoice(bad); ok {
			t.Errorf("HelpChoice(%q) accepted", bad)
		}
	}
}

// Enter in a field presses the first submit button of a form: with Default it must be the nameless one.
func TestForm_DefaultButton(t *testing.T) {
	html := render(t, locale(t, "de"), in(ui.Form(ui.FormSpec{Action: "/x", Default: true}), ui.Help(ui.HelpText{ID: "n", Title: "Hilfe", Text: "Text", Keep: true})))
	first := html[strings.Index(html, "<button"):]
	if first = first[:strings.Index(first, ">")]; strings.Contains(first, "name=") {
		t.Errorf("first button is %s", first)
	}
}
