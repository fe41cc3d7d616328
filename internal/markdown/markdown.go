// Package markdown turns what staff write into clean HTML and into plain text:
// answers to letters, issues of the newsletter, posts of the blog. FromHTML leads
// back, for what other programs exported.
//
// What comes out of HTML holds text, lists, tables, emphasis and links to web and
// mail addresses, and nothing else: no scripts, no forms, no styles, and no
// pictures, so that reading it fetches nothing from elsewhere. An Article may show
// pictures of its own site. The result is a fixed point of the policy that cleaned
// it.
package markdown

import (
	"bufio"
	"bytes"
	stdhtml "html"
	"regexp"
	"strings"
	"sync"

	"github.com/microcosm-cc/bluemonday"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	tables "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// style is a kind of text: how it is read, what its HTML may contain and at which
// level its headings begin. It may be used by several goroutines at once.
type style struct {
	md     goldmark.Markdown
	policy *bluemonday.Policy
	top    int
	// picture returns the address of a picture in the text, false for one that is
	// left out.
	picture func(target string) (address string, ok bool)
}

const lowest = 4 // the lowest level of a heading

// letter is the style of what is sent to somebody. A line break stays a line
// break, because that is what people mean who have never heard of Markdown.
var letter = sync.OnceValue(func() *style {
	return &style{
		md: reader(goldmark.WithRendererOptions(html.WithHardWraps())), policy: cleaner(), top: 3,
		picture: func(string) (string, bool) { return "", false },
	}
})

func reader(o ...goldmark.Option) goldmark.Markdown {
	return goldmark.New(append(o, goldmark.WithExtensions(
		extension.Linkify, extension.Strikethrough,
		// Alignment would be a style attribute, which the content security policy forbids.
		extension.NewTable(extension.WithTableCellAlignMethod(extension.TableCellAlignNone)),
	))...)
}

// cleaner is what every result may contain: text, lists, tables, emphasis and
// links to web and mail addresses.
func cleaner() *bluemonday.Policy {
	p := bluemonday.NewPolicy()
	p.AllowElements("p", "br", "strong", "em", "del", "ul", "ol", "li", "blockquote", "code", "pre", "hr", "h3", "h4")
	p.AllowElements("table", "thead", "tbody", "tr", "th", "td")
	p.AllowAttrs("scope").Matching(regexp.MustCompile(`^col$`)).OnElements("th")
	p.AllowAttrs("href").OnElements("a")
	p.AllowURLSchemes("https", "http", "mailto", "tel")
	p.AllowAttrs("start").Matching(bluemonday.Integer).OnElements("ol")
	p.RequireNoFollowOnLinks(false)
	p.RequireNoReferrerOnLinks(true)
	return p
}

// HTML returns the text as clean HTML. The highest headings that it uses have
// level three, below those of the page, and all others level four.
func HTML(source string) (string, error) { return letter().html(source) }

// Article is the style of a page of its own, with headings from level two,
// addresses within the site and pictures of it.
type Article struct {
	style *style
	cache *cache
}

// NewArticle returns a style whose pictures stand in the text as scheme and name,
// "bild:haus.jpg", and on the page at path and name. name is the form of a whole
// name; a picture with another name or from elsewhere is left out.
func NewArticle(scheme, path, name string) Article {
	whole := regexp.MustCompile(`^(?:` + name + `)$`)
	p := cleaner()
	p.AllowElements("h2")
	p.AllowRelativeURLs(true)
	p.AllowAttrs("src").Matching(regexp.MustCompile(`^` + regexp.QuoteMeta(path) + `(?:` + name + `)$`)).OnElements("img")
	p.AllowAttrs("alt").OnElements("img")
	p.AllowAttrs("loading").Matching(regexp.MustCompile(`^lazy$`)).OnElements("img")
	s := &style{md: reader(), policy: p, top: 2, picture: func(target string) (string, bool) {
		own, ok := strings.CutPrefix(target, scheme)
		return path + own, ok && whole.MatchString(own)
	}}
	return Article{s, newCache()}
}

// HTML returns the text as clean HTML. The highest headings that it uses have
// level two, the lowest level four. It is kept in memory, up to 8 MB of all.
func (a Article) HTML(source string) (string, error) { return a.cache.get(source, a.style.html) }

func (s *style) html(source string) (string, error) {
	doc := s.md.Parser().Parse(text.NewReader([]byte(source)))
	highest := 6
	for n := doc.FirstChild(); n != nil; n = n.NextSibling() {
		if h, ok := n.(*ast.Heading); ok {
			highest = min(highest, h.Level)
		}
	}
	var left []ast.Node
	err := ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Heading:
			n.Level = min(max(n.Level-highest, 0)+s.top, lowest)
		case *ast.Image:
			address, ok := s.picture(string(n.Destination))
			if !ok {
				left = append(left, n)
				break
			}
			n.Destination = []byte(address)
			n.SetAttributeString("loading", "lazy")
		case *tables.TableCell:
			if _, head := n.Parent().(*tables.TableHeader); head {
				n.SetAttributeString("scope", "col")
			}
		}
		return ast.WalkContinue, nil
	})
	if err != nil {
		return "", err
	}
	for _, n := range left {
		leaveOut(n, []byte(source))
	}
	var out bytes.Buffer
	if err := s.md.Renderer().Render(&out, []byte(source), doc); err != nil {
		return "", err
	}
	return s.policy.Sanitize(out.String()), nil
}

