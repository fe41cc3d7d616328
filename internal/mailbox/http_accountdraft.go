package mailbox

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/a-h/templ"

	"poststelle/internal/account"
	"poststelle/internal/fault"
	"poststelle/internal/i18n"
	"poststelle/internal/tenant"
	"poststelle/internal/web"
)

// saveAction is the value of the button that saves a draft.
const saveAction = "speichern"

// writer returns the account of who writes a draft, "" when nobody is signed in.
// While the vault, which knows it, does not answer, it is who it was before:
// letters are taken in without the vault.
func (s *Service) writer(r *http.Request, d draft) string {
	who, err := s.Accounts.Citizen(r)
	switch {
	case err == nil:
		return who.ID
	case errors.Is(err, fault.Unavailable):
		return d.Account
	}
	return ""
}

// saveHere saves the draft of a step and comes back to the step.
func (s *Service) saveHere(w http.ResponseWriter, r *http.Request, in stepInput) error {
	who, err := s.Accounts.Citizen(r)
	if err == nil {
		var kept saved
		if kept, err = s.saveDraft(r.Context(), who, in.Tenant.ID, in.Draft); err == nil {
			in.Draft, err = changeDraft(web.SessionOf(r), in.Draft.ID, func(d *draft) error {
				d.Saved, d.Account = &kept, who.ID
				return nil
			})
		}
	}
	switch {
	case errors.Is(err, fault.Denied):
		return s.stepFailed(w, r, in, fault.With(fault.Denied, "mailbox.saved.signin"))
	case len(fault.FieldsOf(err)) > 0: // a file is gone from the store
		in.Errors = fault.FieldsOf(err)
		if in.Draft, err = s.withoutLost(r.Context(), web.SessionOf(r), in.Draft); err != nil {
			return err
		}
		return s.renderStep(w, r, http.StatusUnprocessableEntity, in)
	case err != nil:
		return s.stepFailed(w, r, in, err)
	}
	return web.Redirect(w, r, stepPath(in.Step, in.Draft.ID)+"&getan="+saveAction)
}

func savedPath(id, what string) string { return "/postfach/entwuerfe/" + id + "/" + what }

// savedView is the list of drafts.
type savedView struct {
	Side   heldSide
	Drafts []savedItem
	Done   string
}

// savedItem is a draft in the list. Elsewhere is the address of the authority on
// whose host it can be opened, "" on that host.
type savedItem struct {
	ID, Office, Subject, Snippet, Label string
	Authority, Elsewhere                string
	Files                               int
	At, Expires                         time.Time
	Lost                                bool
}

// named gives a button a name that says what it is about.
func named(label string) templ.Attributes { return templ.Attributes{"aria-label": label} }

func (s *Service) getSavedDrafts(w http.ResponseWriter, r *http.Request, t *tenant.Tenant, who account.Citizen) error {
	list, err := s.savedDrafts(r.Context(), who, s.realmOf(t))
	if err != nil {
		return collectAway(err)
	}
	v := savedView{}
	if v.Side, err = s.heldSide(r, t, who, folderDrafts); err != nil {
		return err
	}
	if r.URL.Query().Get("getan") == "geloescht" {
		v.Done = i18n.T(r.Context(), "mailbox.saved.deleted")
	}
	for _, x := range list {
		v.Drafts = append(v.Drafts, s.savedItem(r, t, x))
	}
	return web.Render(w, r, http.StatusOK, web.View{
		Title: i18n.T(r.Context(), "mailbox.saved.title"), Body: savedPage(v), NoIndex: true, Section: "mailbox",
	})
}

func (s *Service) savedItem(r *http.Request, t *tenant.Tenant, x savedDraft) savedItem {
	ctx := r.Context()
	it := savedItem{ID: x.ID, At: x.Updated, Expires: x.Expires, Files: len(x.draft.Files), Lost: x.Lost}
	it.Subject, it.Snippet = x.draft.Values["subject"], excerptOf(x.draft.Values["body"])
	switch {
	case x.Lost:
		it.Subject = i18n.T(ctx, "mailbox.saved.lost")
	case it.Subject == "":
		it.Subject = i18n.T(ctx, "mailbox.saved.nosubject")
	}
	at, ok := s.Directory.ByID(x.Tenant)
	if !ok {
		at = t
	}
	it.Office = i18n.T(ctx, "mailbox.saved.nooffice")
	if box, ok := x.draft.box(at); ok {
		it.Office = box.Title(i18n.Lang(ctx))
	}
	if at.ID != t.ID {
		it.Office = at.Name + " · " + it.Office
		it.Authority, it.Elsewhere = at.Name, s.pageURL(ctx, at, "/postfach/entwuerfe")
	}
	it.Label = strings.Join([]string{it.Subject, i18n.DateTime(ctx, x.Updated)}, ", ")
	return it
}

// postOpenDraft makes a letter of this session from a saved draft.
func (s *Service) postOpenDraft(w http.ResponseWriter, r *http.Request, t *tenant.Tenant, who account.Citizen) error {
	d, err := s.openSaved(r.Context(), who, t.ID, r.PathValue("draft"))
	if err != nil {
		return collectAway(err)
	}
	sess, err := web.StartSession(w, r)
	if err != nil {
		return err
	}
	d.Account = who.ID
	if err := putDraft(sess, d); err != nil {
		return err
	}
	return web.Redirect(w, r, stepPath(min(max(d.Reached, stepOffice), stepCheck), d.ID))
}

func (s *Service) postDeleteDraft(w http.ResponseWriter, r *http.Request, t *tenant.Tenant, who account.Citizen) error {
	if err := s.removeSaved(r.Context(), who, t.ID, r.PathValue("draft")); err != nil {
		return collectAway(err)
	}
	return web.Redirect(w, r, "/postfach/entwuerfe?getan=geloescht")
}
