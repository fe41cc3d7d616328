package mailbox

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"poststelle/internal/fault"
	"poststelle/internal/i18n"
	"poststelle/internal/tenant"
	"poststelle/internal/web"
	"poststelle/internal/web/ui"
)

// uploadLimit is the largest body of a form with files; the limit of the
// mailbox, which is lower, is applied to each file while it arrives.
const uploadLimit = 2<<30 + 4<<20

func (s *Service) citizenRoutes(all *web.Router) {
	rt := all.For(web.Public())
	rt.Handle("GET /", s.getStart)
	rt.Handle("GET /nachricht", s.getBegin)
	rt.Handle("GET /nachricht/{step}", s.getStep)
	rt.Handle("POST /nachricht/{step}", s.postStep)
	rt.Handle("POST /nachricht/4", s.postFiles, web.BodyLimit(uploadLimit))
	rt.Handle("POST /nachricht/5", s.postSend)
	rt.Handle("GET /nachricht/gesendet", s.getSent)
	rt.Handle("POST /nachricht/gesendet", s.postNoted)
	rt.Handle("GET /nachricht/gesendet/qr.svg", s.getSentQR)
	rt.Handle("GET /nachricht/gesendet/quittung.txt", s.getSentReceipt)
	rt.Handle("GET /quittung", s.getReceipt)
	rt.Handle("POST /quittung", s.postReceipt)
}

// getStart shows the offices of an authority, or the finder of the operator.
func (s *Service) getStart(w http.ResponseWriter, r *http.Request) error {
	t, err := s.visited(r)
	if err != nil {
		return err
	}
	if t.Kind == tenant.Operator {
		v := s.finderView(t, r.URL.Query().Get("ort"), i18n.Lang(r.Context()))
		return web.Render(w, r, http.StatusOK, web.View{Title: i18n.T(r.Context(), "mailbox.start.title"), Body: finderPage(v)})
	}
	v := officesOf(t, i18n.Lang(r.Context()))
	return web.Render(w, r, http.StatusOK, web.View{Title: i18n.T(r.Context(), "mailbox.start.title"), Body: startPage(v)})
}

// getBegin starts a letter. The session cookie is set here, before the first
// form is shown: who comes back without it refuses cookies. The letter itself is
// only drawn a name; nothing is kept of who looks and goes away.
func (s *Service) getBegin(w http.ResponseWriter, r *http.Request) error {
	t, err := s.visited(r)
	if err != nil {
		return err
	}
	if _, err := web.StartSession(w, r); err != nil {
		return err
	}
	d := blankDraft(r, t)
	path := stepPath(stepOffice, d.ID)
	if box := d.Values["mailbox"]; box != "" {
		path += "&amt=" + url.QueryEscape(box)
	}
	if r.URL.Query().Get("ende") != "" {
		path += "&ende=1"
	}
	return web.Redirect(w, r, path)
}

// blankDraft returns what the first page of a letter shows before anything is
// answered: the name that the address carries, or a new one, and the office of
// the card that was followed.
func blankDraft(r *http.Request, t *tenant.Tenant) draft {
	d := newDraft()
	if id := r.URL.Query().Get("e"); validDraftID(id) {
		d.ID = id
	}
	if box, ok := t.Mailbox(tenant.MailboxID(r.URL.Query().Get("amt"))); ok {
		d.Values["mailbox"] = string(box.ID)
	}
	return d
}

// firstDraft makes the letter at the first answer, under the name that its form
// carries; NotFound without a live session. Two posts of one form at the same
// time get the same letter.
func firstDraft(r *http.Request, t *tenant.Tenant) (draft, error) {
	sess, d := web.SessionOf(r), blankDraft(r, t)
	if sess == nil {
		return draft{}, fault.NotFound
	}
	if err := makeRoom(sess); err != nil {
		return draft{}, err
	}
	err := sess.Update(draftPrefix+d.ID, func(raw []byte) (_ []byte, err error) {
		if raw == nil {
			return encode(d), nil
		}
		if d, err = decodeDraft(raw); err == nil && d.Token == "" {
			err = fault.NotFound
		}
		return raw, err
	})
	return d, err
}

func stepPath(n int, id string) string { return "/nachricht/" + strconv.Itoa(n) + "?e=" + id }

func stepOf(r *http.Request) (int, error) {
	v := r.PathValue("step")
	if len(v) != 1 || v[0] < '1' || v[0] > '5' {
		return 0, fault.NotFound
	}
	return int(v[0] - '0'), nil
}

// letterDraft returns the unsent letter that the address names, with the account
// of who is signed in.
func (s *Service) letterDraft(r *http.Request) (draft, error) {
	d, err := loadDraft(web.SessionOf(r), r.URL.Query().Get("e"))
	if err == nil && d.Token == "" {
		err = fault.NotFound // an answer or another message of this session
	}
	d.Account = s.writer(r, d)
	return d, err
}

