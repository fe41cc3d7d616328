package blog

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"poststelle/internal/account"
	"poststelle/internal/fault"
	"poststelle/internal/i18n"
	"poststelle/internal/web"
)

const deskPath = "/amt/redaktion"

const rowsPerPage = 50

func (s *Service) deskRoutes(all *web.Router) {
	editors := s.Accounts.StaffRule(account.Editor, account.Admin)
	rt := all.For(editors.Of(module))
	typed := all.For(s.Accounts.StaffFormRule(account.Editor, account.Admin).Of(module))
	proof := all.For(s.Accounts.StaffRule(account.Editor, account.DPO, account.Admin).Of(module))
	ask := all.For(s.Accounts.StaffRule(account.Editor, account.DPO).Of(module))
	staff := s.Accounts.Staff
	texts := []account.Typed{
		{Name: "titel", Label: "blog.edit.name"}, {Name: "kurz", Label: "blog.edit.summary", Rows: 3}, {Name: "text", Label: "blog.edit.text", Rows: 14},
	}
	const one = deskPath + "/beitraege/{id}"
	rt.Handle("GET "+deskPath+"/beitraege", staff(s.getPosts))
	rt.Handle("GET "+deskPath+"/beitraege/neu", staff(s.getNew))
	typed.Handle("POST "+deskPath+"/beitraege/neu", s.Accounts.StaffForm(s.postNew, texts...))
	rt.Handle("GET "+one, staff(s.getEdit))
	typed.Handle("POST "+one, s.Accounts.StaffForm(s.postEdit, texts...))
	rt.Handle("POST "+one+"/stand", staff(s.postState))
	rt.Handle("GET "+one+"/vorschau", staff(s.getPreview))
	rt.Handle("POST "+one+"/bild", staff(s.postPicture), web.BodyLimit(maxPictureBytes+1<<20))
	rt.Handle("POST "+one+"/bild/entfernen", staff(s.postRemovePicture))
	rt.Handle("GET "+one+"/loeschen", staff(s.getDelete))
	rt.Handle("POST "+one+"/loeschen", staff(s.postDelete))
	rt.Handle("GET "+deskPath+"/kommentare", staff(s.getQueue))
	rt.Handle("POST "+deskPath+"/kommentare", staff(s.postQueue))
	rt.Handle("GET "+deskPath+"/kommentare/{id}", staff(s.getComment))
	rt.Handle("POST "+deskPath+"/kommentare/{id}", staff(s.postDecision))
	rt.Handle("GET "+deskPath+"/meldungen", staff(s.getCases))
	rt.Handle("GET "+deskPath+"/meldungen/{id}", staff(s.getCase))
	rt.Handle("POST "+deskPath+"/meldungen/{id}", staff(s.postCase))
	proof.Handle("GET "+deskPath+"/nachweise", staff(s.getEvidence))
	ask.Handle("GET "+deskPath+"/nachweise/neu/{id}", staff(s.getAskEvidence))
	ask.Handle("POST "+deskPath+"/nachweise/neu/{id}", staff(s.postAskEvidence))
	proof.Handle("POST "+deskPath+"/nachweise/{id}", staff(s.postEvidence))
}

// said is the sentence that the next page of the desk shows once.
const saidKey = "blog.said"

func (s *Service) say(r *http.Request, key string) error {
	return web.SessionOf(r).Put(saidKey, []byte(key))
}

func said(r *http.Request) string {
	session := web.SessionOf(r)
	if session == nil {
		return ""
	}
	raw, ok := session.Get(saidKey)
	if !ok {
		return ""
	}
	session.Delete(saidKey)
	return i18n.T(r.Context(), "blog.said."+string(raw))
}

func (s *Service) renderDesk(w http.ResponseWriter, r *http.Request, status int, v web.View) error {
	v.Staff, v.NoIndex = true, true
	if v.Section == "" {
		v.Section = "editorial"
	}
	return web.Render(w, r, status, v)
}

// Desk draws the start of the editorial desk. It reports false, and has drawn
// nothing, where the tenant has neither a blog nor anything else for it.
func (s *Service) Desk(w http.ResponseWriter, r *http.Request, who account.Actor) (bool, error) {
	t, err := s.tenantOf(r)
	if err != nil {
		return false, err
	}
	var v deskView
	if s.More != nil {
		v.More = s.More(r, who)
	}
	if v.Blog = s.On(t); !v.Blog && len(v.More) == 0 {
		return false, nil
	}
	if v.Comments, v.Cases, err = s.waiting(r.Context(), who.Tenant); err != nil {
		return false, err
	}
	return true, s.renderDesk(w, r, http.StatusOK, web.View{Title: i18n.T(r.Context(), "blog.desk.title"), Body: deskPage(v)})
}

