package blog

import (
	"bytes"
	"regexp"
	"strings"

	"github.com/microcosm-cc/bluemonday"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	tables "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/text"
)

// pictureScheme stands in Markdown for a picture of the blog: bild:NAME.
const (
	pictureScheme = "bild:"
	picturePath   = "/aktuelles/bilder/"
)

var pictureName = regexp.MustCompile(`^[a-z0-9]{1,64}\.(jpg|png)$`)

func markdown() goldmark.Markdown {
	return goldmark.New(goldmark.WithExtensions(
		extension.Linkify, extension.Strikethrough,
		// Alignment would be a style attribute, which the content security policy forbids.
		extension.NewTable(extension.WithTableCellAlignMethod(extension.TableCellAlignNone)),
	))
}

// policy is what a post may contain: text, lists, tables, emphasis, links to web
// and mail addresses, and pictures of this very blog.
func policy() *bluemonday.Policy {
	p := bluemonday.NewPolicy()
	p.AllowElements("p", "br", "strong", "em", "del", "ul", "ol", "li", "blockquote", "code", "pre", "hr", "h2", "h3", "h4")
	p.AllowElements("table", "thead", "tbody", "tr", "th", "td")
	p.AllowAttrs("scope").Matching(regexp.MustCompile(`^col$`)).OnElements("th")
	p.AllowAttrs("href").OnElements("a")
	p.AllowURLSchemes("https", "http", "mailto", "tel")
	p.AllowRelativeURLs(true)
	p.AllowAttrs("start").Matching(bluemonday.Integer).OnElements("ol")
	p.AllowAttrs("src").Matching(regexp.MustCompile(`^/aktuelles/bilder/[a-z0-9]{1,64}\.(jpg|png)$`)).OnElements("img")
	p.AllowAttrs("alt").OnElements("img")
	p.AllowAttrs("loading").Matching(regexp.MustCompile(`^lazy$`)).OnElements("img")
	p.RequireNoFollowOnLinks(false)
	p.RequireNoReferrerOnLinks(true)
	return p
}

// render returns a post as clean HTML. Its headings begin at level two, below
// that of the page. A picture of another place is left out.
func (s *Service) render(source string) (string, error) {
	doc := s.md.Parser().Parse(text.NewReader([]byte(source)))
	var foreign []ast.Node
	err := ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		switch n := n.(type) {
		case *ast.Heading:
			if entering {
				n.Level = min(max(n.Level, 2), 4)
			}
		case *ast.Image:
			name, ok := strings.CutPrefix(string(n.Destination), pictureScheme)
			switch {
			case !entering:
			case ok && pictureName.MatchString(name):
				n.Destination = []byte(picturePath + name)
				n.SetAttributeString("loading", "lazy")
			default:
				foreign = append(foreign, n)
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
	for _, n := range foreign {
		if parent := n.Parent(); parent != nil {
			parent.RemoveChild(parent, n)
		}
	}
	var out bytes.Buffer
	if err := s.md.Renderer().Render(&out, []byte(source), doc); err != nil {
		return "", err
	}
	return s.policy.Sanitize(out.String()), nil
}

// segment is a run of a comment: plain text, or an address that becomes a link.
type segment struct{ Text, Href string }

// segments finds the web addresses in a comment. What stands behind a sentence
// does not belong to them.
func segments(body string) []segment {
	var out []segment
	at := 0
	for _, m := range linkForm.FindAllStringIndex(body, -1) {
		end := m[1] - len(body[m[0]:m[1]]) + len(strings.TrimRight(body[m[0]:m[1]], ".,;:!?)]}"))
		if m[0] > at {
			out = append(out, segment{Text: body[at:m[0]]})
		}
		out = append(out, segment{Text: body[m[0]:end], Href: body[m[0]:end]})
		at = end
	}
	if at < len(body) {
		out = append(out, segment{Text: body[at:]})
	}
	return out
}
