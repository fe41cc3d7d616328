package mailbox

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"poststelle/internal/account"
	"poststelle/internal/fault"
	"poststelle/internal/i18n"
	"poststelle/internal/tenant"
	"poststelle/internal/web"
)

func (s *Service) getThread(w http.ResponseWriter, r *http.Request, who account.Actor) error {
	d, err := staffDraft(r, who, r.PathValue("id"), r.URL.Query().Get("entwurf"))
	if err != nil {
		d = draft{}
	}
	return s.showThread(w, r, who, http.StatusOK, threadForms{Draft: d.ID, Files: d.Files, Body: d.Values["body"]})
}

// threadForms is the state of the forms on the thread page.
type threadForms struct {
	Draft    string // id of the draft; "" = a new one
	Files    []upload
	Body     string
	Note     string
	Wrong    fieldErrors
	Conflict bool
	Seen     string // last message the person had seen
}

// showThread draws the thread with its forms.
func (s *Service) showThread(w http.ResponseWriter, r *http.Request, who account.Actor, status int, forms threadForms) error {
	v, err := s.threadView(r, who, r.PathValue("id"), forms)
	if err != nil {
		return err
	}
	if status == http.StatusOK {
		v.Done, v.HasDone = s.doneOn(r, v.ID, v.Changed)
	}
	return web.Render(w, r, status, web.View{
		Title: v.Title, Body: threadPage(v), Errors: len(forms.Wrong), Staff: true, Section: "inbox",
	})
}

// doneOn says what the person did last on a thread, unless something else has
// happened to it since: "closed" over a thread that is open again would be wrong.
func (s *Service) doneOn(r *http.Request, id string, changed time.Time) (string, bool) {
	u, ok := s.said(r, id)
	if !ok || changed.After(u.At) {
		return "", false
	}
	return undone(r, u), true
}

// act runs one action without fields of its own and leads back to the thread.
func (s *Service) act(w http.ResponseWriter, r *http.Request, done string, do func(id string) error) error {
	id := r.PathValue("id")
	if err := do(id); err != nil {
		return err
	}
	if err := s.remember(r, undo{Done: done, Thread: id}); err != nil {
		return err
	}
	return web.Redirect(w, r, casePath(id))
}

func (s *Service) postAssign(w http.ResponseWriter, r *http.Request, who account.Actor) error {
	form, err := web.Form(r)
	if err != nil {
		return err
	}
	person := form.Get("person")
	if person == "ich" {
		person = who.Person
	}
	return s.act(w, r, "zugewiesen", func(id string) error { return s.assign(r.Context(), who, id, person) })
}

func (s *Service) postClose(w http.ResponseWriter, r *http.Request, who account.Actor) error {
	return s.act(w, r, "geschlossen", func(id string) error { return s.closeThread(r.Context(), who, id) })
}

// postReopen opens a closed thread again; the draft that waits for it, if any,
// is shown again.
func (s *Service) postReopen(w http.ResponseWriter, r *http.Request, who account.Actor) error {
	form, err := web.Form(r)
	if err != nil {
		return err
	}
	id := r.PathValue("id")
	if err := s.reopenThread(r.Context(), who, id); err != nil {
		return err
	}
	if err := s.remember(r, undo{Done: "geoeffnet", Thread: id}); err != nil {
		return err
	}
	if d := form.Get("entwurf"); validDraftID(d) {
		return web.Redirect(w, r, casePath(id)+"?entwurf="+d)
	}
	return web.Redirect(w, r, casePath(id))
}

func (s *Service) postRead(w http.ResponseWriter, r *http.Request, who account.Actor) error {
	return s.act(w, r, "gelesen", func(id string) error { return s.markRead(r.Context(), who, id) })
}

// maxReason is the longest reason of a forward, in characters.
const maxReason = 1000

func (s *Service) getForward(w http.ResponseWriter, r *http.Request, who account.Actor) error {
	return s.showForward(w, r, who, http.StatusOK, forwardView{Tell: true})
}

func (s *Service) showForward(w http.ResponseWriter, r *http.Request, who account.Actor, status int, v forwardView) error {
	t, err := s.tenantOf(r)
	if err != nil {
		return err
	}
	th, err := s.head(r.Context(), who, r.PathValue("id"))
	if err != nil {
		return err
	}
	v.fill(r, t, th)
	return web.Render(w, r, status, web.View{
		Title: v.Title, Body: forwardPage(v), Errors: len(v.Wrong), Staff: true, Narrow: true, Section: "inbox",
	})
}

func (s *Service) postForward(w http.ResponseWriter, r *http.Request, who account.Actor) error {
	t, err := s.tenantOf(r)
	if err != nil {
		return err
	}
	id := r.PathValue("id")
	th, err := s.head(r.Context(), who, id)
	if err != nil {
		return err
	}
	form, err := web.Form(r)
	if form == nil {
		return err
	}
	v := forwardView{To: form.Get("mailbox"), Reason: strings.TrimSpace(form.Get("grund")), Tell: form.Has("mitteilen")}
	v.Wrong = append(fault.FieldsOf(err), checkForward(t, v)...)
	if len(v.Wrong) == 0 {
		to, _ := t.Mailbox(tenant.MailboxID(v.To))
		err = s.forward(r.Context(), who, id, to, v.Reason, v.Tell)
		v.Wrong = fault.FieldsOf(err)
	}
	if len(v.Wrong) > 0 {
		return s.showForward(w, r, who, http.StatusUnprocessableEntity, v)
	}
	if err != nil {
		return err
	}
	return s.leave(w, r, undo{Done: "weitergeleitet", Number: th.Number})
}

