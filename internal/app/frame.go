package app

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/a-h/templ"

	"poststelle/internal/account"
	"poststelle/internal/i18n"
	"poststelle/internal/tenant"
	"poststelle/internal/web"
	"poststelle/internal/web/ui"
)

// layout puts a page into the frame of the host's tenant. routeOf says whether
// a path has a page.
func (a *App) layout(assets *web.Assets, routeOf func(web.Site, string) string) func(*http.Request, web.View) templ.Component {
	return func(r *http.Request, v web.View) templ.Component {
		if v.Status >= http.StatusBadRequest && staffPath(r) {
			v.Staff = true // an error page does not know where it stands
		}
		f := a.frame(r, v, func(path string) string { return routeOf(web.SiteOf(r.Context()), path) })
		f.AssetHref = assets.Href
		return ui.Layout(f, ui.View{
			Title: v.Title, Body: v.Body, Errors: v.Errors, Narrow: v.Narrow, FocusH1: v.FocusH1, NoIndex: v.NoIndex || v.Staff, Print: v.Print,
		})
	}
}

// staffPath reports whether an address is one of the staff's, whether or not it
// has a page.
func staffPath(r *http.Request) bool {
	return strings.HasPrefix(strings.TrimPrefix(r.URL.Path, "/en"), "/amt/")
}

// errorBody is what an error page says, with a way on. Below /amt/ it is the same
// for everybody who is not signed in, whatever the address names.
func (a *App) errorBody(r *http.Request, e web.ErrorView) templ.Component {
	ctx := r.Context()
	way := ui.Btn{Label: i18n.T(ctx, "app.error.home"), Kind: ui.Secondary, Href: "/"}
	if staffPath(r) {
		who, err := a.Accounts.Actor(r)
		switch {
		case err != nil:
			way.Label, way.Href = i18n.T(ctx, "app.error.signin"), "/amt/anmelden"
		case who.May(account.Readers()...):
			way.Label, way.Href = i18n.T(ctx, "app.error.inbox"), "/amt/eingang"
		default:
			way.Label, way.Href = i18n.T(ctx, "app.error.begin"), account.Landing(who)
		}
	}
	if e.Back != "" {
		way.Label, way.Href = i18n.T(ctx, "web.error.back"), e.Back
	}
	page := ui.ErrorPage(ui.ErrorSpec{Status: strconv.Itoa(e.Status), Title: e.Title, Text: e.Text, ID: e.ID})
	return templ.ComponentFunc(func(ctx context.Context, w io.Writer) error {
		return page.Render(templ.WithChildren(ctx, ui.LinkButton(way)), w)
	})
}

func (a *App) frame(r *http.Request, v web.View, routeOf func(string) string) ui.Frame {
	ctx := r.Context()
	f := ui.Frame{
		Lang: i18n.Lang(ctx), Path: pagePath(r, routeOf), Now: a.Now(), Staff: v.Staff,
		Theme:   themeOf(r),
		Display: func(name string) string { return web.DisplayState(r, name) },
	}
	f.AltLangHref = otherLanguage(f.Lang, f.Path)
	t, ok := a.Directory.ByID(tenant.ID(web.SiteOf(ctx).ID))
	if !ok {
		f.ProductName = i18n.T(ctx, "app.product")
		return f
	}
	f.TenantName = t.Name
	f.Address = strings.TrimPrefix(t.Name+" · "+t.Address.Line(), " · ")
	f.Banners = a.banners(r, t.ID)
	if a.Demo {
		f.Demo = i18n.T(ctx, "app.demo")
	}
	f.FooterLinks = []ui.NavItem{
		{Href: "/impressum", Label: i18n.T(ctx, "app.footer.imprint")},
		{Href: "/datenschutz", Label: i18n.T(ctx, "app.footer.privacy")},
		{Href: "/cookies", Label: i18n.T(ctx, "app.footer.cookies")},
		{Href: "/barrierefreiheit", Label: i18n.T(ctx, "notice.access.title")},
		{Href: "/zugang", Label: i18n.T(ctx, "notice.ways.title")},
		{Href: "/nutzungsbedingungen", Label: i18n.T(ctx, "notice.terms.title")},
		{Href: "/quittung", Label: i18n.T(ctx, "app.footer.receipt")},
	}
	if t.Has(tenant.Newsletter) {
		f.FooterLinks = append(f.FooterLinks, ui.NavItem{Href: "/newsletter", Label: i18n.T(ctx, "newsletter.desk.title"), Current: v.Section == "newsletter"})
	}
	if end, ok := web.SessionEnd(r); ok {
		f.SessionEnd = end.Sub(a.Now())
	}
	if v.Staff {
		a.staffFrame(r, v, &f)
	} else {
		a.citizenFrame(r, v, &f)
	}
	return f
}

