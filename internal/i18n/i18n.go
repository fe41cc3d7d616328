// Package i18n gives every sentence of the interface, in the language of the
// page, and writes dates, sizes and numbers as that language does.
//
// # Catalogues
//
// A sentence has a key, domain.screen.element, and stands in
// catalog/<variety>/<domain>.json:
//
//	{
//	  "mailbox.reply.sent": "Ihre Antwort an {office} ist gesendet.",
//	  "mailbox.list.count": {"one": "{n} Nachricht", "other": "{n} Nachrichten"}
//	}
//
// Words in braces are parameters. A sentence with plural forms always counts
// the parameter {n}; the form is chosen by the CLDR rules of the language.
// Sentences are whole: they are never glued from pieces.
//
// German (de) is the reference. Every other variety has either all of its keys
// with the same parameters or does not exist: a half translated variety, such
// as a Leichte Sprache (de-leicht) in the making, is loaded but not offered.
// A variety is a bundle of its own and never found by matching language tags,
// because tag matching silently answers standard German for de-leicht.
//
// # Why there is no template engine
//
// A page asks for a hundred sentences. Sentences are therefore split into
// literal and parameter segments once, at Load, and a plain one is a map
// lookup. Plural forms come from golang.org/x/text/feature/plural, which holds
// the CLDR rules. go-i18n matches tags and runs a template on every call; see
// docs/adr/0004-own-sentences.md, and BenchmarkT for what a sentence costs.
//
// # What is missing
//
// A key that a variety lacks gives the German sentence. A key that German
// lacks gives the key between ⟦ and ⟧, which no page may contain: the test of
// this package finds it before, webtest finds it in every page it fetches.
package i18n

import (
	"cmp"
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
)

// Reference is the variety every other one is compared with.
const Reference = "de"

// MarkOpen and MarkClose enclose a key that has no sentence.
const (
	MarkOpen  = "⟦"
	MarkClose = "⟧"
)

//go:embed catalog/*/*.json
var files embed.FS

// Catalog holds the sentences of all varieties. It does not change after Load
// and may be used by many goroutines.
type Catalog struct {
	localizers map[string]*Localizer
	languages  []string // complete ones, reference first
}

// Localizer speaks one variety.
type Localizer struct {
	name     string
	tag      language.Tag
	messages map[string]*message
	small    [smallCount]plural.Form // forms of the counts a page has most
	fallback *Localizer              // the reference; nil in the reference itself
}

// smallCount bounds the counts whose plural form is looked up once, at Load.
const smallCount = 200

// message is a compiled sentence. Without plural forms only plain is set.
type message struct {
	plain *text
	forms map[plural.Form]*text
}

// text is a sentence cut at its parameters: parts[i] stands before args[i], the
// last part closes the sentence.
type text struct {
	parts []string
	args  []string
}

// Load compiles the catalogues in the binary. An error names the file and the
// key; it can only be a mistake in a catalogue.
func Load() (*Catalog, error) {
	sub, err := fs.Sub(files, "catalog")
	if err != nil {
		return nil, fmt.Errorf("i18n: %w", err)
	}
	return LoadFS(sub)
}

// LoadFS compiles the catalogues below fsys, which has one directory for each
// variety. Tests use it; the program calls Load.
func LoadFS(fsys fs.FS) (*Catalog, error) {
	names, err := fs.Glob(fsys, "*/*.json")
	if err != nil {
		return nil, fmt.Errorf("i18n: %w", err)
	}
	c := &Catalog{localizers: map[string]*Localizer{}}
	for _, name := range names {
		variety := path.Dir(name)
		l := c.localizers[variety]
		if l == nil {
			tag, err := language.Parse(strings.TrimSuffix(variety, "-leicht"))
			if err != nil {
				return nil, fmt.Errorf("i18n: variety %s: %w", variety, err)
			}
			l = &Localizer{name: variety, tag: tag, messages: map[string]*message{}}
			for n := range l.small {
				l.small[n] = plural.Cardinal.MatchPlural(tag, n, 0, 0, 0, 0)
			}
			c.localizers[variety] = l
		}
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, fmt.Errorf("i18n: %w", err)
		}
		if err := l.add(data); err != nil {
			return nil, fmt.Errorf("i18n: %s: %w", name, err)
		}
	}
	ref := c.localizers[Reference]
	if ref == nil {
		return nil, fmt.Errorf("i18n: no catalogue for %s", Reference)
	}
	for name, l := range c.localizers {
		if l != ref {
			l.fallback = ref
		}
		if len(c.Problems(name)) == 0 {
			c.languages = append(c.languages, name)
		}
	}
	slices.SortFunc(c.languages, func(a, b string) int {
		if (a == Reference) != (b == Reference) {
			if a == Reference {
				return -1
			}
			return 1
		}
		return cmp.Compare(a, b)
	})
	return c, nil
}

