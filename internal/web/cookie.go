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
	// Objection cookies keep a "no" of the person.
	Objection Class = 3
)

// Month is the lifetime of a display cookie that survives the browser.
const Month = 30 * 24 * time.Hour

// Cookie declares a cookie. What is not declared is not set.
type Cookie struct {
	// Name is the name as sent; a name ending in "*" declares a family, one
	// cookie for each state. A technical cookie gets the prefix "__Host-" on
	// https.
	Name string
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
		base := strings.TrimSuffix(c.Name, "*")
		switch {
		case base == "" || strings.Trim(base, "abcdefghijklmnopqrstuvwxyz0123456789_-") != "":
			wrong = "malformed name"
		case seen[c.Name]:
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
		seen[c.Name] = true
	}
	return &Registry{cookies: slices.Clone(cookies)}, nil
}

// All returns the declarations, for the cookie table.
func (g *Registry) All() []Cookie { return slices.Clone(g.cookies) }

// find returns the declaration of name.
func (g *Registry) find(ctx context.Context, name string) (Cookie, bool) {
	for _, c := range g.cookies {
		base, family := strings.CutSuffix(c.Name, "*")
		if !family {
			if c.Name == name {
				return c, true
			}
			continue
		}
		suffix, ok := strings.CutPrefix(name, base)
		if !ok || suffix == "" || len(suffix) > 40 ||
			strings.Trim(suffix, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" {
			continue
		}
		if c.Known == nil || c.Known(ctx, suffix) {
			return c, true
		}
	}
	return Cookie{}, false
}

// sentName is the name on the wire. A browser accepts __Host- only with
// Secure, and Secure only by https; so a demonstration without TLS goes without.
func sentName(c Cookie, name string, secure bool) string {
	if c.Class == Technical && secure {
		return "__Host-" + name
	}
	return name
}

// maxDisplay is how many display cookies a browser may collect from us.
const maxDisplay = 50

// SetCookie sets a declared display or objection cookie to one of its values;
// the empty value deletes it. Anything undeclared is fault.Invalid. Call it only
// in answer to an action of the person.
func SetCookie(w http.ResponseWriter, r *http.Request, name, value string) error {
	sc := scopeOf(r.Context())
	c, ok := sc.rt.cfg.Cookies.find(r.Context(), name)
	if !ok || c.Class == Technical || value != "" && !slices.Contains(c.Values, value) {
		return fmt.Errorf("web: cookie or value not declared: %w", fault.Invalid)
	}
	if _, err := r.Cookie(name); err != nil && len(r.Cookies()) >= maxDisplay {
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
	c, ok := sc.rt.cfg.Cookies.find(r.Context(), name)
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
	out := http.Cookie{Name: sentName(c, name, sc.secure), Value: value, Path: "/", Secure: sc.secure, HttpOnly: true,
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
	in, err := r.Cookie(name)
	if err != nil || in.Value == "" {
		return ""
	}
	c, ok := sc.rt.cfg.Cookies.find(r.Context(), name)
	if !ok || c.Class == Technical || !slices.Contains(c.Values, in.Value) {
		return ""
	}
	return in.Value
}

// SecretValue returns the value of a declared technical cookie, or "".
func SecretValue(r *http.Request, name string) string {
	sc := scopeOf(r.Context())
	c, ok := sc.rt.cfg.Cookies.find(r.Context(), name)
	if !ok || c.Class != Technical {
		return ""
	}
	in, err := r.Cookie(sentName(c, name, sc.secure))
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
		if _, ok := sc.rt.cfg.Cookies.find(r.Context(), strings.TrimPrefix(in.Name, "__Host-")); ok {
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
	if c, ok := sc.rt.cfg.Cookies.find(r.Context(), name); !ok || c.Class != Display {
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