func (s *Service) getPosts(w http.ResponseWriter, r *http.Request, who account.Actor) error {
	posts, more, err := s.all(r.Context(), who.Tenant, placeOf(r), rowsPerPage)
	if err != nil {
		return err
	}
	var next cursor
	if more {
		last := posts[len(posts)-1]
		next = cursor{last.Changed, last.ID}
	}
	v := postsView{Posts: posts, Said: said(r), Pager: pagerOf(r, deskPath+"/beitraege", next)}
	return s.renderDesk(w, r, http.StatusOK, web.View{Title: i18n.T(r.Context(), "blog.desk.posts"), Body: postsPage(v)})
}

func editPath(id string) string { return deskPath + "/beitraege/" + url.PathEscape(id) }

func (s *Service) getNew(w http.ResponseWriter, r *http.Request, _ account.Actor) error {
	return s.showEdit(w, r, http.StatusOK, editView{Draft: Draft{Comments: true, Moderated: true, CloseDays: defaultClose}})
}

// showEdit draws the form of a post, new or not.
func (s *Service) showEdit(w http.ResponseWriter, r *http.Request, status int, v editView) error {
	v.Heading, v.Action = i18n.T(r.Context(), "blog.edit.new"), deskPath+"/beitraege/neu"
	if v.ID != "" {
		v.Heading, v.Action = i18n.T(r.Context(), "blog.edit.title"), editPath(v.ID)
	}
	if v.Preview {
		v.Body = s.article.Show(v.Source)
	}
	return s.renderDesk(w, r, status, web.View{Title: v.Heading, Body: editPage(v), Errors: len(v.Errors), Narrow: true})
}

func (s *Service) getEdit(w http.ResponseWriter, r *http.Request, who account.Actor) error {
	v, err := s.editView(r, who)
	if err != nil {
		return err
	}
	v.Said = said(r)
	return s.showEdit(w, r, http.StatusOK, v)
}

// editView is the form of a post as it is stored.
func (s *Service) editView(r *http.Request, who account.Actor) (editView, error) {
	p, pictures, err := s.get(r.Context(), who.Tenant, r.PathValue("id"))
	if err != nil {
		return editView{}, err
	}
	return editView{
		ID: p.ID, Version: p.Version, State: p.State, PublishAt: p.PublishAt, Pictures: pictures, Path: postPath(p.Slug),
		Draft: Draft{Title: p.Title, Slug: p.Slug, Summary: p.Summary, Source: p.Source, Comments: p.Comments, Moderated: p.Moderated, CloseDays: p.CloseDays},
	}, nil
}

// draftOf reads the fields of the form. A number of days that is none stays
// wrong, so that the check finds it.
func draftOf(form *web.Values) Draft {
	days, err := strconv.Atoi(strings.TrimSpace(form.Get("tage")))
	if err != nil {
		days = -1
	}
	return Draft{
		Title: form.Get("titel"), Slug: form.Get("adresse"), Summary: form.Get("kurz"), Source: form.Get("text"),
		Comments: form.Get("kommentare") != "", Moderated: form.Get("pruefen") != "", CloseDays: days,
	}
}

func (s *Service) postNew(w http.ResponseWriter, r *http.Request, who account.Actor) error {
	form, err := web.Form(r)
	if form == nil {
		return err
	}
	v := editView{Draft: draftOf(form), Days: form.Get("tage"), Preview: form.Get("aktion") == "vorschau"}
	if v.Preview {
		return s.showEdit(w, r, http.StatusOK, v)
	}
	var id string
	if err == nil {
		id, err = s.Create(r.Context(), who, v.Draft)
	}
	return s.saved(w, r, v, id, err)
}

func (s *Service) postEdit(w http.ResponseWriter, r *http.Request, who account.Actor) error {
	form, err := web.Form(r)
	if form == nil {
		return err
	}
	v, viewErr := s.editView(r, who)
	if viewErr != nil {
		return viewErr
	}
	v.Draft, v.Days, v.Preview = draftOf(form), form.Get("tage"), form.Get("aktion") == "vorschau"
	version, _ := strconv.Atoi(form.Get("version"))
	if v.Preview {
		v.Version = version
		return s.showEdit(w, r, http.StatusOK, v)
	}
	if err == nil {
		err = s.Save(r.Context(), who, v.ID, version, v.Draft)
	}
	if fault.KindOf(err) == fault.Conflict && err != nil {
		v.Conflict = i18n.T(r.Context(), "blog.error.changed")
		return s.showEdit(w, r, http.StatusConflict, v)
	}
	v.Version = version
	return s.saved(w, r, v, v.ID, err)
}

