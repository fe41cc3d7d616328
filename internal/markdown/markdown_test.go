package markdown_test

import (
	"regexp"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"poststelle/internal/markdown"
)

func TestHTML(t *testing.T) {
	for _, c := range []struct{ source, want string }{
		{"Guten Tag,\nzweite Zeile", "<p>Guten Tag,<br>\nzweite Zeile</p>\n"},
		{"# Groß\n\n## Mittel", "<h3>Groß</h3>\n<h4>Mittel</h4>\n"},
		{"## Mittel\n\n### Klein", "<h3>Mittel</h3>\n<h4>Klein</h4>\n"},
		{"**fett** und *schräg*", "<p><strong>fett</strong> und <em>schräg</em></p>\n"},
		{"- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n"},
		{"![Bild](https://fremd.example/zaehler.png)", ""},
		{"[weg](javascript:alert(1))", "<p>weg</p>\n"},
		{"[weg](/amt/eingang)", "<p>weg</p>\n"},
		{"1 < 2 & 3", "<p>1 &lt; 2 &amp; 3</p>\n"},
		{
			"| Tag | Uhr |\n|:----|----:|\n| Mo | *8* |\n| Di | <b>9</b> |",
			"<table>\n<thead>\n<tr>\n<th scope=\"col\">Tag</th>\n<th scope=\"col\">Uhr</th>\n</tr>\n</thead>\n" +
				"<tbody>\n<tr>\n<td>Mo</td>\n<td><em>8</em></td>\n</tr>\n<tr>\n<td>Di</td>\n<td>9</td>\n</tr>\n</tbody>\n</table>\n",
		},
		{"8 | 9\n10 | 11", "<p>8 | 9<br>\n10 | 11</p>\n"},
	} {
		got, err := markdown.HTML(c.source)
		if err != nil || got != c.want {
			t.Errorf("HTML(%q) = %q, %v, want %q", c.source, got, err, c.want)
		}
	}
	for _, evil := range []string{
		`<script>alert(1)</script>`, `<img src=x onerror=alert(1)>`, `<a href="javascript:alert(1)">x</a>`, `<style>*{display:none}</style>`,
		`<svg onload=alert(1)>`, `<iframe src="https://fremd.example">`, `<p style="position:fixed">`, `<form action=/x><input name=y></form>`,
		"[x](data:text/html,<script>alert(1)</script>)", "|<img src=x>|[y](javascript:z)|\n|:-:|-|\n|<td style=a colspan=9>|<script>|",
		`<table background=x><tr><th scope="row" onclick=x>`, "[x](vbscript:x)", `<a href="//fremd.example">x</a>`,
	} {
		got, err := markdown.HTML(evil)
		if err != nil {
			t.Fatal(err)
		}
		checkClean(t, evil, got)
	}
}

var cleanHref = regexp.MustCompile(`^(https?:|mailto:|tel:)`)

// checkClean looks at the parsed result, not at its spelling.
func checkClean(t *testing.T, source, got string) {
	t.Helper()
	allowed := " html head body p br strong em del ul ol li blockquote code pre hr h3 h4 a table thead tbody tr th td "
	doc, err := html.Parse(strings.NewReader(got))
	if err != nil {
		t.Fatalf("%q: %v", source, err)
	}
	for n := range doc.Descendants() {
		if n.Type == html.CommentNode {
			t.Errorf("%q: comment in %q", source, got)
		}
		if n.Type != html.ElementNode {
			continue
		}
		if !strings.Contains(allowed, " "+n.Data+" ") {
			t.Errorf("%q: element %s in %q", source, n.Data, got)
		}
		for _, a := range n.Attr {
			switch {
			case n.Data == "a" && a.Key == "href" && cleanHref.MatchString(strings.ToLower(a.Val)):
			case n.Data == "a" && a.Key == "rel":
			case n.Data == "ol" && a.Key == "start":
			case n.Data == "th" && a.Key == "scope" && a.Val == "col":
			default:
				t.Errorf("%q: attribute %s=%q of %s in %q", source, a.Key, a.Val, n.Data, got)
			}
		}
	}
}

func TestText(t *testing.T) {
	for _, c := range []struct{ source, want string }{
		{"Guten Tag,\n\nwir **kommen**.\nMorgen.", "Guten Tag,\n\nwir kommen.\nMorgen.\n"},
		{"- eins\n- zwei\n\nDanach", "- eins\n- zwei\n\nDanach\n"},
		{"> - tief\n>\n> Ende", "- tief\n\nEnde\n"},
		{"[Stadt](https://stadt.example)", "Stadt (https://stadt.example)\n"},
		{"https://stadt.example", "https://stadt.example\n"},
		{"```\na\n\nb\n```\n\nc", "a\n\nb\n\nc\n"},
		{"<b>x</b> y", "x y\n"},
		{"Wann:\n\n| Tag | Uhr |\n|---|---|\n| Mo | **8** |\n| Di | |\n\nDanach", "Wann:\n\nTag | Uhr\nMo | 8\nDi |\n\nDanach\n"},
		{"", "\n"},
	} {
		if got := markdown.Text(c.source); got != c.want {
			t.Errorf("Text(%q) = %q, want %q", c.source, got, c.want)
		}
	}
}

// What HTML returns is a fixed point of the policy, and clean when parsed.
func FuzzHTML(f *testing.F) {
	for _, s := range []string{
		"", "a\n\nb", "# x\n- [y](https://z.example \"t\")", "<b onclick=x>", "&lt;script&gt;", "[a]: javascript:x\n[a]", "```\n<x>\n```",
		"<https://a.example/<b>>", "1. x\n\n7) y", "~~a~~ **b", "\u202e<p>\x00", "<!-- -->", "&#x6A;avascript:x", "a@b.example",
		"| a | b |\n|:-:|--|\n| <td> | \\| |\n\n<table><th scope=row>", "a|\n-|\n",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		got, err := markdown.HTML(source)
		if err != nil {
			t.Fatal(err)
		}
		if again := markdown.Sanitize(got); again != got {
			t.Errorf("not a fixed point: %q → %q → %q", source, got, again)
		}
		checkClean(t, source, got)
		markdown.Text(source)
	})
}

func BenchmarkText_ManyBlocks(b *testing.B) {
	source := strings.Repeat("> - x\n\n", 3000)
	b.ReportAllocs()
	for b.Loop() {
		markdown.Text(source)
	}
}