// leaveOut removes a node, and with it the link, paragraph or item that holds
// nothing else. A cell of a table stays, or the row would be short.
func leaveOut(n ast.Node, raw []byte) {
	for up := n.Parent(); up != nil; n, up = up, up.Parent() {
		up.RemoveChild(up, n)
		if _, cell := up.(*tables.TableCell); cell || !blank(up, raw) {
			return
		}
	}
}

// blank reports whether a node holds nothing but white space.
func blank(n ast.Node, raw []byte) bool {
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		t, ok := c.(*ast.Text)
		if !ok || len(bytes.TrimSpace(t.Segment.Value(raw))) > 0 {
			return false
		}
	}
	return true
}

// Text returns the text without marks, for a mail: links with their
// address behind them, a row of a table as a line.
func Text(source string) string {
	raw := []byte(source)
	doc := letter().md.Parser().Parse(text.NewReader(raw))
	var out lineWriter
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) { return writeText(&out, raw, n, entering), nil })
	return strings.TrimSpace(out.String()) + "\n"
}

// written is a run of text as it is meant: without backslashes that only mark, and
// with the characters that entities stand for.
func written(n *ast.Text, raw []byte) string {
	value := n.Segment.Value(raw)
	if n.IsRaw() || n.Parent().Kind() == ast.KindCodeSpan || !bytes.ContainsAny(value, `\&`) {
		return string(value)
	}
	var b bytes.Buffer
	w := util.BufWriter(bufio.NewWriter(&b))
	html.DefaultWriter.Write(w, value)
	_ = w.Flush() // a buffer takes everything
	return stdhtml.UnescapeString(b.String())
}

// lineWriter holds back the line ends at the end of what was written, so that
// the end of a block can set their number. A text of nested blocks costs no more
// than its length.
type lineWriter struct {
	strings.Builder
	ends int
}

func (w *lineWriter) text(s string) {
	t := strings.TrimRight(s, "\n")
	if t != "" {
		for ; w.ends > 0; w.ends-- {
			w.WriteByte('\n')
		}
		w.WriteString(t)
	}
	w.ends += len(s) - len(t)
}

// endBlock makes the text end with the given number of line ends.
func (w *lineWriter) endBlock(ends int) { w.ends = ends }

func writeText(out *lineWriter, raw []byte, n ast.Node, entering bool) ast.WalkStatus {
	switch n := n.(type) {
	case *ast.Text:
		if entering {
			out.text(written(n, raw))
			if n.SoftLineBreak() || n.HardLineBreak() {
				out.text("\n")
			}
		}
	case *ast.String:
		if entering {
			out.text(string(n.Value))
		}
	case *ast.ListItem:
		if entering {
			out.text("- ")
		} else {
			out.endBlock(1)
		}
	case *ast.Link:
		if !entering {
			out.text(" (" + string(n.Destination) + ")")
		}
	case *ast.AutoLink:
		if entering {
			out.text(string(n.URL(raw)))
		}
	case *ast.FencedCodeBlock, *ast.CodeBlock:
		if entering {
			for i := range n.Lines().Len() {
				line := n.Lines().At(i)
				out.text(string(line.Value(raw)))
			}
		} else {
			out.endBlock(2)
		}
	case *ast.RawHTML, *ast.HTMLBlock:
		return ast.WalkSkipChildren
	case *tables.TableCell:
		if entering && n.PreviousSibling() != nil {
			out.text(" |")
			if n.HasChildren() {
				out.text(" ")
			}
		}
	case *tables.TableHeader, *tables.TableRow:
		if !entering {
			out.endBlock(1)
		}
	case *ast.Paragraph, *ast.Heading, *ast.List, *ast.Blockquote, *tables.Table:
		if !entering {
			out.endBlock(2)
		}
	}
	return ast.WalkContinue
}
