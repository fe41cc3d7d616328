package notice

import (
	"context"
	"net/http"
	"strings"
	"time"

	"poststelle/internal/i18n"
	"poststelle/internal/personal"
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

// table is the registry in words, in its order. Without https a browser is sent
// the names without the prefix "__Host-".
func (n *Notice) table(ctx context.Context, https bool) []cookieRow {
	declared := web.Personal(n.Cookies).Cookies
	var out []cookieRow
	for i, c := range n.Cookies.All() {
		d := declared[i]
		row := cookieRow{
			name: d.Name, class: i18n.T(ctx, classes[c.Class]), purpose: i18n.T(ctx, d.Purpose), lives: lives(ctx, d), values: i18n.T(ctx, d.Values),
		}
		if !https {
			row.name = strings.TrimPrefix(row.name, "__Host-")
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
// that the registry holds, and no others.
func (n *Notice) cookieChapter(ctx context.Context) chapter {
	has := map[web.Class]bool{}
	for _, c := range n.Cookies.All() {
		has[c.Class] = true
	}
	c := chapter{"cookies", i18n.T(ctx, "notice.cookie.title"), nil}
	if len(has) == 0 {
		return c
	}
	c.blocks = append(c.blocks, say(i18n.T(ctx, "notice.cookie.lead")))
	if has[web.Technical] {
		c.blocks = append(c.blocks, block{heading: i18n.T(ctx, "notice.cookie.technical")},
			say(i18n.T(ctx, "notice.cookie.needed")), say(i18n.T(ctx, "notice.cookie.gone")), say(i18n.T(ctx, "notice.cookie.nothing")))
	}
	if has[web.Display] {
		c.blocks = append(c.blocks, block{heading: i18n.T(ctx, "notice.cookie.display")},
			say(i18n.T(ctx, "notice.cookie.state")), say(i18n.T(ctx, "notice.cookie.same")), say(i18n.T(ctx, "notice.cookie.without")))
	}
	if has[web.Objection] {
		c.blocks = append(c.blocks, block{heading: i18n.T(ctx, "notice.cookie.objection")}, say(i18n.T(ctx, "notice.cookie.no")))
	}
	c.blocks = append(c.blocks, block{heading: i18n.T(ctx, "notice.cookie.legal")}, say(i18n.T(ctx, "notice.cookie.consent")),
		block{link: link{"/cookies", i18n.T(ctx, "notice.cookie.all")}})
	return c
}

func (n *Notice) getCookies(w http.ResponseWriter, r *http.Request) error {
	v := cookieView{
		rows:    n.table(r.Context(), secure(web.SiteOf(r.Context()))),
		kept:    len(n.kept(r)) > 0,
		deleted: r.URL.Query().Get("geloescht") == "1",
	}
	return web.Render(w, r, http.StatusOK, web.View{Title: i18n.T(r.Context(), "notice.cookie.title"), Body: cookiePage(v)})
}

// kept are the names of the display cookies that the browser sent, whatever
// their value.
func (n *Notice) kept(r *http.Request) []string {
	var out []string
	for _, in := range r.Cookies() {
		for _, c := range n.Cookies.All() {
			base, family := strings.CutSuffix(c.Name, "*")
			if c.Class == web.Display && (in.Name == base && !family || family && strings.HasPrefix(in.Name, base)) {
				out = append(out, in.Name)
			}
		}
	}
	return out
}

// postForget deletes the display cookies of the browser. A name that only looks
// like one of ours is left to its owner.
func (n *Notice) postForget(w http.ResponseWriter, r *http.Request) error {
	for _, name := range n.kept(r) {
		_ = web.SetCookie(w, r, name, "") // refused when it is not declared
	}
	return web.Redirect(w, r, "/cookies?geloescht=1")
}
