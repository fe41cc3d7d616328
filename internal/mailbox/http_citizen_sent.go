package mailbox

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"rsc.io/qr"

	"poststelle/internal/fault"
	"poststelle/internal/i18n"
	"poststelle/internal/seal"
	"poststelle/internal/tenant"
	"poststelle/internal/web"
)

// postSend sends the letter. However often the check page is posted, and
// whatever happened to the session in between, there is one letter and one
// code: both follow from the token.
func (s *Service) postSend(w http.ResponseWriter, r *http.Request) error {
	t, err := s.visited(r)
	if err != nil {
		return err
	}
	form, err := web.Form(r)
	if form == nil {
		return s.refuseForm(w, r, t, stepCheck, err)
	}
	d, err := s.letterDraft(r)
	switch {
	case errors.Is(err, fault.NotFound):
		return s.sendAgain(w, r, t, form)
	case err != nil:
		return err
	case d.Sent != nil:
		return web.Redirect(w, r, "/nachricht/gesendet?e="+d.ID)
	case form.Get("aktion") == "zurueck":
		return web.Redirect(w, r, stepPath(stepFiles, d.ID))
	}
	if help, err := keepHelp(w, r, form.Get("hilfe")); help || err != nil {
		return errors.Join(err, web.Redirect(w, r, stepPath(stepCheck, d.ID)))
	}
	if form.Get("aktion") == saveAction {
		return s.saveHere(w, r, stepInput{Tenant: t, Draft: d, Step: stepCheck})
	}
	if n := d.firstOpen(r.Context(), t); n != stepCheck {
		in := stepInput{Tenant: t, Draft: d, Step: n, Errors: d.problems(r.Context(), t, n)}
		return s.renderStep(w, r, http.StatusUnprocessableEntity, in)
	}
	if form.Get("token") != d.Token {
		in := stepInput{Tenant: t, Draft: d, Step: stepCheck, Alert: i18n.T(r.Context(), "mailbox.error.token")}
		return s.renderStep(w, r, http.StatusUnprocessableEntity, in)
	}
	return s.sendDraft(w, r, t, d)
}

// sendDraft stores the letter and leads to the confirmation. When that fails
// the check page comes back with everything on it.
func (s *Service) sendDraft(w http.ResponseWriter, r *http.Request, t *tenant.Tenant, d draft) error {
	if !s.mayWrite(t.ID, web.ClientIP(r.Context())) {
		in := stepInput{Tenant: t, Draft: d, Step: stepCheck, Alert: i18n.T(r.Context(), "mailbox.error.letters")}
		return s.renderStep(w, r, http.StatusTooManyRequests, in)
	}
	sess, account := web.SessionOf(r), d.Account
	var done sent
	var stored, left []upload // part of the letter, and in the draft after it
	confirmed := false
	d, err := sending(sess, d.ID, func(d draft) (err error) {
		if d.Sent != nil { // by a request a moment ago
			done = *d.Sent
			return nil
		}
		stored = d.Files
		d.Account = account
		done, _, err = s.send(r.Context(), t, d.letter(r.Context(), t), letterKeys{
			Token: seal.Token(d.Token), Thread: d.Thread, Message: d.Message, K: d.key(),
		})
		return err
	}, func(d *draft) {
		confirmed, left = true, d.Files
		d.confirm(done)
	})
	if len(fault.FieldsOf(err)) > 0 { // a file is gone from the store
		in := stepInput{Tenant: t, Draft: d, Step: stepFiles, Errors: fault.FieldsOf(err)}
		if in.Draft, err = s.withoutLost(r.Context(), sess, d); err != nil {
			return err
		}
		return s.renderStep(w, r, http.StatusUnprocessableEntity, in)
	}
	if err != nil {
		s.Log.Log(r.Context(), severity(r), "letter not stored", "id", web.RequestID(r.Context()), "tenant", string(t.ID), "kind", fault.KindOf(err).Error(), "error", err)
		return s.renderStep(w, r, http.StatusServiceUnavailable, stepInput{Tenant: t, Draft: d, Step: stepCheck, Unsent: true})
	}
	if !confirmed { // the session ended meanwhile; the letter is stored all the same
		return s.confirmAnew(w, r, t, done, seal.Token(d.Token))
	}
	s.uploads.release(stored)
	if done.Older || len(stored) != len(left) { // some did not become part of the letter
		s.dropSoon(r.Context(), left)
	}
	return web.Redirect(w, r, "/nachricht/gesendet?e="+d.ID)
}

// confirm turns a draft into its confirmation. The text is the office's now and
// goes, unless the letter is stored with an older one.
func (d *draft) confirm(done sent) {
	if d.Sent != nil && (d.Sent.Older || !done.Older) {
		return
	}
	d.Sent, d.Files, d.Unsure = &done, nil, false
	body := d.Values["body"]
	d.Values = map[string]string{}
	if done.Older {
		d.Values["body"] = body
	}
}

// sendAgain answers a check page whose session is gone: with the confirmation
// and the same code when its letter is stored, otherwise with the page that
// says why nothing can be sent any more.
func (s *Service) sendAgain(w http.ResponseWriter, r *http.Request, t *tenant.Tenant, form *web.Values) error {
	token, err := seal.ParseToken(form.Get("token"))
	if err == nil {
		done, err := s.sentBefore(r.Context(), t.ID, token)
		if err == nil {
			return s.confirmAnew(w, r, t, done, token)
		}
		if !errors.Is(err, fault.NotFound) {
			return err
		}
	}
	v := goneView{Title: i18n.T(r.Context(), "mailbox.ended.title"), Text: i18n.T(r.Context(), "mailbox.ended.send"), Again: "/nachricht"}
	if web.SessionState(r) == web.None {
		v.Text = i18n.T(r.Context(), "mailbox.refused.text")
	}
	return web.Render(w, r, http.StatusForbidden, web.View{Title: v.Title, Body: gonePage(v), NoIndex: true, Section: "write"})
}

