package mailbox

import (
	"net/http"
	"net/url"
	"strings"

	"poststelle/internal/account"
	"poststelle/internal/i18n"
	"poststelle/internal/tenant"
	"poststelle/internal/web"
	"poststelle/internal/web/ui"
)

// permitsPath is the list of the people whom an office may write to first.
const permitsPath = "/amt/erlaubnisse"

// permitPath is the address of one permission for the staff.
func permitPath(id string) string { return permitsPath + "/" + url.PathEscape(id) }

// permitsView is the staff's list.
type permitsView struct {
	Side  ui.SideSpec
	Boxes []ui.NavItem
	Rows  []permitRow
	Cols  []ui.Col
	Pager ui.PagerSpec
	Done  string
}

type permitRow struct {
	openPermission
	Office string // "" where the person is in one mailbox only
}

// permitsQuery is the address of the list.
func permitsQuery(box tenant.MailboxID, after cursor) string {
	q := url.Values{}
	if box != "" {
		q.Set("postfach", string(box))
	}
	if !after.zero() {
		q.Set("nach", after.String())
	}
	if len(q) == 0 {
		return permitsPath
	}
	return permitsPath + "?" + q.Encode()
}

func (s *Service) getPermits(w http.ResponseWriter, r *http.Request, who account.Actor) error {
	ctx := r.Context()
	t, err := s.tenantOf(r)
	if err != nil {
		return err
	}
	box, after := tenant.MailboxID(r.URL.Query().Get("postfach")), parseCursor(r.URL.Query().Get("nach"))
	page, err := s.permissions(ctx, who, box, after)
	if err != nil {
		return err
	}
	counts, err := s.countAll(ctx, who, who.Mailboxes)
	if err != nil {
		return err
	}
	v := permitsView{Side: sideOf(r, t, who, filter{Order: newestFirst, Size: 25}, counts), Boxes: permitChips(r, t, who, box), Cols: permitCols(r, who)}
	for _, p := range page.Rows {
		row := permitRow{openPermission: p}
		if m, ok := t.Mailbox(p.Mailbox); ok && len(who.Mailboxes) > 1 {
			row.Office = m.Title(i18n.Lang(ctx))
		}
		v.Rows = append(v.Rows, row)
	}
	v.Pager = ui.PagerSpec{Range: i18n.T(ctx, "mailbox.permits.range", "n", len(v.Rows))}
	if !after.zero() {
		v.Pager.First = permitsQuery(box, cursor{})
	}
	if !page.Older.zero() {
		v.Pager.Older = permitsQuery(box, page.Older)
	}
	if r.URL.Query().Get("getan") == "geloescht" {
		v.Done = i18n.T(ctx, "mailbox.permits.dropped")
	}
	return web.Render(w, r, http.StatusOK, web.View{Title: i18n.T(ctx, "mailbox.permits.title"), Body: permitsPageBody(v), Staff: true, Section: "inbox"})
}

func permitChips(r *http.Request, t *tenant.Tenant, who account.Actor, at tenant.MailboxID) (out []ui.NavItem) {
	boxes := boxesOf(t, who)
	if len(boxes) < 2 {
		return nil
	}
	out = append(out, ui.NavItem{Href: permitsPath, Label: i18n.T(r.Context(), "mailbox.staff.side.allboxes"), Current: at == ""})
	for _, m := range boxes {
		out = append(out, ui.NavItem{Href: permitsQuery(m.ID, cursor{}), Label: m.Title(i18n.Lang(r.Context())), Current: at == m.ID})
	}
	return out
}

func permitCols(r *http.Request, who account.Actor) []ui.Col {
	ctx := r.Context()
	cols := []ui.Col{{Label: i18n.T(ctx, "mailbox.permits.name")}, {Label: i18n.T(ctx, "mailbox.permits.reason")}}
	if len(who.Mailboxes) > 1 {
		cols = append(cols, ui.Col{Label: i18n.T(ctx, "mailbox.permits.office")})
	}
	return append(cols, ui.Col{Label: i18n.T(ctx, "mailbox.permits.since")}, ui.Col{Label: i18n.T(ctx, "mailbox.permits.do"), Hidden: true})
}

// dropPermitView asks before a permission is deleted.
type dropPermitView struct{ Action, Name string }

func (s *Service) getDropPermit(w http.ResponseWriter, r *http.Request, who account.Actor) error {
	p, err := s.permitted(r.Context(), who, r.PathValue("id"))
	if err != nil {
		return err
	}
	v := dropPermitView{Action: permitPath(p.ID) + "/loeschen", Name: p.Name}
	return web.Render(w, r, http.StatusOK, web.View{
		Title: i18n.T(r.Context(), "mailbox.permits.drop.title"), Body: dropPermitPage(v), Staff: true, Narrow: true, Section: "inbox",
	})
}

func (s *Service) postDropPermit(w http.ResponseWriter, r *http.Request, who account.Actor) error {
	if err := s.dropPermission(r.Context(), who, r.PathValue("id")); err != nil {
		return err
	}
	return web.Redirect(w, r, permitsPath+"?getan=geloescht")
}

// leftPage is where a clerk goes on whose text was not sent.
func leftPage(r *http.Request) string {
	if strings.Contains(r.Pattern, permitsPath) {
		return permitsPath
	}
	return casePath(r.PathValue("id"))
}