func (s *Service) getStep(w http.ResponseWriter, r *http.Request) error {
	n, err := stepOf(r)
	if err != nil {
		return err
	}
	t, err := s.visited(r)
	if err != nil {
		return err
	}
	d, err := s.letterDraft(r)
	named, ended := r.URL.Query().Get("e") != "", r.URL.Query().Get("ende") != ""
	switch {
	case err != nil && n == stepOffice: // shown at once: a redirect would go round for ever without cookies
		ended = ended || named && web.SessionState(r) == web.Ended
		if _, err := web.StartSession(w, r); err != nil {
			return err
		}
		d = blankDraft(r, t)
		d.Account = s.writer(r, d)
	case err != nil && named:
		return web.Redirect(w, r, "/nachricht?ende=1")
	case err != nil:
		return web.Redirect(w, r, "/nachricht")
	case d.Sent != nil:
		return web.Redirect(w, r, "/nachricht/gesendet?e="+d.ID)
	case n > d.Reached:
		return web.Redirect(w, r, stepPath(d.Reached, d.ID))
	}
	return s.renderStep(w, r, http.StatusOK, stepInput{Tenant: t, Draft: d, Step: n, Ended: ended, Saved: r.URL.Query().Get("getan") == saveAction})
}

// stepInput is what a page of the assistant is made from.
type stepInput struct {
	Tenant *tenant.Tenant
	Draft  draft
	Step   int
	Errors fieldErrors
	Ended  bool   // a session has ended: earlier answers are gone
	Lost   bool   // the session of this very request has ended
	Alert  string // sentence that something failed
	Unsent bool   // sending failed
	Saved  bool   // the draft has just been saved
}

func (s *Service) renderStep(w http.ResponseWriter, r *http.Request, status int, in stepInput) error {
	v := s.stepView(r, in)
	return web.Render(w, r, status, web.View{
		Title: stepTitle(r.Context(), in.Step), Body: stepPage(v), Errors: len(v.Errors), NoIndex: true, Section: "write",
		FocusH1: in.Step > stepOffice && status == http.StatusOK,
	})
}

// postStep keeps the answers of step 1, 2 or 3 and goes on, back, or nowhere.
func (s *Service) postStep(w http.ResponseWriter, r *http.Request) error {
	n, err := stepOf(r)
	if err != nil || n == stepFiles || n == stepCheck {
		return fault.NotFound
	}
	t, err := s.visited(r)
	if err != nil {
		return err
	}
	form, formErr := web.Form(r)
	if form == nil {
		return s.refuseForm(w, r, t, n, formErr)
	}
	d, err := s.letterDraft(r)
	if errors.Is(err, fault.NotFound) && n == stepOffice {
		d, err = firstDraft(r, t)
		d.Account = s.writer(r, d)
	}
	if errors.Is(err, fault.NotFound) {
		return s.postWithoutDraft(w, r, t, n, form)
	}
	if err != nil {
		return err
	}
	if d.Sent != nil {
		return web.Redirect(w, r, "/nachricht/gesendet?e="+d.ID)
	}
	return s.saveStep(w, r, stepInput{Tenant: t, Draft: d, Step: n, Errors: fault.FieldsOf(formErr)}, form)
}

// saveStep stores what was typed and answers with the next page, the page
// before, or this page with what is wrong.
func (s *Service) saveStep(w http.ResponseWriter, r *http.Request, in stepInput, form *web.Values) error {
	n, action := in.Step, form.Get("aktion")
	help, err := keepHelp(w, r, form.Get("hilfe"))
	if err != nil {
		return err
	}
	d, err := changeDraft(web.SessionOf(r), in.Draft.ID, func(d *draft) error {
		if d.Sending > 0 || d.Sent != nil {
			return fault.With(fault.Conflict, "mailbox.error.sending")
		}
		if in.Errors.oversized() {
			return fault.TooLarge
		}
		d.Account = in.Draft.Account
		d.take(n, form)
		if !help && action != "zurueck" && action != saveAction && len(in.Errors) == 0 && len(d.problems(r.Context(), in.Tenant, n)) == 0 {
			d.Reached = max(d.Reached, d.next(r.Context(), in.Tenant, n))
		}
		return nil
	})
	if err != nil {
		in.Draft.take(n, form)
		if errors.Is(err, fault.TooLarge) && !in.Errors.cut() { // for the session: the page alone has it
			in.Errors = in.Errors.with(in.Draft.problems(r.Context(), in.Tenant, n)...)
		}
		if len(in.Errors) > 0 && errors.Is(err, fault.TooLarge) {
			return s.renderStep(w, r, http.StatusUnprocessableEntity, in)
		}
		return s.stepFailed(w, r, in, err)
	}
	switch {
	case help:
		return web.Redirect(w, r, stepPath(n, d.ID))
	case action == "zurueck":
		return web.Redirect(w, r, stepPath(max(n-1, stepOffice), d.ID))
	case action == saveAction && len(in.Errors) == 0: // as far as it is written
		return s.saveHere(w, r, stepInput{Tenant: in.Tenant, Draft: d, Step: n})
	}
	in.Draft, in.Errors = d, in.Errors.with(d.problems(r.Context(), in.Tenant, n)...)
	if len(in.Errors) > 0 {
		return s.renderStep(w, r, http.StatusUnprocessableEntity, in)
	}
	return web.Redirect(w, r, stepPath(d.next(r.Context(), in.Tenant, n), d.ID))
}

