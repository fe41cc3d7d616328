package markdown_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"poststelle/internal/markdown"
)

func TestFromHTML(t *testing.T) {
	for _, c := range []struct{ markup, want, text string }{
		{"<p>Guten <b>Tag</b>,<br>bis <em> morgen</em></p>", "Guten **Tag**,\\\nbis *morgen*", "Guten Tag,\nbis morgen\n"},
		{"Eins\nzwei\n\ndrei & *vier*", "Eins\\\nzwei\n\ndrei \\& \\*vier\\*", "Eins\nzwei\n\ndrei & *vier*\n"},
		{"<h2>Groß</h2><div>a</div><div>b</div>", "## Groß\n\na\n\nb", "Groß\n\na\n\nb\n"},
		{"<ul><li>a</li><li><p>b</p><p>c</p></li></ul>", "- a\n- b\n  \n  c", ""},
		{"<p>1. kein Punkt</p><p>- kein Strich</p><p># kein Titel</p>", "1\\. kein Punkt\n\n\\- kein Strich\n\n\\# kein Titel", "1. kein Punkt\n\n- kein Strich\n\n# kein Titel\n"},
		{`<p><a href="https://a.example/x_y">hier</a>, https://b.example/c_d_e.</p>`, "[hier](<https://a.example/x_y>), <https://b.example/c_d_e>.", "hier (https://a.example/x_y), https://b.example/c_d_e.\n"},
		{`<p><a href="https://a.example">https://a.example</a> <a href="javascript:alert(1)">b</a></p>`, "<https://a.example> b", "https://a.example b\n"},
		{`<p><img src="https://a.example/b.jpg" alt="Haus"><img src="data:x"></p>`, "[Haus](<https://a.example/b.jpg>)", "Haus (https://a.example/b.jpg)\n"},
		{"<script>alert(1)</script><style>x</style><!-- y --><p>z</p>", "z", "z\n"},
		{"<pre>a\n  *b*</pre>", "    a\n      *b*", "a\n  *b*\n"},
		{"<table><tr><th>A</th><th>B</th></tr><tr><td>1|2</td><td>3</td></tr></table>", "| A | B |\n|---|---|\n| 1\\|2 | 3 |", "A | B\n1|2 | 3\n"},
		{"<blockquote><p>a</p><p>b</p></blockquote>", "> a\n> \n> b", "a\n\nb\n"},
		{"&lt;b&gt; &amp;amp;", "\\<b\\> \\&amp;", "<b> &amp;\n"},
	} {
		got, err := markdown.FromHTML(c.markup)
		if err != nil || got != c.want {
			t.Errorf("FromHTML(%q) = %q, %v, want %q", c.markup, got, err, c.want)
		}
		if text := markdown.Text(got); c.text != "" && text != c.text {
			t.Errorf("Text of %q = %q, want %q", c.markup, text, c.text)
		}
	}
	if _, err := markdown.FromHTML(strings.Repeat("<div>", 5000)); err == nil {
		t.Error("markup of 5000 nested elements was read")
	}
}

// Whatever comes from elsewhere is shown like any other text: clean.
func FuzzFromHTML(f *testing.F) {
	for _, s := range []string{
		"", "a\n\nb", "<p>a<br>b", "<b onclick=x>", "<a href=\"javascript:x\">y</a>", "<pre><code>x</pre>", "<table><tr><td>a|b", "<ol><li>x<ul><li>y",
		"<a href='https://a.example/<b>)'>[z](javascript:q)</a>", "**<b>*</b>**", "<h1><p>x</h1>", "&#x2028;&#0;", "<svg><style><img src=x onerror=y>",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, markup string) {
		source, err := markdown.FromHTML(markup)
		if err != nil {
			return
		}
		if utf8.ValidString(markup) && !utf8.ValidString(source) {
			t.Errorf("%q becomes invalid: %q", markup, source)
		}
		got, err := markdown.HTML(source)
		if err != nil {
			t.Fatal(err)
		}
		checkClean(t, source, got)
		markdown.Text(source)
	})
}