func (l *Localizer) add(data []byte) error {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	for key, value := range raw {
		if l.messages[key] != nil {
			return fmt.Errorf("key %s stands in two files", key)
		}
		m, err := compile(value)
		if err != nil {
			return fmt.Errorf("key %s: %w", key, err)
		}
		l.messages[key] = m
	}
	return nil
}

var formNames = map[string]plural.Form{
	"zero": plural.Zero, "one": plural.One, "two": plural.Two,
	"few": plural.Few, "many": plural.Many, "other": plural.Other,
}

func compile(value json.RawMessage) (*message, error) {
	var plain string
	if json.Unmarshal(value, &plain) == nil {
		t, err := cut(plain)
		return &message{plain: t}, err
	}
	var forms map[string]string
	if err := json.Unmarshal(value, &forms); err != nil {
		return nil, fmt.Errorf("neither a sentence nor plural forms")
	}
	m := &message{forms: map[plural.Form]*text{}}
	for name, s := range forms {
		form, ok := formNames[name]
		if !ok {
			return nil, fmt.Errorf("unknown plural form %q", name)
		}
		t, err := cut(s)
		if err != nil {
			return nil, err
		}
		m.forms[form] = t
	}
	if m.forms[plural.Other] == nil {
		return nil, fmt.Errorf("no plural form \"other\"")
	}
	return m, nil
}

func cut(s string) (*text, error) {
	if strings.TrimSpace(s) == "" {
		return nil, fmt.Errorf("empty sentence")
	}
	t := &text{}
	for {
		before, rest, found := strings.Cut(s, "{")
		if strings.Contains(before, "}") {
			return nil, fmt.Errorf("brace closed but not opened")
		}
		t.parts = append(t.parts, before)
		if !found {
			return t, nil
		}
		name, after, found := strings.Cut(rest, "}")
		if !found || name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
			return nil, fmt.Errorf("malformed parameter {%s", name)
		}
		t.args = append(t.args, name)
		s = after
	}
}

// Params returns the names of the parameters of key in the reference, sorted,
// and whether the key exists. A sentence with plural forms always has n.
func (c *Catalog) Params(key string) ([]string, bool) {
	m := c.localizers[Reference].messages[key]
	if m == nil {
		return nil, false
	}
	return m.params(), true
}

func (m *message) params() []string {
	set := map[string]bool{}
	if m.plain != nil {
		for _, a := range m.plain.args {
			set[a] = true
		}
	} else {
		set["n"] = true
	}
	for _, t := range m.forms {
		for _, a := range t.args {
			set[a] = true
		}
	}
	return slices.Sorted(maps.Keys(set))
}

// Keys returns all keys of the reference, sorted.
func (c *Catalog) Keys() []string {
	return slices.Sorted(maps.Keys(c.localizers[Reference].messages))
}

// Languages returns the complete varieties, the reference first.
func (c *Catalog) Languages() []string { return slices.Clone(c.languages) }

// Has reports whether lang is a complete variety.
func (c *Catalog) Has(lang string) bool { return slices.Contains(c.languages, lang) }

// Localizer returns the variety lang, or the reference if lang is unknown or
// incomplete.
func (c *Catalog) Localizer(lang string) *Localizer {
	if c.Has(lang) {
		return c.localizers[lang]
	}
	return c.localizers[Reference]
}

