package web

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"poststelle/internal/fault"
)

// Class sorts cookies by why they may be set without consent (§ 25(2) TDDDG).
type Class uint8

// The classes.
const (
	// Technical cookies carry a session: random value, gone when the browser
	// closes.
	Technical Class = 1
	// Display cookies keep how something is shown: set only by an action of
	// the person, one word of a list that is the same for everybody.
	Display Class = 2
	// Objection cookies keep the person's yes or no to the statistics of a
	// website: one word, on the kinds of site that are named.
	Objection Class = 3
)

// Month is the lifetime of a display cookie that survives the browser.
const Month = 30 * 24 * time.Hour

// Cookie declares a cookie. What is not declared is not set.
type Cookie struct {
	// Name is the name by which the program speaks of it; a name ending in "*"
	// declares a family, one cookie for each state.
	Name string
	// Wire is the name as sent, if it is another one: for an installation that
	// takes the place of another one. A family stays a family. Without it the
	// cookie is sent under Name, and a technical one gets the prefix "__Host-"
	// on https, which a foreign name cannot have.
	Wire string
	// Kinds are the kinds of site (Site.Kind) that may set it; none for all. An
	// Objection cookie names its kinds.
	Kinds []string
	// Class decides what is allowed.
	Class Class
	// Purpose is the i18n key of the sentence for the cookie table.
	Purpose string
	// Lifetime is zero for "until the browser closes".
	Lifetime time.Duration
	// Values are all values it may have; none for a random one (Technical).
	Values []string
	// Strict sets SameSite=Strict in place of Lax.
	Strict bool
	// Known tells which members a family has; nil takes any suffix of letters,
	// digits, - and _ up to 40 characters. The suffix must not tell persons
	// apart.
	Known func(ctx context.Context, suffix string) bool
}

// SessionCookie is the name of the session cookie, without "__Host-".
const SessionCookie = "ps_sitzung"

// OwnCookies are the cookies that package web itself needs declared.
func OwnCookies() []Cookie {
	return []Cookie{
		{Name: SessionCookie, Class: Technical, Purpose: "web.cookie.session"},
		{Name: "ps_hilfe_*", Class: Display, Purpose: "web.cookie.help", Values: []string{"auf", "zu"}},
		{Name: "ps_meldung_*", Class: Display, Purpose: "web.cookie.banner", Values: []string{"zu"}, Lifetime: Month},
		{Name: "ps_darstellung", Class: Display, Purpose: "web.cookie.theme", Values: []string{"hell", "dunkel", "system"}, Lifetime: Month},
	}
}

// legacyNames are names under which the notice of the replaced program announces
// its cookies (A35, A41); the other names there stand for cookies that are not
// set here.
var legacyNames = map[string]string{
	SessionCookie:    "JSESSIONIDSSO",
	"ps_hilfe_*":     "IFP_hilfe_*",
	"ps_meldung_*":   "IFP_meldung_*",
	"ps_darstellung": "IFP_darstellung",
}

// LegacyNames returns declarations whose cookies are sent under the names of the
// program that is replaced, where it has one.
func LegacyNames(cookies []Cookie) []Cookie {
	out := slices.Clone(cookies)
	for i, c := range out {
		out[i].Wire = legacyNames[c.Name]
	}
	return out
}

// Registry holds the declared cookies and is the only way to set one: a
// Set-Cookie header that does not come from it is removed from the response and
// logged.
type Registry struct {
	cookies []Cookie
}

// NewRegistry checks the declarations. The list should begin with OwnCookies.
func NewRegistry(cookies ...Cookie) (*Registry, error) {
	seen := map[string]bool{}
	for _, c := range cookies {
		var wrong string
		base, wire := strings.TrimSuffix(c.Name, "*"), c.wire()
		switch {
		case base == "" || strings.Trim(base, "abcdefghijklmnopqrstuvwxyz0123456789_-") != "":
			wrong = "malformed name"
		case strings.Trim(strings.TrimSuffix(wire, "*"), nameLetters) != "" || strings.HasSuffix(wire, "*") != (base != c.Name) || wire == "*":
			wrong = "malformed name on the wire"
		case seen[c.Name] || seen["wire "+wire]:
			wrong = "declared twice"
		case c.Purpose == "":
			wrong = "no purpose"
		case c.Class == Technical && (c.Lifetime != 0 || len(c.Values) > 0 || base != c.Name):
			wrong = "a technical cookie is one random value and ends with the browser"
		case (c.Class == Display || c.Class == Objection) && len(c.Values) == 0:
			wrong = "no list of values"
		case c.Class == Display && c.Lifetime != 0 && c.Lifetime != Month:
			wrong = "lifetime is neither session nor 30 days"
		case c.Class == Objection && c.Lifetime > 366*24*time.Hour:
			wrong = "lifetime over a year"
		case c.Class == Objection && len(c.Kinds) == 0:
			wrong = "an objection cookie names the kinds of site that set it"
		case c.Class < Technical || c.Class > Objection:
			wrong = "no class"
		case c.Lifetime < 0:
			wrong = "negative lifetime"
		}
		for _, v := range c.Values {
			if v == "" || len(v) > 20 || strings.Trim(v, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
				wrong = "value is not one short word"
			}
		}
		if wrong != "" {
			return nil, fmt.Errorf("web: cookie %s: %s", c.Name, wrong)
		}
		seen[c.Name], seen["wire "+wire] = true, true
	}
	return &Registry{cookies: slices.Clone(cookies)}, nil
}

