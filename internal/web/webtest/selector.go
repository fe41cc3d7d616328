package webtest

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// step is one part of a selector between spaces.
type step struct {
	tag   string
	attrs [][2]string // name and value; value "*" is any
}

func parse(selector string) ([]step, error) {
	var out []step
	for word := range strings.FieldsSeq(selector) {
		var s step
		rest := word
		for rest != "" {
			end := strings.IndexAny(rest[1:], "#.[") + 1
			if end == 0 {
				end = len(rest)
			}
			piece := rest[:end]
			switch piece[0] {
			case '#':
				s.attrs = append(s.attrs, [2]string{"id", piece[1:]})
			case '.':
				s.attrs = append(s.attrs, [2]string{"class", piece[1:]})
			case '[':
				end = strings.IndexByte(rest, ']') + 1
				if end == 0 {
					return nil, fmt.Errorf("selector %q: bracket not closed", selector)
				}
				name, value, found := strings.Cut(rest[1:end-1], "=")
				if !found {
					value = "*"
				}
				s.attrs = append(s.attrs, [2]string{name, strings.Trim(value, `"'`)})
			default:
				s.tag = piece
			}
			rest = rest[end:]
		}
		out = append(out, s)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("empty selector")
	}
	return out, nil
}

func (s step) matches(n *html.Node) bool {
	if n.Type != html.ElementNode || s.tag != "" && s.tag != n.Data {
		return false
	}
	for _, want := range s.attrs {
		got, ok := attr(n, want[0])
		switch {
		case !ok:
			return false
		case want[1] == "*":
		case want[0] == "class":
			if !slices.Contains(strings.Fields(got), want[1]) {
				return false
			}
		case got != want[1]:
			return false
		}
	}
	return true
}

func find(root *html.Node, selector string) ([]*html.Node, error) {
	steps, err := parse(selector)
	if err != nil {
		return nil, err
	}
	var out []*html.Node
	last := steps[len(steps)-1]
	walk(root, func(n *html.Node) {
		if last.matches(n) && ancestors(n, steps[:len(steps)-1]) {
			out = append(out, n)
		}
	})
	return out, nil
}

// ancestors reports whether the steps match ancestors of n, in order.
func ancestors(n *html.Node, steps []step) bool {
	for n = n.Parent; n != nil && len(steps) > 0; n = n.Parent {
		if steps[len(steps)-1].matches(n) {
			steps = steps[:len(steps)-1]
		}
	}
	return len(steps) == 0
}

func walk(n *html.Node, f func(*html.Node)) {
	f(n)
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		walk(c, f)
	}
}

func within(n, root *html.Node) bool {
	for ; n != nil; n = n.Parent {
		if n == root {
			return true
		}
	}
	return false
}

func attr(n *html.Node, name string) (string, bool) {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

func text(n *html.Node) string {
	var b strings.Builder
	walk(n, func(c *html.Node) {
		if c.Type == html.TextNode && (c.Parent == nil || c.Parent.Data != "script" && c.Parent.Data != "style") {
			b.WriteString(c.Data)
		}
	})
	return b.String()
}

// fold returns the text with white space folded and soft hyphens removed.
func fold(n *html.Node) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(text(n), "\u00ad", "")), " ")
}
