package markdown_test

import (
	"bytes"
	"strings"
	"testing"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"poststelle/internal/markdown"
)

func article() markdown.Article {
	return markdown.NewArticle("bild:", "/aktuelles/bilder/", `[a-z0-9]{1,64}\.(jpg|png)`)
}

func TestArticle(t *testing.T) {
	for _, c := range []struct{ source, want string }{
		{"# Eins\n\n## Zwei\n\n###### Tief", "<h2>Eins</h2>\n<h3>Zwei</h3>\n<h4>Tief</h4>\n"},
		{"### Zuerst", "<h2>Zuerst</h2>\n"},
		{"[innen](/aktuelles)", `<p><a href="/aktuelles" rel="noreferrer">innen</a></p>` + "\n"},
		{"![Rathaus](bild:abc123.jpg)", `<p><img src="/aktuelles/bilder/abc123.jpg" alt="Rathaus" loading="lazy"></p>` + "\n"},
		{"![x](https://fremd.example/a.png)", ""},
		{"![x](bild:../../etc)", ""},
		{"[![x](bild:../a)](https://b.example) ![y](bild:../c)", ""},
		{"- ![x](bild:../a)\n- zwei", "<ul>\n<li>zwei</li>\n</ul>\n"},
		{"vor ![x](bild:../a) nach", "<p>vor  nach</p>\n"},
		{"|a|b|\n|-|-|\n|![x](bild:../a)|1|", "<table>\n<thead>\n<tr>\n<th scope=\"col\">a</th>\n<th scope=\"col\">b</th>\n</tr>\n</thead>\n<tbody>\n<tr>\n<td></td>\n<td>1</td>\n</tr>\n</tbody>\n</table>\n"},
		{"[x](javascript:alert(1))", "<p>x</p>\n"},
		{"<script>alert(1)</script>", "\n"},
	} {
		got, err := article().HTML(c.source)
		if err != nil || !strings.Contains(got, strings.TrimSpace(c.want)) && strings.TrimSpace(c.want) != "" || strings.Contains(got, "script") || strings.Contains(got, "fremd") {
			t.Errorf("HTML(%q) = %q, %v, want %q", c.source, got, err, c.want)
		}
	}
}

// FuzzArticle: whatever an editor writes, the result is its own parse, it is a fixed point of the policy, and holds nothing active.
func FuzzArticle(f *testing.F) {
	for _, s := range []string{"# a\n\n**b** <i>c</i>", "<svg><style><img src=x onerror=a>", "![a](bild:b.jpg \"<\")", "[a](<javascript:x>)", "| a |\n|--|\n| <b> |", "<math><mtext></p><table>", "[x](data:text/html,a)"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		got, err := article().HTML(source)
		if err != nil {
			return
		}
		if again := article().Sanitize(got); again != got {
			t.Errorf("cleaning again changes %q to %q", got, again)
		}
		once := reparse(t, got)
		if twice := reparse(t, once); once != twice {
			t.Errorf("%q parses to %q, and that to %q", got, once, twice)
		}
		for _, n := range fragment(t, got) {
			inspect(t, n)
		}
	})
}

func fragment(t *testing.T, s string) []*html.Node {
	t.Helper()
	all, err := html.ParseFragment(strings.NewReader(s), &html.Node{Type: html.ElementNode, Data: "div", DataAtom: atom.Div})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func reparse(t *testing.T, s string) string {
	t.Helper()
	var b bytes.Buffer
	for _, n := range fragment(t, s) {
		if err := html.Render(&b, n); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

func inspect(t *testing.T, n *html.Node) {
	t.Helper()
	if n.Type == html.ElementNode {
		switch n.Data {
		case "script", "style", "iframe", "object", "svg", "math", "form", "input":
			t.Errorf("element %s", n.Data)
		}
		for _, a := range n.Attr {
			v := strings.ToLower(strings.TrimSpace(a.Val))
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" || a.Key == "href" && strings.HasPrefix(v, "javascript:") ||
				a.Key == "src" && !strings.HasPrefix(v, "/aktuelles/bilder/") {
				t.Errorf("attribute %s=%q", a.Key, a.Val)
			}
		}
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		inspect(t, c)
	}
}

// The cleaner holds by itself, also where the reader would let markup through.
func TestArticle_Sanitize(t *testing.T) {
	for _, evil := range []string{
		`<script>alert(1)</script>`, `<p onclick="x">a</p>`, `<svg onload=x>`, `<a href="javascript:x">y</a>`, `<img src="https://fremd.example/x.png">`, `<p style="x">a</p>`,
	} {
		got := article().Sanitize(evil)
		for _, n := range fragment(t, got) {
			inspect(t, n)
		}
		if strings.Contains(got, "alert") || strings.Contains(got, "fremd") {
			t.Errorf("%q becomes %q", evil, got)
		}
	}
}
