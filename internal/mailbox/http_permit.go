package mailbox

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	"poststelle/internal/account"
	"poststelle/internal/fault"
	"poststelle/internal/i18n"
	"poststelle/internal/tenant"
	"poststelle/internal/web"
	"poststelle/internal/web/ui"
)

// ownPermitsPath is the page on which a person allows offices to write first.
const ownPermitsPath = "/postfach/erlauben"

// permitView is that page. Ended and Away say that the sign-in is over, or that
// the vault does not answer: what was typed stays.
type permitView struct {
	Authority, Done string
	Offices         ui.Choice
	Name, Reason    ui.Input
	Own             []ownPermit
	Errors          []ui.FieldError
	Ended, Away     bool
	Busy            bool // too much came from this network
	Cookie          bool // is missing
}

// ownPermit is a permission that the person has given.
type ownPermit struct {
	Action, Authority, Office string
	Name, Reason, Label       string
	Since                     time.Time
}

func (s *Service) getPermit(w http.ResponseWriter, r *http.Request, _ *tenant.Tenant, who account.Citizen) error {
	t, err := s.visited(r)
	if err != nil {
		return err
	}
	v := permitForm(r, t, Permit{}, nil)
	switch r.URL.Query().Get("getan") {
	case "erlaubt":
		v.Done = i18n.T(r.Context(), "mailbox.permit.done")
	case "zurueckgenommen":
		v.Done = i18n.T(r.Context(), "mailbox.permit.back.done")
	}
	return s.showPermit(w, r, t, who, http.StatusOK, v)
}

// postPermit stores a permission. Who is no longer signed in gets back what was
// typed.
func (s *Service) postPermit(w http.ResponseWriter, r *http.Request) error {
	t, err := s.visited(r)
	if err != nil {
		return err
	}
	form, err := web.Form(r)
	if form == nil {
		return err
	}
	in := Permit{
		Mailbox: tenant.MailboxID(form.Get("mailbox")), Name: oneLine(form.Get("name")), Reason: oneLine(form.Get("wofuer")),
	}
	wrong := fieldErrors(fault.FieldsOf(err)).with(in.check(t)...)
	who, err := s.Accounts.Citizen(r)
	if err == nil && len(wrong) > 0 {
		return s.showPermit(w, r, t, who, http.StatusUnprocessableEntity, permitForm(r, t, in, wrong))
	}
	if err == nil && !s.mayWrite(t.ID, web.ClientIP(r.Context())) {
		v := permitForm(r, t, in, nil)
		v.Busy = true
		return s.showPermit(w, r, t, who, http.StatusTooManyRequests, v)
	}
	if err == nil {
		err = s.Permit(r.Context(), t, who, in)
	}
	v := permitForm(r, t, in, nil)
	switch {
	case errors.Is(err, fault.Denied):
		v.Ended, v.Cookie = true, web.SessionState(r) == web.None
		return renderPermit(w, r, http.StatusForbidden, v)
	case errors.Is(err, fault.Unavailable):
		v.Away = true
		return renderPermit(w, r, http.StatusServiceUnavailable, v)
	case err != nil:
		return err
	}
	return web.Redirect(w, r, ownPermitsPath+"?getan=erlaubt")
}

func (s *Service) postTakeBack(w http.ResponseWriter, r *http.Request, t *tenant.Tenant, who account.Citizen) error {
	if err := s.TakeBack(r.Context(), who, s.realmOf(t), r.PathValue("id")); err != nil {
		return collectAway(err)
	}
	return web.Redirect(w, r, ownPermitsPath+"?getan=zurueckgenommen")
}

// showPermit adds to the form what the person has allowed before.
func (s *Service) showPermit(w http.ResponseWriter, r *http.Request, t *tenant.Tenant, who account.Citizen, status int, v permitView) error {
	ctx := r.Context()
	list, err := s.ownPermissions(ctx, who, s.realmOf(t))
	if err != nil {
		return collectAway(err)
	}
	for _, p := range list {
		at, ok := s.Directory.ByID(p.Tenant)
		if !ok {
			continue
		}
		o := ownPermit{
			Action: ownPermitsPath + "/" + url.PathEscape(p.ID) + "/zuruecknehmen", Authority: at.Name, Name: p.Name, Reason: p.Reason, Since: p.Created,
		}
		if box, ok := at.Mailbox(p.Mailbox); ok {
			o.Office = box.Title(i18n.Lang(ctx))
		}
		o.Label = i18n.T(ctx, "mailbox.permit.back.named", "office", o.Office)
		v.Own = append(v.Own, o)
	}
	return renderPermit(w, r, status, v)
}

func renderPermit(w http.ResponseWriter, r *http.Request, status int, v permitView) error {
	return web.Render(w, r, status, web.View{
		Title: i18n.T(r.Context(), "mailbox.permit.title"), Body: permitPage(v), Errors: len(v.Errors), NoIndex: true, Section: "mailbox",
	})
}

func permitForm(r *http.Request, t *tenant.Tenant, in Permit, wrong fieldErrors) permitView {
	ctx := r.Context()
	v := permitView{Authority: t.Name, Errors: wrong.summary(r)}
	v.Offices = ui.Choice{
		Name: "mailbox", Label: i18n.T(ctx, "mailbox.permit.office"), Hint: i18n.T(ctx, "mailbox.permit.office.hint"), Value: string(in.Mailbox),
		Empty: i18n.T(ctx, "mailbox.permit.office.choose"), Error: wrong.of(r, "mailbox"),
	}
	for _, m := range t.Mailboxes {
		v.Offices.Options = append(v.Offices.Options, ui.Option{Value: string(m.ID), Label: m.Title(i18n.Lang(ctx))})
	}
	v.Name = ui.Input{
		Name: "name", Label: i18n.T(ctx, "mailbox.permit.name"), Hint: i18n.T(ctx, "mailbox.permit.name.hint"), Value: in.Name,
		Error: wrong.of(r, "name"), Autocomplete: "name", Max: maxPermitName,
	}
	v.Reason = ui.Input{
		Name: "wofuer", Label: i18n.T(ctx, "mailbox.permit.reason"), Hint: i18n.T(ctx, "mailbox.permit.reason.hint", "n", maxPermitReason), Value: in.Reason,
		Error: wrong.of(r, "wofuer"), Max: maxPermitReason, Optional: true,
	}
	return v
}
