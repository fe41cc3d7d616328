package mailbox

import (
	"fmt"
	"log/slog"
	"net/http"
	"slices"

	"poststelle/internal/fault"
	"poststelle/internal/i18n"
	"poststelle/internal/tenant"
	"poststelle/internal/web"
	"poststelle/internal/web/ui"
)

// Routes registers the pages of the post office: those of citizens and those of
// the staff.
func (s *Service) Routes(rt *web.Router) {
	s.citizenRoutes(rt)
	s.collectRoutes(rt)
	s.postfachRoutes(rt)
	s.staffRoutes(rt)
}

// tenantOf returns the tenant of the request's host. The host was found in the
// same directory a moment ago; a tenant that was removed since is NotFound.
func (s *Service) tenantOf(r *http.Request) (*tenant.Tenant, error) {
	id := tenant.ID(web.SiteOf(r.Context()).ID)
	t, ok := s.Directory.ByID(id)
	if !ok {
		return nil, fmt.Errorf("mailbox: tenant %s: %w", id, fault.NotFound)
	}
	return t, nil
}

// visited is tenantOf as the visitor may know it: outside the networks of the
// members' area without its mailboxes. All pages of the assistant ask it, in
// each step and when a letter is sent, so that a letter to such a mailbox can
// neither be begun nor finished outside.
func (s *Service) visited(r *http.Request) (*tenant.Tenant, error) {
	t, err := s.tenantOf(r)
	if err != nil {
		return nil, err
	}
	return t.SeenFrom(web.ClientIP(r.Context())), nil
}

// severity is the level at which a failure of a request is logged. Who goes away
// in the middle makes it fail, and that is nobody's mistake here.
func severity(r *http.Request) slog.Level {
	if r.Context().Err() != nil {
		return slog.LevelInfo
	}
	return slog.LevelError
}

// fieldErrors turns the fields of an error into sentences for a page. A field
// that the page does not show leads nowhere.
type fieldErrors []fault.Field

// of returns the sentence of a field, "" when nothing is wrong with it.
func (e fieldErrors) of(r *http.Request, name string) string {
	for _, f := range e {
		if f.Name == name {
			return told(r, f)
		}
	}
	return ""
}

// told says what is wrong with a field. It may name a file as the sender did.
func told(r *http.Request, f fault.Field) string {
	return ui.Spelled(i18n.T(r.Context(), f.Key, f.Args...))
}

// oversized reports whether a form had more than is kept: texts that are far too
// long, or fields without end. It is shown again and not stored.
func (e fieldErrors) oversized() bool {
	return slices.ContainsFunc(e, func(f fault.Field) bool { return f.Key == "web.field.long" || f.Key == "web.form.many" })
}

// cut reports whether a form had so many fields that the last ones were not
// read: what is missing was perhaps sent.
func (e fieldErrors) cut() bool {
	return slices.ContainsFunc(e, func(f fault.Field) bool { return f.Key == "web.form.many" })
}

// with adds what is wrong by the rules of the page. Of an overlong text they say
// how long it may be, so the sentence that says less goes.
func (e fieldErrors) with(own ...fault.Field) fieldErrors {
	out := slices.DeleteFunc(slices.Clone(e), func(f fault.Field) bool {
		return f.Key == "web.field.long" && slices.ContainsFunc(own, func(o fault.Field) bool { return o.Name == f.Name })
	})
	return append(out, own...)
}

// summary returns one line for each error, leading to its field.
func (e fieldErrors) summary(r *http.Request) []ui.FieldError {
	out := make([]ui.FieldError, 0, len(e))
	for _, f := range e {
		out = append(out, ui.FieldError{ID: f.Name, Text: told(r, f)})
	}
	return out
}

// keepHelp stores the state of a help text if the button of one was pressed,
// and reports whether that was so: the page is then shown again as it is.
func keepHelp(w http.ResponseWriter, r *http.Request, choice string) (bool, error) {
	name, state, ok := ui.HelpChoice(choice)
	if !ok {
		return false, nil
	}
	return true, web.SetCookie(w, r, "ps_"+name, state)
}