// stepFailed shows the step again, with everything that was typed and the
// sentence of the error.
func (s *Service) stepFailed(w http.ResponseWriter, r *http.Request, in stepInput, err error) error {
	in.Alert = sentence(r, err)
	status := web.StatusOf(err)
	if status >= http.StatusInternalServerError {
		s.Log.Log(r.Context(), severity(r), "assistant", "id", web.RequestID(r.Context()), "step", in.Step, "kind", fault.KindOf(err).Error(), "error", err)
	}
	if status == http.StatusRequestEntityTooLarge || status == http.StatusBadRequest {
		w.Header().Set("Connection", "close")
	}
	return s.renderStep(w, r, status, in)
}

// sentence returns what the person is told about an error.
func sentence(r *http.Request, err error) string {
	if fe, ok := errors.AsType[*fault.Error](err); ok && fe.Key != "" {
		return ui.Spelled(i18n.T(r.Context(), fe.Key, fe.Args...))
	}
	switch fault.KindOf(err) {
	case fault.TooLarge:
		return i18n.T(r.Context(), "mailbox.error.toolarge")
	case fault.Conflict:
		return i18n.T(r.Context(), "mailbox.error.sending")
	}
	return i18n.T(r.Context(), "mailbox.error.away")
}

// refuseForm answers a form that could not be read at all: the step is shown
// as it was stored.
func (s *Service) refuseForm(w http.ResponseWriter, r *http.Request, t *tenant.Tenant, n int, formErr error) error {
	d, err := s.letterDraft(r)
	kind := fault.KindOf(formErr)
	if err != nil || d.Sent != nil || kind != fault.TooLarge && kind != fault.Invalid {
		return formErr
	}
	return s.stepFailed(w, r, stepInput{Tenant: t, Draft: d, Step: n}, formErr)
}

// postWithoutDraft answers a step whose session is gone. Nothing of it is left
// on the server (A31–A34); what this request carried is shown again, in a new
// letter, or, where the browser keeps no cookie, as text.
func (s *Service) postWithoutDraft(w http.ResponseWriter, r *http.Request, t *tenant.Tenant, n int, form *web.Values) error {
	if web.SessionState(r) == web.None {
		return s.renderRefused(w, r, n, form)
	}
	d, err := s.freshDraft(w, r, n, form)
	if err != nil {
		return err
	}
	return s.renderStep(w, r, http.StatusForbidden, stepInput{Tenant: t, Draft: d, Step: n, Lost: true})
}

func (s *Service) freshDraft(w http.ResponseWriter, r *http.Request, n int, form *web.Values) (draft, error) {
	sess, err := web.StartSession(w, r)
	if err != nil {
		return draft{}, err
	}
	d := newDraft()
	d.take(n, form)
	d.Reached = n
	return d, putDraft(sess, d)
}

// renderRefused explains that a cookie is needed (A29) and gives back what was
// typed. Who is beyond the first step had one: it went with the browser.
func (s *Service) renderRefused(w http.ResponseWriter, r *http.Request, n int, form *web.Values) error {
	d := draft{Values: map[string]string{}}
	d.take(n, form)
	v := goneView{Title: i18n.T(r.Context(), "mailbox.refused.title"), Text: i18n.T(r.Context(), "mailbox.refused.text"), Again: "/nachricht"}
	if n > stepOffice {
		v.Title = i18n.T(r.Context(), "mailbox.ended.title")
	}
	v.Typed = s.typed(r, n, d)
	return web.Render(w, r, http.StatusForbidden, web.View{Title: v.Title, Body: gonePage(v), NoIndex: true, Section: "write"})
}

// typed lists the texts of a step that are worth giving back.
func (s *Service) typed(r *http.Request, n int, d draft) (out []ui.Pair) {
	for _, name := range stepFieldNames(n) {
		if v := d.Values[name]; v != "" && name != "mailbox" && name != "topic" && name != "reply" {
			out = append(out, ui.Pair{Key: fieldLabel(r.Context(), name), Node: ui.SafeLines(v)})
		}
	}
	return out
}