// confirmAnew shows the confirmation of a stored letter in a new session; at
// once where there is none: to a browser that keeps no cookie, and when there is
// no room. A code that is not shown is lost.
func (s *Service) confirmAnew(w http.ResponseWriter, r *http.Request, t *tenant.Tenant, done sent, token seal.Token) error {
	state := web.SessionState(r)
	d := newDraft()
	d.Token, d.Thread, d.Sent, d.Reached = string(token), done.Thread, &done, stepCheck
	sess, err := web.StartSession(w, r)
	if err == nil {
		err = putDraft(sess, d)
	}
	if state == web.None || err != nil {
		return s.renderSent(w, r, t, d)
	}
	return web.Redirect(w, r, "/nachricht/gesendet?e="+d.ID)
}

// sentDraft returns the letter of the address when it has been sent.
func (s *Service) sentDraft(r *http.Request) (draft, error) {
	d, err := s.letterDraft(r)
	if err == nil && d.Sent == nil {
		err = fault.NotFound
	}
	return d, err
}

func (s *Service) getSent(w http.ResponseWriter, r *http.Request) error {
	t, err := s.tenantOf(r)
	if err != nil {
		return err
	}
	d, err := s.letterDraft(r)
	if errors.Is(err, fault.NotFound) {
		v := goneView{
			Title: i18n.T(r.Context(), "mailbox.sent.closed.title"), Text: i18n.T(r.Context(), "mailbox.sent.closed.text"),
			Again: "/nachricht", Collect: "/abholen", Sent: true,
		}
		if r.URL.Query().Get("getan") == "notiert" {
			v.Title, v.Text = i18n.T(r.Context(), "mailbox.sent.done.title"), i18n.T(r.Context(), "mailbox.sent.done.text")
		}
		return web.Render(w, r, http.StatusOK, web.View{Title: v.Title, Body: gonePage(v), NoIndex: true, Section: "write", FocusH1: true})
	}
	if err != nil {
		return err
	}
	if d.Sent == nil {
		return web.Redirect(w, r, stepPath(d.Reached, d.ID))
	}
	return s.renderSent(w, r, t, d)
}

func (s *Service) renderSent(w http.ResponseWriter, r *http.Request, t *tenant.Tenant, d draft) error {
	return web.Render(w, r, http.StatusOK, web.View{
		Title: i18n.T(r.Context(), "mailbox.sent.title"), Body: sentPage(s.sentView(r, t, d)), FocusH1: true, NoIndex: true, Section: "write",
	})
}

// postNoted drops the code from memory: the person has it now.
func (s *Service) postNoted(w http.ResponseWriter, r *http.Request) error {
	if d, err := s.sentDraft(r); err == nil {
		web.SessionOf(r).Delete(draftPrefix + d.ID)
		return web.Redirect(w, r, "/nachricht/gesendet?getan=notiert")
	}
	return web.Redirect(w, r, "/nachricht/gesendet")
}

// getSentQR draws the code for a phone's camera.
func (s *Service) getSentQR(w http.ResponseWriter, r *http.Request) error {
	d, err := s.sentDraft(r)
	if err != nil {
		return err
	}
	drawing, err := qrSVG(seal.Token(d.Token).Code().String())
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "image/svg+xml")
	w.Header().Set("Content-Length", strconv.Itoa(len(drawing)))
	_, err = w.Write([]byte(drawing))
	return err
}

// qrSVG draws a QR code (ISO/IEC 18004, level M, quiet zone of four modules) as
// one rectangle for each run of dark modules, in black on white.
func qrSVG(text string) (string, error) {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return "", err
	}
	const quiet = 4
	size := strconv.Itoa(code.Size + 2*quiet)
	var b strings.Builder
	b.WriteString(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ` + size + ` ` + size + `" width="240" height="240" shape-rendering="crispEdges">`)
	b.WriteString(`<rect width="` + size + `" height="` + size + `" fill="#fff"/>`)
	for y := range code.Size {
		for x := 0; x < code.Size; x++ {
			start := x
			for x < code.Size && code.Black(x, y) {
				x++
			}
			if x > start {
				b.WriteString(`<rect x="` + strconv.Itoa(start+quiet) + `" y="` + strconv.Itoa(y+quiet) + `" width="` + strconv.Itoa(x-start) + `" height="1"/>`)
			}
		}
	}
	b.WriteString(`</svg>`)
	return b.String(), nil
}

func (s *Service) getSentReceipt(w http.ResponseWriter, r *http.Request) error {
	d, err := s.sentDraft(r)
	if err != nil || d.Sent.Receipt == "" {
		return errors.Join(err, fault.NotFound)
	}
	return writeReceipt(w, r, d.Sent.Number, d.Sent.Receipt)
}

// writeReceipt hands out a receipt as a text file.
func writeReceipt(w http.ResponseWriter, r *http.Request, number, text string) error {
	web.Attachment(w, r, i18n.T(r.Context(), "mailbox.receipt.file", "number", number)+".txt", "text/plain", int64(len(text)))
	_, err := w.Write([]byte(text))
	return err
}