// nameLetters are the characters of a name as sent (RFC 6265 allows more).
const nameLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

// All returns the declarations, those of all kinds of site.
func (g *Registry) All() []Cookie { return slices.Clone(g.cookies) }

// For returns the declarations for one kind of site, for its cookie table.
func (g *Registry) For(kind string) []Cookie {
	return slices.DeleteFunc(g.All(), func(c Cookie) bool { return !c.on(kind) })
}

// on tells whether a kind of site may set the cookie.
func (c Cookie) on(kind string) bool { return len(c.Kinds) == 0 || slices.Contains(c.Kinds, kind) }

// find returns the declaration of name for a kind of site.
func (g *Registry) find(ctx context.Context, kind, name string) (Cookie, bool) {
	for _, c := range g.cookies {
		if !c.on(kind) {
			continue
		}
		base, family := strings.CutSuffix(c.Name, "*")
		if !family {
			if c.Name == name {
				return c, true
			}
			continue
		}
		suffix, ok := strings.CutPrefix(name, base)
		if !ok || suffix == "" || len(suffix) > 40 || strings.Trim(suffix, nameLetters) != "" {
			continue
		}
		if c.Known == nil || c.Known(ctx, suffix) {
			return c, true
		}
	}
	return Cookie{}, false
}

// sent returns the declaration of a cookie that a browser sent, and its name.
func (g *Registry) sent(ctx context.Context, kind, wire string, secure bool) (c Cookie, name string, ok bool) {
	for _, c := range g.cookies {
		base, family := strings.CutSuffix(c.Name, "*")
		start, _ := strings.CutSuffix(c.wireName(c.Name, secure), "*")
		suffix, found := strings.CutPrefix(wire, start)
		if !found || !family && suffix != "" {
			continue
		}
		if _, ok := g.find(ctx, kind, base+suffix); ok {
			return c, base + suffix, true
		}
	}
	return Cookie{}, "", false
}

func (c Cookie) wire() string {
	if c.Wire != "" {
		return c.Wire
	}
	return c.Name
}

// wireName is a name of the declaration as sent. A browser accepts __Host- only
// with Secure, and Secure only by https; so a demonstration without TLS goes
// without.
func (c Cookie) wireName(name string, secure bool) string {
	if c.Wire != "" {
		base, wire := strings.TrimSuffix(c.Name, "*"), strings.TrimSuffix(c.Wire, "*")
		return wire + strings.TrimPrefix(name, base)
	}
	if c.Class == Technical && secure {
		return "__Host-" + name
	}
	return name
}

// SentName is the name, or the pattern of names, that browsers on https or
// without it are sent.
func (c Cookie) SentName(https bool) string { return c.wireName(c.Name, https) }