func checkForward(t *tenant.Tenant, v forwardView) (wrong []fault.Field) {
	if _, ok := t.Mailbox(tenant.MailboxID(v.To)); !ok {
		wrong = append(wrong, fault.Field{Name: "mailbox", Key: "mailbox.error.forward.target"})
	}
	switch {
	case v.Reason == "":
		wrong = append(wrong, fault.Field{Name: "grund", Key: "mailbox.error.forward.reason"})
	case utf8.RuneCountInString(v.Reason) > maxReason:
		wrong = append(wrong, fault.Field{Name: "grund", Key: "mailbox.error.forward.long", Args: []any{"max", maxReason}})
	}
	return wrong
}

// leave goes to the inbox and says there what was done.
func (s *Service) leave(w http.ResponseWriter, r *http.Request, u undo) error {
	if err := s.remember(r, u); err != nil {
		return err
	}
	return web.Redirect(w, r, "/amt/eingang")
}

// grounds are the reasons for which an office deletes.
func grounds() []string { return []string{"erledigt", "zurueckgezogen", "irrtum", "sonstiges"} }

// deleteForm is what the form of the deletion carried.
type deleteForm struct {
	Ground  string
	Version int // of the thread when the form was shown
	Held    int // messages and notes that the page named
	Changed bool
	Wrong   fieldErrors
}

func readDelete(form *web.Values) deleteForm {
	in := deleteForm{Ground: form.Get("grund")}
	in.Version, _ = strconv.Atoi(form.Get("version"))
	in.Held, _ = strconv.Atoi(form.Get("anzahl"))
	return in
}

func (s *Service) getDelete(w http.ResponseWriter, r *http.Request, who account.Actor) error {
	return s.showDelete(w, r, who, http.StatusOK, deleteForm{})
}

func (s *Service) showDelete(w http.ResponseWriter, r *http.Request, who account.Actor, status int, form deleteForm) error {
	v, err := s.deleteView(r, who, r.PathValue("id"), form)
	if err != nil {
		return err
	}
	return web.Render(w, r, status, web.View{
		Title: v.Title, Body: deletePage(v), Errors: len(form.Wrong), Staff: true, Narrow: true, Section: "inbox",
	})
}

func (s *Service) postDelete(w http.ResponseWriter, r *http.Request, who account.Actor) error {
	id := r.PathValue("id")
	th, err := s.head(r.Context(), who, id)
	if err != nil {
		return err
	}
	form, err := web.Form(r)
	if err != nil {
		return err
	}
	in := readDelete(form)
	if !slices.Contains(grounds(), in.Ground) {
		in.Wrong = fieldErrors{{Name: "grund", Key: "mailbox.error.delete.ground"}}
		return s.showDelete(w, r, who, http.StatusUnprocessableEntity, in)
	}
	err = s.remove(r.Context(), who, id, in.Version, in.Ground)
	if errors.Is(err, fault.Conflict) {
		in.Changed = !errors.Is(err, errExcepted)
		return s.showDelete(w, r, who, http.StatusConflict, in)
	}
	if err != nil {
		return err
	}
	return s.leave(w, r, undo{Done: "geloescht", Number: th.Number})
}

func (s *Service) getPrint(w http.ResponseWriter, r *http.Request, who account.Actor) error {
	v, err := s.printView(r, who, r.PathValue("id"), r.URL.Query().Get("antwort"))
	if err != nil {
		return err
	}
	return web.Render(w, r, http.StatusOK, web.View{Title: v.Title, Body: printPage(v), Staff: true, Narrow: true, Print: "brief", Section: "inbox"})
}

func (s *Service) getStaffFile(w http.ResponseWriter, r *http.Request, who account.Actor) error {
	return s.staffFile(r.Context(), who, r.PathValue("id"), r.PathValue("message"), r.PathValue("part"), func(c fileCard) (io.Writer, error) {
		web.Attachment(w, r, c.Name, c.Type, c.Size)
		return w, nil
	})
}

// keepText guards the route of a form with a long text. When the session has
// ended, or the vault that would say who is acting does not answer, nothing is
// done, and the page shows the text again: it is in nobody's memory but the
// browser's.
func (s *Service) keepText(field string, h account.StaffHandler) web.Handler {
	return s.Accounts.StaffOrLost(h, func(w http.ResponseWriter, r *http.Request, kind fault.Kind) error {
		return showLost(w, r, kind, postedText(r, field))
	})
}

// showLost says that nothing was sent and shows the text that came.
func showLost(w http.ResponseWriter, r *http.Request, kind fault.Kind, text string) error {
	v, status := lostView{Text: text, Ended: true, Thread: leftPage(r)}, http.StatusForbidden
	if kind == fault.Unavailable {
		v.Ended, status = false, http.StatusServiceUnavailable
	} else if web.SessionState(r) == web.None { // signed out in another tab, or the browser was closed
		v.Ended, v.Cookie = false, true
	}
	return web.Render(w, r, status, web.View{
		Title: i18n.T(r.Context(), "mailbox.staff.lost.title"), Body: lostPage(v), Staff: true, Narrow: true, NoIndex: true,
	})
}
