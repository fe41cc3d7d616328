package newsletter

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"poststelle/internal/account"
	"poststelle/internal/fault"
	"poststelle/internal/i18n"
	"poststelle/internal/tenant"
	"poststelle/internal/web"
)

// deskPath is where editors work on the newsletter.
const deskPath = "/amt/redaktion/newsletter"

func (s *Service) deskRoutes(all *web.Router) {
	rt := all.For(s.Accounts.StaffRule(account.Editor, account.Admin).Of(module))
	typed := all.For(s.Accounts.StaffFormRule(account.Editor, account.Admin).Of(module))
	texts := []account.Typed{{Name: "subject", Label: "newsletter.edit.subject"}, {Name: "body", Label: "newsletter.edit.body", Rows: 18}}
	rt.Handle("GET "+deskPath, s.editors(s.getDesk))
	rt.Handle("GET "+deskPath+"/neu", s.editors(s.getNew))
	typed.Handle("POST "+deskPath+"/neu", s.Accounts.StaffForm(s.onDesk(s.postNew), texts...))
	rt.Handle("GET "+deskPath+"/einstellungen", s.editors(s.getSettings))
	rt.Handle("POST "+deskPath+"/einstellungen", s.editors(s.postSettings))
	rt.Handle("GET "+deskPath+"/{id}", s.editors(s.getIssue))
	typed.Handle("POST "+deskPath+"/{id}", s.Accounts.StaffForm(s.onDesk(s.postIssue), texts...))
	rt.Handle("GET "+deskPath+"/{id}/vorschau", s.editors(s.getPreview))
	rt.Handle("POST "+deskPath+"/{id}/probe", s.editors(s.postTrial))
	rt.Handle("GET "+deskPath+"/{id}/senden", s.editors(s.getSend))
	rt.Handle("POST "+deskPath+"/{id}/senden", s.editors(s.postSend))
	rt.Handle("POST "+deskPath+"/{id}/zurueckholen", s.editors(s.postRecall))
	rt.Handle("POST "+deskPath+"/{id}/loeschen", s.editors(s.postDrop))
}

// deskHandler is a handler for editors of a tenant that has a newsletter.
type deskHandler func(w http.ResponseWriter, r *http.Request, who account.Actor, t *tenant.Tenant) error

// editors hands on who is acting; the rule of the routes has let through editors
// and administrators alone.
func (s *Service) editors(h deskHandler) web.Handler { return s.Accounts.Staff(s.onDesk(h)) }

// onDesk adds the tenant of the host.
func (s *Service) onDesk(h deskHandler) account.StaffHandler {
	return func(w http.ResponseWriter, r *http.Request, who account.Actor) error {
		t, err := s.tenantOf(r)
		if err != nil {
			return err
		}
		return h(w, r, who, t)
	}
}

func showDesk(w http.ResponseWriter, r *http.Request, status int, v web.View) error {
	v.Staff, v.Section = true, "website"
	return web.Render(w, r, status, v)
}

func (s *Service) getDesk(w http.ResponseWriter, r *http.Request, who account.Actor, t *tenant.Tenant) error {
	v, err := s.overview(r.Context(), t)
	if err != nil {
		return err
	}
	v.Done = doneKey(r.URL.Query().Get("getan"))
	return showDesk(w, r, http.StatusOK, web.View{Title: i18n.T(r.Context(), "newsletter.desk.title"), Body: deskPage(v)})
}

// doneKey is the sentence of what was just done, "" for none.
func doneKey(word string) string {
	switch word {
	case "gespeichert":
		return "newsletter.desk.done_saved"
	case "probe":
		return "newsletter.desk.done_trial"
	case "freigegeben":
		return "newsletter.desk.done_released"
	case "zurueckgeholt":
		return "newsletter.desk.done_recalled"
	case "geloescht":
		return "newsletter.desk.done_dropped"
	}
	return ""
}

func (s *Service) getNew(w http.ResponseWriter, r *http.Request, _ account.Actor, t *tenant.Tenant) error {
	return s.showEditor(w, r, http.StatusOK, t, editorView{Issue: Issue{Lang: "de", Archived: true, State: Draft}})
}

func (s *Service) showEditor(w http.ResponseWriter, r *http.Request, status int, t *tenant.Tenant, v editorView) error {
	set, err := s.settings(r.Context(), t)
	if err != nil {
		return err
	}
	v.Topics = options(set, i18n.Lang(r.Context()), v.Issue.Categories)
	v.Action = deskPath + "/neu"
	title := "newsletter.edit.new"
	if v.Issue.ID != "" {
		v.Action, title = deskPath+"/"+v.Issue.ID, "newsletter.edit.title"
	}
	v.Title = i18n.T(r.Context(), title)
	return showDesk(w, r, status, web.View{Title: v.Title, Body: editorPage(v), Errors: len(v.Errors), Narrow: true})
}

