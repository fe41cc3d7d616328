package blog

import (
	"net/http"

	"poststelle/internal/i18n"
	"poststelle/internal/web"
	"poststelle/internal/web/ui"
)

// The pages that a token opens. Their addresses are secrets of the visitor: they
// are not for search engines, and the access log keeps the route alone.

func (s *Service) getMine(w http.ResponseWriter, r *http.Request) error {
	return s.showMine(w, r, http.StatusOK, nil, "")
}

func (s *Service) showMine(w http.ResponseWriter, r *http.Request, status int, e fieldErrors, typed string) error {
	t, err := s.tenantOf(r)
	if err != nil {
		return err
	}
	m, err := s.mine(r.Context(), t.ID, r.PathValue("token"))
	if err != nil {
		return err
	}
	v := mineView{
		mine: m, Action: "/aktuelles/kommentar/" + r.PathValue("token"), Typed: typed, Error: e.of(r, "begruendung"), Errors: e.summary(r),
		Address: s.BaseURL(t) + "/aktuelles/kommentar/" + r.PathValue("token"),
	}
	decidedAgainst := m.State == rejected || m.State == removed
	v.MayComplain = decidedAgainst && s.Now().Sub(m.Decided) <= appealPeriod
	for _, c := range m.Complaints {
		if c.Created.After(m.Decided) {
			v.MayComplain = false
		}
	}
	return web.Render(w, r, status, web.View{Title: i18n.T(r.Context(), "blog.mine.title"), Body: minePage(v), Errors: len(e), NoIndex: true, Section: "blog"})
}

// postMine deletes the comment or objects to a decision on it.
func (s *Service) postMine(w http.ResponseWriter, r *http.Request) error {
	t, err := s.tenantOf(r)
	if err != nil {
		return err
	}
	form, err := web.Form(r)
	if form == nil {
		return err
	}
	token := r.PathValue("token")
	if form.Get("aktion") == "loeschen" {
		m, err := s.mine(r.Context(), t.ID, token)
		if err == nil {
			err = s.Delete(r.Context(), t.ID, token)
		}
		if err != nil {
			return err
		}
		return web.Redirect(w, r, postPath(m.Slug)+"?geloescht=ja#kommentare")
	}
	if err == nil {
		err = s.Complain(r.Context(), t.ID, token, form.Get("begruendung"))
	}
	if e, ok := invalid(err); ok {
		return s.showMine(w, r, http.StatusUnprocessableEntity, e, form.Get("begruendung"))
	}
	if err != nil {
		return err
	}
	return web.Redirect(w, r, "/aktuelles/kommentar/"+token)
}

func (s *Service) getReport(w http.ResponseWriter, r *http.Request) error {
	return s.showReport(w, r, http.StatusOK, reportView{}, nil)
}

func (s *Service) showReport(w http.ResponseWriter, r *http.Request, status int, v reportView, e fieldErrors) error {
	t, err := s.tenantOf(r)
	if err != nil {
		return err
	}
	q, _, err := s.comment(r.Context(), t.ID, r.PathValue("id"))
	if err != nil {
		return err
	}
	if _, err := s.one(r.Context(), t.ID, q.Slug); err != nil {
		return err
	}
	if q.State != shown {
		return errNoComment
	}
	v.Comment, v.Title, v.Action = q.comment, q.Title, "/aktuelles/melden/"+q.ID
	v.GroundError, v.TextError, v.Errors = e.of(r, "grund"), e.of(r, "begruendung"), e.summary(r)
	v.Grounds = groundOptions(r, v.Ground)
	return web.Render(w, r, status, web.View{Title: i18n.T(r.Context(), "blog.report.title"), Body: reportPage(v), Errors: len(e), NoIndex: true, Section: "blog"})
}

func groundOptions(r *http.Request, chosen string) (out []ui.Option) {
	for _, g := range grounds() {
		out = append(out, ui.Option{Value: g, Label: i18n.T(r.Context(), "blog.ground."+g), Selected: g == chosen})
	}
	return out
}

func (s *Service) postReport(w http.ResponseWriter, r *http.Request) error {
	t, err := s.tenantOf(r)
	if err != nil {
		return err
	}
	form, err := web.Form(r)
	if form == nil {
		return err
	}
	v := reportView{Ground: form.Get("grund"), Text: form.Get("begruendung")}
	var token string
	if err == nil {
		token, err = s.Report(r.Context(), t, r.PathValue("id"), v.Ground, v.Text, web.ClientIP(r.Context()))
	}
	if e, ok := invalid(err); ok {
		return s.showReport(w, r, http.StatusUnprocessableEntity, v, e)
	}
	if err != nil {
		return err
	}
	return web.Redirect(w, r, "/aktuelles/meldung/"+token)
}

func (s *Service) getReported(w http.ResponseWriter, r *http.Request) error {
	return s.showReported(w, r, http.StatusOK, nil, "")
}

func (s *Service) showReported(w http.ResponseWriter, r *http.Request, status int, e fieldErrors, typed string) error {
	t, err := s.tenantOf(r)
	if err != nil {
		return err
	}
	m, err := s.report(r.Context(), t.ID, r.PathValue("token"))
	if err != nil {
		return err
	}
	v := reportedView{
		reported: m, Action: "/aktuelles/meldung/" + r.PathValue("token"), Typed: typed, Error: e.of(r, "begruendung"), Errors: e.summary(r),
		Address: s.BaseURL(t) + "/aktuelles/meldung/" + r.PathValue("token"),
	}
	v.MayAppeal = !m.Open && m.Decision == decisionKept && m.Appeal.ID == "" && s.Now().Sub(m.Decided) <= appealPeriod
	return web.Render(w, r, status, web.View{Title: i18n.T(r.Context(), "blog.reported.title"), Body: reportedPage(v), Errors: len(e), NoIndex: true, Section: "blog"})
}

func (s *Service) postAppeal(w http.ResponseWriter, r *http.Request) error {
	t, err := s.tenantOf(r)
	if err != nil {
		return err
	}
	form, err := web.Form(r)
	if form == nil {
		return err
	}
	if err == nil {
		err = s.Appeal(r.Context(), t.ID, r.PathValue("token"), form.Get("begruendung"))
	}
	if e, ok := invalid(err); ok {
		return s.showReported(w, r, http.StatusUnprocessableEntity, e, form.Get("begruendung"))
	}
	if err != nil {
		return err
	}
	return web.Redirect(w, r, "/aktuelles/meldung/"+r.PathValue("token"))
}