func (a *App) citizenFrame(r *http.Request, v web.View, f *ui.Frame) {
	ctx := r.Context()
	f.ProductName = i18n.T(ctx, "app.product")
	f.Sub = i18n.T(ctx, "app.product.of", "tenant", f.TenantName)
	f.Nav = []ui.NavItem{
		{Href: "/nachricht", Label: i18n.T(ctx, "app.nav.write"), Current: v.Section == "write"},
		{Href: "/abholen", Label: i18n.T(ctx, "app.nav.collect"), Current: v.Section == "collect"},
	}
	if t, ok := a.Directory.ByID(tenant.ID(web.SiteOf(ctx).ID)); ok && t.Has(tenant.Blog) {
		f.Nav = append(f.Nav, ui.NavItem{Href: "/aktuelles", Label: i18n.T(ctx, "blog.title"), Current: v.Section == "blog"})
	}
	if !a.Accounts.CitizenHere(r) {
		f.Nav = append(f.Nav, ui.NavItem{Href: "/konto/anmelden", Label: i18n.T(ctx, "app.nav.signin"), Current: v.Section == "account"})
		return
	}
	f.Nav = append(f.Nav,
		ui.NavItem{
			Href: "/postfach", Label: i18n.T(ctx, "app.nav.mailbox"), Current: v.Section == "mailbox", Count: a.unread(r),
			CountLabel: i18n.T(ctx, "mailbox.postfach.unread.count"),
		},
		ui.NavItem{Href: "/konto", Label: i18n.T(ctx, "app.nav.account"), Current: v.Section == "account"},
	)
	f.SignOut = "/konto/abmelden"
}

// unread is how many threads in the citizen's mailbox have something new; 0 when
// that cannot be said: the page itself says what is away.
func (a *App) unread(r *http.Request) int {
	t, ok := a.Directory.ByID(tenant.ID(web.SiteOf(r.Context()).ID))
	who, err := a.Accounts.Citizen(r)
	if err != nil || !ok {
		return 0
	}
	n, err := a.Mailboxes.UnreadCount(r.Context(), who, t)
	if err != nil {
		return 0
	}
	return n
}

func (a *App) staffFrame(r *http.Request, v web.View, f *ui.Frame) {
	ctx := r.Context()
	f.ProductName = i18n.T(ctx, "app.product.staff")
	f.Sub = f.TenantName
	f.HomeHref = "/amt"
	who, err := a.Accounts.Actor(r)
	if err != nil {
		return
	}
	f.UserName, f.SignOut, f.HomeHref = who.Name, "/amt/abmelden", account.Landing(who)
	f.Nav = a.staffNav(r, v, who)
	f.TopLinks = []ui.NavItem{{Href: "/amt/tasten", Label: i18n.T(ctx, "app.nav.keys"), Icon: "keyboard", Attrs: templ.Attributes{"aria-keyshortcuts": "?"}}}
}