// issueFrom reads the form of an issue.
func issueFrom(form *web.Values, set Settings) Issue {
	version, err := strconv.ParseInt(form.Get("version"), 10, 64)
	if err != nil {
		version = -1 // that of no issue: it will be a conflict
	}
	i := Issue{
		Subject: strings.TrimSpace(form.Get("subject")), Body: form.Get("body"), Lang: form.Get("lang"), Archived: form.Get("archived") == "ja",
		Version: version, State: Draft,
	}
	for _, c := range set.offered() {
		for _, id := range form.All("thema") {
			if id == c.ID {
				i.Categories = append(i.Categories, id)
			}
		}
	}
	return i
}

func (s *Service) postNew(w http.ResponseWriter, r *http.Request, who account.Actor, t *tenant.Tenant) error {
	i, err := s.typed(r, t)
	if err != nil {
		return err
	}
	id, err := s.Create(r.Context(), who, i)
	if f := fault.FieldsOf(err); len(f) > 0 {
		return s.showEditor(w, r, http.StatusUnprocessableEntity, t, editorView{Issue: i, Errors: f})
	}
	if err != nil {
		return err
	}
	return web.Redirect(w, r, deskPath+"/"+id+"?getan=gespeichert")
}

func (s *Service) typed(r *http.Request, t *tenant.Tenant) (Issue, error) {
	form, err := formOf(r)
	if err != nil {
		return Issue{}, err
	}
	set, err := s.settings(r.Context(), t)
	return issueFrom(form, set), err
}

func (s *Service) getIssue(w http.ResponseWriter, r *http.Request, _ account.Actor, t *tenant.Tenant) error {
	i, err := s.issue(r.Context(), t.ID, r.PathValue("id"))
	if err != nil {
		return err
	}
	done := doneKey(r.URL.Query().Get("getan"))
	if i.State == Draft {
		return s.showEditor(w, r, http.StatusOK, t, editorView{Issue: i, Done: done})
	}
	return showDesk(w, r, http.StatusOK, web.View{Title: i.Subject, Body: reportPage(reportView{Issue: i, Done: done})})
}

func (s *Service) postIssue(w http.ResponseWriter, r *http.Request, who account.Actor, t *tenant.Tenant) error {
	i, err := s.typed(r, t)
	if err != nil {
		return err
	}
	i.ID = r.PathValue("id")
	err = s.save(r.Context(), who, i)
	if errors.Is(err, fault.Conflict) {
		now, missing := s.issue(r.Context(), t.ID, i.ID)
		if missing != nil {
			return missing
		}
		if now.State != Draft {
			return err
		}
		i.Version = now.Version // who saves again has read the sentence
		return s.showEditor(w, r, http.StatusConflict, t, editorView{Issue: i, Errors: problems{{Name: "body", Key: "newsletter.error.changed"}}})
	}
	if f := fault.FieldsOf(err); len(f) > 0 {
		return s.showEditor(w, r, http.StatusUnprocessableEntity, t, editorView{Issue: i, Errors: f})
	}
	if err != nil {
		return err
	}
	return web.Redirect(w, r, deskPath+"/"+i.ID+"?getan=gespeichert")
}

func (s *Service) getPreview(w http.ResponseWriter, r *http.Request, _ account.Actor, t *tenant.Tenant) error {
	v, err := s.preview(r.Context(), t, r.PathValue("id"))
	if err != nil {
		return err
	}
	return showDesk(w, r, http.StatusOK, web.View{Title: i18n.T(r.Context(), "newsletter.preview.title"), Body: previewPage(v)})
}

// postTrial sends the issue to the person who asks for it, and to nobody else.
func (s *Service) postTrial(w http.ResponseWriter, r *http.Request, who account.Actor, t *tenant.Tenant) error {
	id := r.PathValue("id")
	if err := s.trial(r.Context(), who, t, id); err != nil {
		return err
	}
	return web.Redirect(w, r, deskPath+"/"+id+"?getan=probe")
}

func (s *Service) getSend(w http.ResponseWriter, r *http.Request, _ account.Actor, t *tenant.Tenant) error {
	return s.showSend(w, r, http.StatusOK, t, releaseView{})
}

