package notice

import (
	"context"
	"strings"

	"poststelle/internal/tenant"
)

// document is a legal text in one language: what a page and a file are made of.
type document struct {
	title, lead string
	chapters    []chapter
}

// chapter is a part with a heading. id is its anchor, the same in every
// language.
type chapter struct {
	id, title string
	blocks    []block
}

// block is one of: a heading, a paragraph, a framed note (warn: a warning), a
// list, a list of facts, a link.
type block struct {
	heading string
	text    string
	alert   string
	warn    bool
	items   []string
	facts   []fact
	link    link
}

type fact struct {
	name   string
	values []string
}

type link struct{ href, label string }

func say(text string) block { return block{text: text} }

// with adds a chapter that says something. A heading over nothing is refused,
// here and for facts without a value.
func (d *document) with(c chapter) {
	c.blocks = cleaned(c.blocks)
	if len(c.blocks) > 0 {
		d.chapters = append(d.chapters, c)
	}
}

func cleaned(blocks []block) []block {
	var out []block
	for _, b := range blocks {
		var facts []fact
		for _, f := range b.facts {
			if f.values = unique(f.values); len(f.values) > 0 {
				facts = append(facts, f)
			}
		}
		b.facts = facts
		b.items = unique(b.items)
		if b.heading == "" && b.text == "" && b.alert == "" && b.link.href == "" && len(b.items)+len(b.facts) == 0 {
			continue
		}
		if n := len(out); b.heading != "" && n > 0 && out[n-1].heading != "" {
			out = out[:n-1]
		}
		out = append(out, b)
	}
	if n := len(out); n > 0 && out[n-1].heading != "" {
		out = out[:n-1]
	}
	return out
}

// unique drops empty and repeated sentences and keeps the order.
func unique(in []string) []string {
	var out []string
	seen := map[string]bool{"": true}
	for _, s := range in {
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}

// Markdown returns the privacy notice of a tenant in the language of ctx.
// https says that its pages are reached by https only.
func (n *Notice) Markdown(ctx context.Context, t *tenant.Tenant, https bool) string {
	return n.statement(ctx, t, https).markdown()
}

func (d document) markdown() string {
	var b strings.Builder
	b.WriteString("# " + d.title + "\n")
	if d.lead != "" {
		b.WriteString("\n" + d.lead + "\n")
	}
	for _, c := range d.chapters {
		b.WriteString("\n## " + c.title + "\n")
		for _, x := range c.blocks {
			b.WriteString("\n")
			switch {
			case x.heading != "":
				b.WriteString("### " + x.heading + "\n")
			case x.text != "":
				b.WriteString(x.text + "\n")
			case x.alert != "":
				b.WriteString("> " + x.alert + "\n")
			case x.link.href != "":
				b.WriteString("[" + x.link.label + "](" + x.link.href + ")\n")
			}
			for _, i := range x.items {
				b.WriteString("- " + i + "\n")
			}
			for _, f := range x.facts {
				b.WriteString("- **" + f.name + "**: " + strings.Join(f.values, " / ") + "\n")
			}
		}
	}
	return b.String()
}