// DisplayCookies returns the names of the declared display cookies that the
// browser sent, whatever their value, for SetCookie.
func DisplayCookies(r *http.Request) []string {
	sc := scopeOf(r.Context())
	var out []string
	for _, in := range r.Cookies() {
		c, name, ok := sc.rt.cfg.Cookies.sent(r.Context(), sc.site.Kind, in.Name, sc.secure)
		if ok && c.Class == Display && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// maxDisplay is how many display cookies a browser may collect from us.
const maxDisplay = 50

// SetCookie sets a declared display or objection cookie to one of its values;
// the empty value deletes it. Anything undeclared is fault.Invalid. Call it only
// in answer to an action of the person.
func SetCookie(w http.ResponseWriter, r *http.Request, name, value string) error {
	sc := scopeOf(r.Context())
	c, ok := sc.rt.cfg.Cookies.find(r.Context(), sc.site.Kind, name)
	if !ok || c.Class == Technical || value != "" && !slices.Contains(c.Values, value) {
		return fmt.Errorf("web: cookie or value not declared: %w", fault.Invalid)
	}
	if _, err := r.Cookie(c.wireName(name, sc.secure)); err != nil && len(r.Cookies()) >= maxDisplay {
		return fmt.Errorf("web: too many cookies: %w", fault.Invalid)
	}
	life := c.Lifetime
	if value == "" {
		life = -1
	}
	sc.setCookie(w, c, name, value, life)
	return nil
}

// SetSecret sets a declared technical cookie to a random value that the caller
// keeps (a hash of). The empty value deletes it.
func SetSecret(w http.ResponseWriter, r *http.Request, name, value string) error {
	sc := scopeOf(r.Context())
	c, ok := sc.rt.cfg.Cookies.find(r.Context(), sc.site.Kind, name)
	if !ok || c.Class != Technical {
		return fmt.Errorf("web: no technical cookie of that name declared")
	}
	if value != "" && (len(value) < 22 || strings.Trim(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "") {
		return fmt.Errorf("web: technical cookie %s is not random text", name)
	}
	life := time.Duration(0)
	if value == "" {
		life = -1
	}
	sc.setCookie(w, c, name, value, life)
	return nil
}

func (sc *scope) setCookie(w http.ResponseWriter, c Cookie, name, value string, life time.Duration) {
	out := http.Cookie{Name: c.wireName(name, sc.secure), Value: value, Path: "/", Secure: sc.secure, HttpOnly: true,
		SameSite: http.SameSiteLaxMode}
	if c.Strict {
		out.SameSite = http.SameSiteStrictMode
	}
	switch {
	case life < 0:
		out.MaxAge = -1
	case life > 0:
		out.MaxAge = int(life / time.Second)
	}
	line := out.String()
	// The last value wins; two lines for one name confuse browsers.
	prefix := out.Name + "="
	sc.cookies = slices.DeleteFunc(sc.cookies, func(l string) bool { return strings.HasPrefix(l, prefix) })
	kept := slices.DeleteFunc(slices.Clone(w.Header().Values("Set-Cookie")), func(l string) bool { return strings.HasPrefix(l, prefix) })
	w.Header().Del("Set-Cookie")
	for _, l := range append(kept, line) {
		w.Header().Add("Set-Cookie", l)
	}
	sc.cookies = append(sc.cookies, line)
}

// CookieValue returns the value of a declared display or objection cookie, or
// "" if the browser sent none or one that is not in the list.
func CookieValue(r *http.Request, name string) string {
	sc := scopeOf(r.Context())
	c, ok := sc.rt.cfg.Cookies.find(r.Context(), sc.site.Kind, name)
	if !ok || c.Class == Technical {
		return ""
	}
	in, err := r.Cookie(c.wireName(name, sc.secure))
	if err != nil || !slices.Contains(c.Values, in.Value) {
		return ""
	}
	return in.Value
}

// SecretValue returns the value of a declared technical cookie, or "".
func SecretValue(r *http.Request, name string) string {
	sc := scopeOf(r.Context())
	c, ok := sc.rt.cfg.Cookies.find(r.Context(), sc.site.Kind, name)
	if !ok || c.Class != Technical {
		return ""
	}
	in, err := r.Cookie(c.wireName(name, sc.secure))
	if err != nil {
		return ""
	}
	return in.Value
}

// DisplayState returns a kept display state by its name without "ps_":
// "hilfe_betreff", "meldung_<id>", "darstellung"; "" if none is kept.
func DisplayState(r *http.Request, name string) string { return CookieValue(r, "ps_"+name) }

// anyOwnCookie reports whether the browser keeps cookies of ours.
func (sc *scope) anyOwnCookie(r *http.Request) bool {
	for _, in := range r.Cookies() {
		if _, _, ok := sc.rt.cfg.Cookies.sent(r.Context(), sc.site.Kind, in.Name, sc.secure); ok {
			return true
		}
	}
	return false
}

// postDisplay sets a display cookie (fields name, value) and leads back to the
// field back, a local path. Without back it answers 204, for a script. An empty
// value forgets the state.
func postDisplay(w http.ResponseWriter, r *http.Request) error {
	form, err := Form(r)
	if err != nil {
		return err
	}
	name := "ps_" + strings.TrimPrefix(form.Get("name"), "ps_")
	sc := scopeOf(r.Context())
	if c, ok := sc.rt.cfg.Cookies.find(r.Context(), sc.site.Kind, name); !ok || c.Class != Display {
		return fmt.Errorf("web: no such display state: %w", fault.Invalid)
	}
	if err := SetCookie(w, r, name, form.Get("value")); err != nil {
		return err
	}
	back := form.Get("back")
	if back == "" {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	if _, ok := LocalPath(back); !ok {
		back = "/"
	}
	return Redirect(w, r, back)
}