func (s *Service) showSend(w http.ResponseWriter, r *http.Request, status int, t *tenant.Tenant, v releaseView) error {
	i, err := s.issue(r.Context(), t.ID, r.PathValue("id"))
	if err != nil {
		return err
	}
	if i.State != Draft {
		return web.Redirect(w, r, deskPath+"/"+i.ID)
	}
	v.Issue = i
	if v.Readers, err = s.readers(r.Context(), t.ID); err != nil {
		return err
	}
	return showDesk(w, r, status, web.View{Title: i18n.T(r.Context(), "newsletter.release.title"), Body: releasePage(v), Errors: len(v.Errors), Narrow: true})
}

func (s *Service) postSend(w http.ResponseWriter, r *http.Request, who account.Actor, t *tenant.Tenant) error {
	form, err := formOf(r)
	if err != nil {
		return err
	}
	v := releaseView{When: form.Get("wann"), Day: form.Get("tag"), Clock: form.Get("uhrzeit")}
	at, ok := v.at(s.Now())
	if !ok {
		v.Errors = problems{{Name: "tag", Key: "newsletter.error.when"}}
		return s.showSend(w, r, http.StatusUnprocessableEntity, t, v)
	}
	i, err := s.issue(r.Context(), t.ID, r.PathValue("id"))
	if err != nil {
		return err
	}
	if strconv.FormatInt(i.Version, 10) != form.Get("version") {
		v.Errors = problems{{Name: "tag", Key: "newsletter.error.changed"}}
		return s.showSend(w, r, http.StatusConflict, t, v)
	}
	if err := s.Schedule(r.Context(), who, t, i, at); err != nil {
		return err
	}
	return web.Redirect(w, r, deskPath+"/"+i.ID+"?getan=freigegeben")
}

// at is the time that the form names: now, or a day and a time in the future.
func (v releaseView) at(now time.Time) (time.Time, bool) {
	if v.When != "spaeter" {
		return time.Time{}, true
	}
	at, err := time.ParseInLocation("2006-01-02 15:04", strings.TrimSpace(v.Day)+" "+strings.TrimSpace(v.Clock), i18n.Zone())
	return at, err == nil && at.After(now) && at.Before(now.AddDate(1, 0, 0))
}

func (s *Service) postRecall(w http.ResponseWriter, r *http.Request, who account.Actor, t *tenant.Tenant) error {
	i, err := s.issue(r.Context(), t.ID, r.PathValue("id"))
	if err == nil {
		err = s.recall(r.Context(), who, i)
	}
	if err != nil {
		return err
	}
	return web.Redirect(w, r, deskPath+"/"+i.ID+"?getan=zurueckgeholt")
}

func (s *Service) postDrop(w http.ResponseWriter, r *http.Request, who account.Actor, t *tenant.Tenant) error {
	i, err := s.issue(r.Context(), t.ID, r.PathValue("id"))
	if err == nil {
		err = s.drop(r.Context(), who, i)
	}
	if err != nil {
		return err
	}
	return web.Redirect(w, r, deskPath+"?getan=geloescht")
}

func (s *Service) getSettings(w http.ResponseWriter, r *http.Request, _ account.Actor, t *tenant.Tenant) error {
	set, err := s.settings(r.Context(), t)
	if err != nil {
		return err
	}
	return s.showSettings(w, r, http.StatusOK, settingsView{Settings: set, Topics: topicLines(set)})
}

func (s *Service) showSettings(w http.ResponseWriter, r *http.Request, status int, v settingsView) error {
	v.Default = s.sender(Settings{})
	return showDesk(w, r, status, web.View{Title: i18n.T(r.Context(), "newsletter.set.title"), Body: settingsPage(v), Errors: len(v.Errors), Narrow: true})
}

func (s *Service) postSettings(w http.ResponseWriter, r *http.Request, who account.Actor, _ *tenant.Tenant) error {
	form, err := formOf(r)
	if err != nil {
		return err
	}
	version, err := strconv.ParseInt(form.Get("version"), 10, 64)
	if err != nil {
		return fault.Conflict
	}
	v := settingsView{Topics: form.Get("categories"), Settings: Settings{
		Title: strings.TrimSpace(form.Get("title")), TitleEN: strings.TrimSpace(form.Get("title_en")), About: strings.TrimSpace(form.Get("about")),
		AboutEN: strings.TrimSpace(form.Get("about_en")), Sender: strings.TrimSpace(form.Get("sender")), Archive: form.Get("archive") == "ja", Version: version,
	}}
	v.Settings.Categories = topicsFrom(v.Topics)
	err = s.SetSettings(r.Context(), who, v.Settings)
	if f := fault.FieldsOf(err); len(f) > 0 {
		v.Errors = f
		return s.showSettings(w, r, http.StatusUnprocessableEntity, v)
	}
	if err != nil {
		return err
	}
	return web.Redirect(w, r, deskPath+"?getan=gespeichert")
}
