package mailbox

import (
	"fmt"
	"net/http"

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

// fieldErrors turns the fields of an error into sentences for a page. A field
// that the page does not show leads nowhere.
type fieldErrors []fault.Field

// of returns the sentence of a field, "" when nothing is wrong with it.
func (e fieldErrors) of(r *http.Request, name string) string {
	for _, f := range e {
		if f.Name == name {
			return i18n.T(r.Context(), f.Key, f.Args...)
		}
	}
	return ""
}

// summary returns one line for each error, leading to its field.
func (e fieldErrors) summary(r *http.Request) []ui.FieldError {
	out := make([]ui.FieldError, 0, len(e))
	for _, f := range e {
		out = append(out, ui.FieldError{ID: f.Name, Text: i18n.T(r.Context(), f.Key, f.Args...)})
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
