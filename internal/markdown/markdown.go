// Package markdown turns what staff write into clean HTML and into plain text:
// answers to letters, issues of the newsletter, posts of the blog.
//
// What comes out of HTML holds text, lists, tables, emphasis and links to web and
// mail addresses, and nothing else: no scripts, no forms, no styles, and no
// pictures, so that reading it fetches nothing from elsewhere. Its result is a
// fixed point of the policy that cleaned it.
package markdown

import (
	"bytes"
	"regexp"
	"strings"

	"github.com/microcosm-cc/bluemonday"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	tables "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/text"
)

// parser reads what a clerk writes. A line break stays a line break,
// because that is what people mean who have never heard of Markdown.
func parser() goldmark.Markdown {
	return goldmark.New(
		goldmark.WithExtensions(
			extension.Linkify, extension.Strikethrough,
			// Alignment would be a style attribute, which the content security policy forbids.
			extension.NewTable(extension.WithTableCellAlignMethod(extension.TableCellAlignNone)),
		),
		goldmark.WithRendererOptions(html.WithHardWraps()),
	)
}

// policy is what the result may contain: text, lists, tables, emphasis and links
// to web and mail addresses. No pictures, so that reading it fetches nothing
// from elsewhere.
func policy() *bluemonday.Policy {
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
func HTML(source string) (string, error) {
	md := parser()
	doc := md.Parser().Parse(text.NewReader([]byte(source)))
	top := 6
	for n := doc.FirstChild(); n != nil; n = n.NextSibling() {
		if h, ok := n.(*ast.Heading); ok {
			top = min(top, h.Level)
		}
	}
	err := ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		switch n := n.(type) {
		case *ast.Heading:
			if entering {
				n.Level = min(max(n.Level-top+3, 3), 4)
			}
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
	var out bytes.Buffer
	if err := md.Renderer().Render(&out, []byte(source), doc); err != nil {
		return "", err
	}
	return policy().Sanitize(out.String()), nil
}

// Text returns the text without marks, for a mail: links with their
// address behind them, a row of a table as a line.
func Text(source string) string {
	raw := []byte(source)
	doc := parser().Parser().Parse(text.NewReader(raw))
	var out lineWriter
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) { return writeText(&out, raw, n, entering), nil })
	return strings.TrimSpace(out.String()) + "\n"
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
			out.text(string(n.Segment.Value(raw)))
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
