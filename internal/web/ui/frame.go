package ui

import (
	"context"
	"io"
	"time"

	"github.com/a-h/templ"
	"poststelle/internal/i18n"
)

// Frame is everything around a page, the same for all pages of a request.
type Frame struct {
	Lang string // "de" or "en"; the lang attribute
	Path string // address of this page without locale prefix, with query
	Now  time.Time

	TenantName  string // "Stadt Musterstadt"
	ProductName string // "Digitale Poststelle"; the name beside the crest
	Sub         string // line under the product name; TenantName unless set
	HomeHref    string // "/" unless set
	Crest       string // address of the tenant's crest; the product's mark when empty
	TenantCSS   string // address of the tenant's stylesheet (colour tokens); "" for none

	Nav         []NavItem
	TopLinks    []NavItem // right end of the top bar, before the language: Leichte Sprache, keyboard list
	FooterLinks []NavItem
	Address     string
	Banners     []Banner
	Theme       string // "hell", "dunkel" or "" (system)
	AltLangHref string // this page in the other language, complete with prefix; "" hides the switch
	Demo        string // notice of a demonstration, shown above everything; "" for none

	Staff      bool   // wide container, staff wording, keys
	UserName   string // signed-in person; "" for none
	SignOut    string // POST address that ends the session; "" hides the button
	KeysOff    bool   // staff: single-letter keys switched off by the person
	AssetHref  func(name string) string
	Display    func(name string) string
	SessionEnd time.Duration // until the session ends without a request; 0 = no session, no warning
}

// NavItem is a link of a navigation.
type NavItem struct {
	Href, Label string
	Icon        string // name in the sprite, "" for none
	Current     bool   // this page
	Count       int    // 0 shows none
	CountLabel  string // words before the number for screen readers ("ungelesen:")
	Quiet       bool   // counter without emphasis
	Lang        string // language of the label, when it is another one
	Attrs       templ.Attributes
}

// Banner is a system message. Hiding it posts name, value and back to /anzeige; showing it again posts no value.
type Banner struct {
	Name, Value string // display state that hides it: "meldung_wartung-11", "zu"; no button when Name is empty
	Title, Text string
	Warning     bool
	Closed      bool // the person has hidden it: one line is left to show it again
}

// View is one page. Title is the text of the h1 without product name; the page writes the h1 itself.
type View struct {
	Title   string
	Body    templ.Component
	Errors  int    // number of field errors: the title then begins with "Fehler:"
	Narrow  bool   // staff pages that are forms: citizen width
	FocusH1 bool   // the h1 takes the focus: after the assistant moved on, after sending
	NoIndex bool   // not for search engines
	Print   string // class on body for print layouts: "brief" or ""
}

// Layout is the whole page. It reads the CSP nonce that templ.WithNonce put into the context.
func Layout(f Frame, v View) templ.Component {
	return templ.ComponentFunc(func(ctx context.Context, w io.Writer) error {
		ctx = With(ctx, Kit{Asset: f.AssetHref, Display: f.Display, Now: f.Now, Path: f.Path})
		return page(f, v).Render(ctx, w)
	})
}

func title(ctx context.Context, f Frame, v View) string {
	t := v.Title
	for _, part := range []string{f.ProductName, f.TenantName} {
		if part != "" {
			t += " – " + part
		}
	}
	if v.Errors > 0 {
		t = i18n.T(ctx, "ui.error.prefix") + " " + t
	}
	return t
}

func themeAttr(theme string) string {
	return map[string]string{"hell": "light", "dunkel": "dark"}[theme]
}

// bannerValue is the display state that the button of a banner asks for: hidden,
// or none.
func bannerValue(b Banner) string {
	if b.Closed {
		return ""
	}
	return or(b.Value, "zu")
}