// Problems lists what keeps the variety from being offered: missing keys, keys
// the reference does not have, other parameters. It is nil for the reference.
func (c *Catalog) Problems(lang string) []string {
	ref, l := c.localizers[Reference], c.localizers[lang]
	if l == nil {
		return []string{"no catalogue"}
	}
	var out []string
	for key, want := range ref.messages {
		got := l.messages[key]
		switch {
		case got == nil:
			out = append(out, key+": missing")
		case !slices.Equal(got.params(), want.params()):
			out = append(out, fmt.Sprintf("%s: parameters %v, want %v", key, got.params(), want.params()))
		case (got.forms == nil) != (want.forms == nil):
			out = append(out, key+": plural forms in one variety only")
		}
	}
	for key := range l.messages {
		if ref.messages[key] == nil {
			out = append(out, key+": not in the reference")
		}
	}
	slices.Sort(out)
	return out
}

type ctxKey struct{}

// With returns a context whose sentences come from l.
func With(ctx context.Context, l *Localizer) context.Context {
	return context.WithValue(ctx, ctxKey{}, l)
}

// standard is the catalogue of the binary.
var standard = sync.OnceValue(func() *Catalog {
	c, err := Load()
	if err != nil {
		panic(err) // the catalogues are part of the binary
	}
	return c
})

// In returns a context whose sentences come from the variety lang of the
// binary, the reference if lang is empty or unknown: for what is written
// without a request, such as a mail.
func In(ctx context.Context, lang string) context.Context {
	return With(ctx, standard().Localizer(lang))
}

func from(ctx context.Context) *Localizer {
	if l, ok := ctx.Value(ctxKey{}).(*Localizer); ok {
		return l
	}
	return standard().Localizer(Reference)
}

// Lang returns the variety of ctx: "de", "en", …; without one it is "de".
func Lang(ctx context.Context) string {
	if l, ok := ctx.Value(ctxKey{}).(*Localizer); ok {
		return l.name
	}
	return Reference
}

// T returns the sentence for key in the language of ctx. Args alternate
// parameter name and value. Values may be strings, fmt.Stringers and integers;
// integers are written with the separators of the language, so pass a year or
// a postcode as a string. A sentence with plural forms counts the value of
// "n".
func T(ctx context.Context, key string, args ...any) string {
	return from(ctx).T(key, args...)
}

// Lang returns the name of the variety.
func (l *Localizer) Lang() string { return l.name }

// T is the function T for one variety.
func (l *Localizer) T(key string, args ...any) string {
	m := l.messages[key]
	if m == nil {
		if l.fallback != nil {
			return l.fallback.T(key, args...)
		}
		return MarkOpen + key + MarkClose
	}
	t := m.plain
	if t == nil {
		t = m.forms[l.form(value(args, "n"))]
		if t == nil {
			t = m.forms[plural.Other]
		}
	}
	if len(t.args) == 0 {
		return t.parts[0]
	}
	var b strings.Builder
	for i, name := range t.args {
		b.WriteString(t.parts[i])
		l.write(&b, name, value(args, name))
	}
	b.WriteString(t.parts[len(t.args)])
	return b.String()
}

func value(args []any, name string) any {
	for i := 0; i+1 < len(args); i += 2 {
		if args[i] == name {
			return args[i+1]
		}
	}
	return nil
}

// form chooses the plural form for a whole number.
func (l *Localizer) form(n any) plural.Form {
	i, ok := integer(n)
	if !ok {
		return plural.Other
	}
	if i < 0 {
		i = -i
	}
	if i < smallCount {
		return l.small[i]
	}
	// Six digits decide in every language; more could overflow the rules.
	if i >= 1e6 {
		i = i%1e6 + 1e6
	}
	return plural.Cardinal.MatchPlural(l.tag, int(i), 0, 0, 0, 0)
}

func integer(v any) (int64, bool) {
	switch v := v.(type) {
	case int:
		return int64(v), true
	case int64:
		return v, true
	case int32:
		return int64(v), true
	case uint8:
		return int64(v), true
	case uint32:
		return int64(v), true
	case uint64:
		return int64(v), v < 1<<63
	}
	return 0, false
}

func (l *Localizer) write(b *strings.Builder, name string, v any) {
	switch v := v.(type) {
	case nil:
		b.WriteString(MarkOpen + "{" + name + "}" + MarkClose)
	case string:
		b.WriteString(v)
	case fmt.Stringer:
		b.WriteString(v.String())
	case float64:
		b.WriteString(l.decimal(strconv.FormatFloat(v, 'f', -1, 64)))
	default:
		if i, ok := integer(v); ok {
			b.WriteString(l.number(i))
			return
		}
		fmt.Fprint(b, v)
	}
}
