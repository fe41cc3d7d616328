package markdown

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// FromHTML returns markup of elsewhere as a text in Markdown: what a person reads
// of it, with headings, lists, tables, emphasis and links; a picture becomes a link
// to it. Scripts, styles, forms and comments are left out. Markup without
// paragraphs of its own keeps its lines, as blogs write them. The result shows
// nothing that HTML would not show of any other text.
//
// It fails for markup that is nested too deep to be read (512 elements).
func FromHTML(markup string) (string, error) {
	markup = strings.ReplaceAll(markup, "\r\n", "\n")
	if !paragraphs.MatchString(markup) {
		markup = "<p>" + strings.ReplaceAll(emptyLines.ReplaceAllString(markup, "</p><p>"), "\n", "<br>") + "</p>"
	}
	body := &html.Node{Type: html.ElementNode, Data: "body", DataAtom: atom.Body}
	nodes, err := html.ParseFragment(strings.NewReader(markup), body)
	if err != nil {
		return "", fmt.Errorf("markdown: from HTML: %w", err)
	}
	var w blockWriter
	for _, n := range nodes {
		w.node(n)
	}
	w.end()
	return strings.Join(w.blocks, "\n\n"), nil
}

var (
	paragraphs = regexp.MustCompile(`(?i)<(p|div|br)\b`)
	emptyLines = regexp.MustCompile(`\n[ \t]*\n\s*`)
	blanks     = regexp.MustCompile(`[\s\p{Z}]+`)
	address    = regexp.MustCompile(`https?://[^\s<>\\]+`)
	lineMark   = regexp.MustCompile(`^([-+=]|[0-9]{1,9}[.)])`)
	// marks are escaped wherever they stand.
	marks = strings.NewReplacer(`\`, `\\`, "`", "\\`", `*`, `\*`, `_`, `\_`, `[`, `\[`, `]`, `\]`, `<`, `\<`, `>`, `\>`, `~`, `\~`, `|`, `\|`, `&`, `\&`, `#`, `\#`)
	// targets are the characters that would end the address of a link.
	targets = strings.NewReplacer("<", "%3C", ">", "%3E", `\`, "%5C", " ", "%20", "\n", "", "\r", "", "\t", "")
)

// hidden elements hold nothing to read.
func hidden(a atom.Atom) bool {
	switch a {
	case atom.Script, atom.Style, atom.Head, atom.Title, atom.Template, atom.Noscript, atom.Object, atom.Embed, atom.Svg, atom.Math, atom.Iframe,
		atom.Select, atom.Textarea, atom.Button, atom.Input, atom.Video, atom.Audio, atom.Canvas:
		return true
	}
	return false
}

func isBlock(a atom.Atom) bool {
	switch a {
	case atom.P, atom.Div, atom.Section, atom.Article, atom.Header, atom.Footer, atom.Main, atom.Aside, atom.Nav, atom.Figure, atom.Figcaption,
		atom.Address, atom.Dl, atom.Dt, atom.Dd, atom.Details, atom.Summary, atom.Form, atom.Fieldset, atom.Center:
		return true
	}
	return false
}

// blockWriter collects the blocks of a text. Inline is the paragraph that is not
// ended yet.
type blockWriter struct {
	blocks []string
	inline strings.Builder
}

// end ends the paragraph.
func (w *blockWriter) end() {
	var lines []string
	for line := range strings.SplitSeq(w.inline.String(), lineBreak) {
		line = strings.TrimSpace(blanks.ReplaceAllString(line, " "))
		if line != "" || len(lines) > 0 {
			lines = append(lines, lineMark.ReplaceAllStringFunc(line, func(m string) string { return m[:len(m)-1] + `\` + m[len(m)-1:] }))
		}
	}
	w.inline.Reset()
	for len(lines) > 0 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	if len(lines) > 0 {
		// An empty line would end the paragraph.
		lines = slices.DeleteFunc(lines, func(s string) bool { return s == "" })
		w.blocks = append(w.blocks, strings.Join(lines, "\\\n"))
	}
}

// lineBreak stands for a line break inside of a paragraph until it ends. It cannot
// come from markup, where blanks takes it away.
const lineBreak = "\u2028"

func (w *blockWriter) children(n *html.Node) {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		w.node(c)
	}
}

func (w *blockWriter) node(n *html.Node) {
	switch {
	case n.Type == html.TextNode, n.Type == html.ElementNode && isInline(n.DataAtom):
		w.inline.WriteString(inline(n))
	case n.Type != html.ElementNode || hidden(n.DataAtom):
	case isBlock(n.DataAtom):
		w.end()
		w.children(n)
		w.end()
	default:
		w.end()
		w.block(n)
	}
}

// block writes an element with marks of its own.
func (w *blockWriter) block(n *html.Node) {
	switch n.DataAtom {
	case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
		if s := oneLine(n); s != "" {
			w.blocks = append(w.blocks, strings.Repeat("#", int(n.Data[1]-'0'))+" "+s)
		}
	case atom.Ul, atom.Ol:
		w.list(n)
	case atom.Blockquote:
		if s := within(n); s != "" {
			w.blocks = append(w.blocks, "> "+strings.ReplaceAll(s, "\n", "\n> "))
		}
	case atom.Pre:
		if s := strings.Trim(plain(n), "\n"); s != "" {
			w.blocks = append(w.blocks, "    "+strings.ReplaceAll(s, "\n", "\n    "))
		}
	case atom.Hr:
		w.blocks = append(w.blocks, "---")
	case atom.Table:
		w.table(n)
	default:
		w.children(n)
		w.end()
	}
}

// within is what an element holds as a text of its own.
func within(n *html.Node) string {
	var in blockWriter
	in.children(n)
	in.end()
	return strings.Join(in.blocks, "\n\n")
}

func (w *blockWriter) list(n *html.Node) {
	var items []string
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if c.Type != html.ElementNode || hidden(c.DataAtom) {
			continue
		}
		if s := within(c); s != "" {
			mark := "- "
			if n.DataAtom == atom.Ol {
				mark = fmt.Sprintf("%d. ", len(items)+1)
			}
			items = append(items, mark+strings.ReplaceAll(s, "\n", "\n"+strings.Repeat(" ", len(mark))))
		}
	}
	if len(items) > 0 {
		w.blocks = append(w.blocks, strings.Join(items, "\n"))
	}
}

func (w *blockWriter) table(n *html.Node) {
	var lines []string
	columns := 0
	for row := range n.Descendants() {
		if row.DataAtom != atom.Tr {
			continue
		}
		var cells []string
		for c := row.FirstChild; c != nil; c = c.NextSibling {
			if c.DataAtom == atom.Td || c.DataAtom == atom.Th {
				cells = append(cells, oneLine(c))
			}
		}
		lines = append(lines, "| "+strings.Join(cells, " | ")+" |")
		if len(lines) == 1 {
			columns = len(cells)
			lines = append(lines, "|"+strings.Repeat("---|", columns))
		}
	}
	if columns > 0 {
		w.blocks = append(w.blocks, strings.Join(lines, "\n"))
	}
}

func isInline(a atom.Atom) bool {
	switch a {
	case atom.Br, atom.A, atom.B, atom.Strong, atom.I, atom.Em, atom.S, atom.Del, atom.Strike, atom.Code, atom.Tt, atom.Kbd, atom.Img, atom.Span, atom.Font,
		atom.U, atom.Ins, atom.Sub, atom.Sup, atom.Small, atom.Big, atom.Abbr, atom.Cite, atom.Q, atom.Mark, atom.Time, atom.Label, atom.Samp, atom.Var, atom.Dfn:
		return true
	}
	return false
}

// oneLine is the text of an element without line breaks.
func oneLine(n *html.Node) string {
	var b strings.Builder
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		b.WriteString(inline(c))
	}
	return strings.TrimSpace(blanks.ReplaceAllString(b.String(), " "))
}

func inline(n *html.Node) string {
	if n.Type == html.TextNode {
		return escaped(blanks.ReplaceAllString(n.Data, " "))
	}
	if n.Type != html.ElementNode || hidden(n.DataAtom) {
		return ""
	}
	switch n.DataAtom {
	case atom.Br:
		return lineBreak
	case atom.Img:
		return linked(escaped(attribute(n, "alt")), attribute(n, "src"))
	}
	var b strings.Builder
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		b.WriteString(inline(c))
	}
	in := b.String()
	switch n.DataAtom {
	case atom.B, atom.Strong:
		return around("**", in)
	case atom.I, atom.Em:
		return around("*", in)
	case atom.S, atom.Del, atom.Strike:
		return around("~~", in)
	case atom.A:
		if target := attribute(n, "href"); strings.TrimSpace(plain(n)) != target {
			return linked(in, target)
		}
	}
	if isBlock(n.DataAtom) { // a block inside of a link, say
		return " " + in + " "
	}
	return in
}

// around marks a run of text; blanks at its ends stay outside, and a line break
// ends every mark.
func around(mark, in string) string {
	parts := strings.Split(in, lineBreak)
	for i, s := range parts {
		if core := strings.Trim(s, " "); core != "" && !strings.HasPrefix(core, mark[:1]) && !strings.HasSuffix(core, mark[:1]) {
			at := strings.Index(s, core)
			parts[i] = s[:at] + mark + core + mark + s[at+len(core):]
		}
	}
	return strings.Join(parts, lineBreak)
}

// linked is a link to a web or mail address; of another one the text stays.
func linked(in, target string) string {
	low := strings.ToLower(target)
	if !strings.HasPrefix(low, "https://") && !strings.HasPrefix(low, "http://") && !strings.HasPrefix(low, "mailto:") && !strings.HasPrefix(low, "tel:") {
		return in
	}
	label := strings.TrimSpace(strings.ReplaceAll(in, lineBreak, " "))
	target = targets.Replace(target)
	if label == "" {
		return "<" + target + ">"
	}
	return "[" + label + "](<" + target + ">)"
}

// escaped keeps text from being read as marks. A web address stays whole.
func escaped(s string) string {
	var b strings.Builder
	at := 0
	for _, m := range address.FindAllStringIndex(s, -1) {
		end := m[0] + len(strings.TrimRight(s[m[0]:m[1]], ".,;:!?)]}*_~'\""))
		b.WriteString(marks.Replace(s[at:m[0]]) + "<" + s[m[0]:end] + ">")
		at = end
	}
	return b.String() + marks.Replace(s[at:])
}

// plain is the text of an element as it stands.
func plain(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		switch {
		case c.Type == html.TextNode && (c.Parent == nil || !hidden(c.Parent.DataAtom)):
			b.WriteString(c.Data)
		case c.DataAtom == atom.Br:
			b.WriteByte('\n')
		}
	}
	return b.String()
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return strings.TrimSpace(a.Val)
		}
	}
	return ""
}