// saved leads on after a post was stored, or shows the form again.
func (s *Service) saved(w http.ResponseWriter, r *http.Request, v editView, id string, err error) error {
	if e, ok := invalid(err); ok {
		v.Errors, v.fields = e.summary(r), func(name string) string { return e.of(r, name) }
		return s.showEdit(w, r, http.StatusUnprocessableEntity, v)
	}
	if err == nil {
		err = s.say(r, "saved")
	}
	if err != nil {
		return err
	}
	return web.Redirect(w, r, editPath(id))
}

// postState publishes, schedules or withdraws a post.
func (s *Service) postState(w http.ResponseWriter, r *http.Request, who account.Actor) error {
	form, err := web.Form(r)
	if err != nil {
		return err
	}
	id, ctx := r.PathValue("id"), r.Context()
	word := form.Get("aktion")
	switch word {
	case "veroeffentlichen":
		err = s.Publish(ctx, who, id)
	case "planen":
		at, parseErr := time.ParseInLocation("2006-01-02T15:04", form.Get("wann"), i18n.Zone())
		if parseErr != nil {
			at = time.Time{}
		}
		err = s.Schedule(ctx, who, id, at)
	case "zuruecknehmen":
		err = s.Withdraw(ctx, who, id)
	default:
		err = fault.Invalid
	}
	if e, ok := invalid(err); ok {
		v, err := s.editView(r, who)
		if err != nil {
			return err
		}
		v.When, v.WhenError, v.Errors = form.Get("wann"), e.of(r, "wann"), e.summary(r)
		return s.showEdit(w, r, http.StatusUnprocessableEntity, v)
	}
	if err == nil {
		err = s.say(r, word)
	}
	if err != nil {
		return err
	}
	return web.Redirect(w, r, editPath(id))
}

func (s *Service) getPreview(w http.ResponseWriter, r *http.Request, who account.Actor) error {
	t, err := s.tenantOf(r)
	if err != nil {
		return err
	}
	p, _, err := s.get(r.Context(), who.Tenant, r.PathValue("id"))
	if err != nil {
		return err
	}
	if p.Published.IsZero() {
		p.Published = s.Now()
	}
	p.Comments = false
	return s.renderDesk(w, r, http.StatusOK, web.View{Title: p.Title, Body: previewPage(editPath(p.ID), s.postView(r, t, p, nil, 0))})
}

func (s *Service) postPicture(w http.ResponseWriter, r *http.Request, who account.Actor) error {
	parts, err := web.Parts(r)
	if err != nil {
		return err
	}
	var alt string
	var raw []byte
	for {
		p, err := parts.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		switch {
		case p.Name == "alt" && !p.IsFile:
			alt, err = p.Value()
		case p.Name == "bild" && p.IsFile:
			raw, err = io.ReadAll(io.LimitReader(p, maxPictureBytes+1))
		}
		if err != nil {
			return err
		}
	}
	_, err = s.AddPicture(r.Context(), who, r.PathValue("id"), alt, bytes.NewReader(raw))
	if e, ok := invalid(err); ok {
		v, err := s.editView(r, who)
		if err != nil {
			return err
		}
		v.Alt, v.AltError, v.PictureError, v.Errors = alt, e.of(r, "alt"), e.of(r, "bild"), e.summary(r)
		return s.showEdit(w, r, http.StatusUnprocessableEntity, v)
	}
	if err == nil {
		err = s.say(r, "picture")
	}
	if err != nil {
		return err
	}
	return web.Redirect(w, r, editPath(r.PathValue("id"))+"#bilder")
}

func (s *Service) postRemovePicture(w http.ResponseWriter, r *http.Request, who account.Actor) error {
	form, err := web.Form(r)
	if err != nil {
		return err
	}
	if err := s.removePicture(r.Context(), who, r.PathValue("id"), form.Get("name")); err != nil {
		return err
	}
	return web.Redirect(w, r, editPath(r.PathValue("id"))+"#bilder")
}

func (s *Service) getDelete(w http.ResponseWriter, r *http.Request, who account.Actor) error {
	p, _, err := s.get(r.Context(), who.Tenant, r.PathValue("id"))
	if err != nil {
		return err
	}
	return s.renderDesk(w, r, http.StatusOK, web.View{Title: i18n.T(r.Context(), "blog.delete.title"), Body: deletePage(p), Narrow: true})
}

func (s *Service) postDelete(w http.ResponseWriter, r *http.Request, who account.Actor) error {
	if err := s.remove(r.Context(), who, r.PathValue("id")); err != nil {
		return err
	}
	if err := s.say(r, "deleted"); err != nil {
		return err
	}
	return web.Redirect(w, r, deskPath+"/beitraege")
}
