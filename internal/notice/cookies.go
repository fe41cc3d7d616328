package notice

import (
	"context"
	"net/http"
	"strings"
	"time"

	"poststelle/internal/i18n"
	"poststelle/internal/personal"
	"poststelle/internal/tenant"
	"poststelle/internal/web"
)

// classes are the classes of cookies in words.
var classes = map[web.Class]string{
	web.Technical: "notice.cookie.technical",
	web.Display:   "notice.cookie.display",
	web.Objection: "notice.cookie.objection",
}

// cookieRow is a line of the cookie table.
type cookieRow struct{ name, class, purpose, lives, values string }

// table is the registry of a kind of site in words, in its order, under the
// names that a browser is sent.
func (n *Notice) table(ctx context.Context, site web.Site) []cookieRow {
	var out []cookieRow
	for _, c := range n.Cookies.For(site.Kind) {
		d := c.Declaration()
		row := cookieRow{
			name: c.SentName(secure(site)), class: i18n.T(ctx, classes[c.Class]), purpose: i18n.T(ctx, d.Purpose), lives: lives(ctx, d), values: i18n.T(ctx, d.Values),
		}
		if len(c.Values) > 0 {
			row.values = i18n.T(ctx, "notice.cookie.words", "sentence", row.values, "words", strings.Join(c.Values, ", "))
		}
		out = append(out, row)
	}
	return out
}

func lives(ctx context.Context, c personal.Cookie) string {
	if c.Lifetime == 0 {
		return i18n.T(ctx, "notice.cookie.session")
	}
	return i18n.T(ctx, "notice.cookie.days", "n", int(c.Lifetime/(24*time.Hour)))
}

// cookieChapter is what the notice says of cookies (A25 to A44): the classes
// that the registry holds for the kind of site, and no others.
func (n *Notice) cookieChapter(ctx context.Context, t *tenant.Tenant, https bool) chapter {
	has, names := map[web.Class]bool{}, map[web.Class][]string{}
	for _, c := range n.Cookies.For(string(t.Kind)) {
		has[c.Class] = true
		names[c.Class] = append(names[c.Class], c.SentName(https))
	}
	named := func(class web.Class) block {
		return say(i18n.T(ctx, "notice.cookie.names", "names", strings.Join(names[class], ", ")))
	}
	c := chapter{"cookies", i18n.T(ctx, "notice.cookie.title"), nil}
	if len(has) == 0 {
		return c
	}
	c.blocks = append(c.blocks, say(i18n.T(ctx, "notice.cookie.lead")))
	if has[web.Technical] {
		c.blocks = append(c.blocks, block{heading: i18n.T(ctx, "notice.cookie.technical")},
			say(i18n.T(ctx, "notice.cookie.needed")), say(i18n.T(ctx, "notice.cookie.gone")), say(i18n.T(ctx, "notice.cookie.nothing")), named(web.Technical))
	}
	if has[web.Display] {
		c.blocks = append(c.blocks, block{heading: i18n.T(ctx, "notice.cookie.display")},
			say(i18n.T(ctx, "notice.cookie.state")), say(i18n.T(ctx, "notice.cookie.same")), say(i18n.T(ctx, "notice.cookie.without")), named(web.Display))
	}
	if has[web.Objection] {
		c.blocks = append(c.blocks, block{heading: i18n.T(ctx, "notice.cookie.objection")}, say(i18n.T(ctx, "notice.cookie.no")), named(web.Objection))
	}
	c.blocks = append(c.blocks, block{heading: i18n.T(ctx, "notice.cookie.legal")}, say(i18n.T(ctx, "notice.cookie.consent")),
		block{link: link{"/cookies", i18n.T(ctx, "notice.cookie.all")}})
	return c
}

func (n *Notice) getCookies(w http.ResponseWriter, r *http.Request) error {
	v := cookieView{
		rows:    n.table(r.Context(), web.SiteOf(r.Context())),
		kept:    len(web.DisplayCookies(r)) > 0,
		deleted: r.URL.Query().Get("geloescht") == "1",
	}
	return web.Render(w, r, http.StatusOK, web.View{Title: i18n.T(r.Context(), "notice.cookie.title"), Body: cookiePage(v)})
}

// postForget deletes the display cookies of the browser. A name that only looks
// like one of ours is left to its owner.
func (n *Notice) postForget(w http.ResponseWriter, r *http.Request) error {
	for _, name := range web.DisplayCookies(r) {
		_ = web.SetCookie(w, r, name, "") // refused when it is not declared
	}
	return web.Redirect(w, r, "/cookies?geloescht=1")
}