// staffNav leads to what the person's role may open, and to nothing else.
func (a *App) staffNav(r *http.Request, v web.View, who account.Actor) (nav []ui.NavItem) {
	ctx := r.Context()
	add := func(section, href, label string, roles ...account.Role) {
		if len(roles) == 0 || who.May(roles...) {
			nav = append(nav, ui.NavItem{Href: href, Label: i18n.T(ctx, label), Current: v.Section == section})
		}
	}
	if who.May(account.Readers()...) {
		fresh, err := a.Mailboxes.NewCount(ctx, who)
		if err != nil {
			fresh = 0 // the page itself says what is away
		}
		add("inbox", "/amt/eingang", "app.nav.inbox")
		nav[0].Count, nav[0].CountLabel = fresh, i18n.T(ctx, "app.nav.fresh")
	}
	add("personal", "/amt/personal", "account.personal.title", account.Admin, account.Lead)
	add("editorial", "/amt/redaktion", "account.editorial.title", account.Editor, account.Admin)
	if t, ok := a.Directory.ByID(who.Tenant); ok && t.Has(tenant.Blog) {
		add("evidence", "/amt/redaktion/nachweise", "blog.evidence.title", account.DPO)
	}
	if t, ok := a.Directory.ByID(who.Tenant); ok && t.Has(tenant.Newsletter) {
		add("website", "/amt/redaktion/newsletter", "newsletter.desk.title", account.Editor, account.Admin)
	}
	add("operate", "/amt/betrieb", "app.operate.title", account.Operator)
	add("protocol", "/amt/protokoll", "account.protocol.title", account.Admin, account.DPO, account.Auditor)
	add("settings", "/amt/einstellungen", "app.nav.settings")
	return nav
}

func (a *App) banners(r *http.Request, id tenant.ID) []ui.Banner {
	lang := i18n.Lang(r.Context())
	var out []ui.Banner
	for _, b := range a.Directory.Banners(id, a.Now()) {
		name := "meldung_" + b.ID
		closed := web.DisplayState(r, name) == "zu"
		out = append(out, ui.Banner{Name: name, Value: "zu", Closed: closed, Title: b.Heading(lang), Text: b.Body(lang), Warning: b.Kind == tenant.Warning})
	}
	return out
}

// pagePath is the address of the page without language prefix, with its query.
// A page that answers a form on an address without a page of its own is that
// of the form, which the browser names as the previous one; so the language
// switch and the buttons of the frame lead to a page that exists.
func pagePath(r *http.Request, routeOf func(string) string) string {
	path := r.URL.Path
	if r.Method == http.MethodPost && routeOf(path) == "" {
		return formPath(r, routeOf)
	}
	if r.URL.RawQuery == "" {
		return path
	}
	return path + "?" + r.URL.RawQuery
}

func formPath(r *http.Request, routeOf func(string) string) string {
	from, err := url.Parse(r.Referer())
	if err != nil || from.Host != r.Host || routeOf(from.Path) == "" {
		return "/"
	}
	path := from.Path
	if rest, ok := strings.CutPrefix(path, "/en"); ok && (rest == "" || rest[0] == '/') {
		path = "/" + strings.TrimPrefix(rest, "/")
	}
	if from.RawQuery != "" {
		path += "?" + from.RawQuery
	}
	if local, ok := web.LocalPath(path); ok {
		return local
	}
	return "/"
}

// otherLanguage is this page in the other language. A page that answered a
// form has no address of its own there; it leads to the form.
func otherLanguage(lang, path string) string {
	if lang == "en" {
		return path
	}
	if path == "/" {
		return "/en"
	}
	return "/en" + path
}

func themeOf(r *http.Request) string {
	if t := web.DisplayState(r, "darstellung"); t != "system" {
		return t
	}
	return ""
}

// siteOf turns a tenant into what package web knows of a host.
func (a *App) siteOf(host string) (web.Site, bool) {
	t, ok := a.Directory.ByHost(host)
	if !ok {
		return web.Site{}, false
	}
	return web.Site{ID: string(t.ID), Kind: string(t.Kind), Name: t.Name, Origin: a.baseURL(t)}, true
}

// hasModule reports whether the tenant of a site has switched a module on.
func (a *App) hasModule(site web.Site, module string) bool {
	t, ok := a.Directory.ByID(tenant.ID(site.ID))
	return ok && t.Has(tenant.Module(module))
}
