package mailbox

import (
	"context"
	"net/http"
	"time"

	"poststelle/internal/account"
	"poststelle/internal/fault"
	"poststelle/internal/i18n"
	"poststelle/internal/tenant"
	"poststelle/internal/web"
	"poststelle/internal/web/ui"
)

// norms are legal bases that the form of an exception offers.
func norms() []string {
	return []string{"§ 147 AO", "§ 257 HGB", "§ 3 LArchG BW", "Art. 17 Abs. 3 DSGVO"}
}

// staffText says to the office what becomes of a thread.
func (f fate) staffText(ctx context.Context, registered bool) (out []string) {
	if f.Except != (exception{}) {
		out = append(out, i18n.T(ctx, "mailbox.staff.except.text", "norm", f.Except.Norm, "date", i18n.Date(ctx, f.Except.Until)))
	}
	switch {
	case f.Days > 0 && !f.Due.IsZero():
		out = append(out, i18n.T(ctx, "mailbox.staff.retention.due", "date", i18n.Date(ctx, f.Due)))
	case f.Days > 0:
		out = append(out, i18n.T(ctx, "mailbox.staff.retention.rule", "n", f.Days))
	case registered:
		out = append(out, i18n.T(ctx, "mailbox.staff.retention.account"))
	default:
		out = append(out, i18n.T(ctx, "mailbox.staff.retention.text"))
	}
	return out
}

// holdView is the page on which an exception is made, changed or ended.
type holdView struct {
	ID, Number string
	Norm, Day  ui.Input
	Norms      []string
	Now        []string // what becomes of the thread as it is
	Excepted   bool
	Errors     []ui.FieldError
}

// holdForm is what its form carried.
type holdForm struct {
	Norm, Until string
	Wrong       fieldErrors
}

func holdPath(id string) string { return casePath(id) + "/aufbewahren" }

func (s *Service) getHold(w http.ResponseWriter, r *http.Request, who account.Actor) error {
	return s.showHold(w, r, who, http.StatusOK, holdForm{})
}

func (s *Service) showHold(w http.ResponseWriter, r *http.Request, who account.Actor, status int, form holdForm) error {
	t, err := s.tenantOf(r)
	if err != nil {
		return err
	}
	th, err := s.head(r.Context(), who, r.PathValue("id"))
	if err != nil {
		return err
	}
	v := s.holdView(r, t, th, form, status == http.StatusOK)
	return web.Render(w, r, status, web.View{
		Title: i18n.T(r.Context(), "mailbox.staff.except.title"), Body: holdPage(v), Errors: len(form.Wrong), Staff: true, Narrow: true, Section: "inbox",
	})
}

func (s *Service) holdView(r *http.Request, t *tenant.Tenant, th thread, form holdForm, fresh bool) holdView {
	ctx := r.Context()
	box, _ := t.Mailbox(th.Mailbox)
	f := s.fateOfThread(ctx, box, th)
	v := holdView{
		ID: th.ID, Number: th.Number, Now: f.staffText(ctx, th.Registered), Excepted: f.Except != (exception{}), Norms: norms(), Errors: form.Wrong.summary(r),
	}
	if fresh && v.Excepted {
		form.Norm, form.Until = f.Except.Norm, f.Except.Until.Format(time.DateOnly)
	}
	v.Norm = ui.Input{
		Name: "norm", Label: i18n.T(ctx, "mailbox.staff.except.norm"), Hint: i18n.T(ctx, "mailbox.staff.except.norm.hint"), Max: maxNorm,
		Value: form.Norm, Error: form.Wrong.of(r, "norm"), Attrs: map[string]any{"list": "normen"},
	}
	v.Day = ui.Input{
		Name: "bis", Type: "date", Narrow: true, Label: i18n.T(ctx, "mailbox.staff.except.until"), Hint: i18n.T(ctx, "mailbox.staff.except.until.hint", "n", maxExceptYear),
		Value: form.Until, Error: form.Wrong.of(r, "bis"),
	}
	return v
}

func (s *Service) postHold(w http.ResponseWriter, r *http.Request, who account.Actor) error {
	form, err := web.Form(r)
	if form == nil {
		return err
	}
	if form.Get("aktion") == "aufheben" {
		return s.act(w, r, "aufgehoben", func(id string) error { return s.except(r.Context(), who, id, exception{}) })
	}
	in := holdForm{Norm: form.Get("norm"), Until: form.Get("bis")}
	e, wrong := checkException(in.Norm, in.Until, s.Now())
	if in.Wrong = fieldErrors(fault.FieldsOf(err)).with(wrong...); len(in.Wrong) > 0 {
		return s.showHold(w, r, who, http.StatusUnprocessableEntity, in)
	}
	return s.act(w, r, "aufbewahrt", func(id string) error { return s.except(r.Context(), who, id, e) })
}
