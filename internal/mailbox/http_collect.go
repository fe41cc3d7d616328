package mailbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"poststelle/internal/fault"
	"poststelle/internal/i18n"
	"poststelle/internal/mail"
	"poststelle/internal/tenant"
	"poststelle/internal/web"
	"poststelle/internal/web/ui"
)

func (s *Service) collectRoutes(all *web.Router) {
	rt := all.For(web.Public())
	rt.Handle("GET /abholen", s.getCollect)
	rt.Handle("POST /abholen", s.postCollect)
	rt.Handle("GET /abholen/vorgang", s.byCode(s.getCollected))
	rt.Handle("POST /abholen/antwort", s.postAgain, web.BodyLimit(uploadLimit))
	rt.Handle("GET /abholen/datei/{message}/{part}", s.byCode(s.getCollectedFile))
	rt.Handle("GET /abholen/quittung.txt", s.byCode(s.getCollectedReceipt))
	rt.Handle("POST /abholen/benachrichtigung", s.byCode(s.postNotice))
	rt.Handle("GET /abholen/rueckzug", s.byCode(s.getWithdrawal))
	rt.Handle("POST /abholen/rueckzug", s.byCode(s.postWithdrawal))
	rt.Handle("POST /abholen/ende", s.postForget)
}

// collectedPrefix is the beginning of the session keys that hold opened codes.
const collectedPrefix = "abholen."

// maxCollected bounds how many threads one session may have open.
const maxCollected = 12

func (s *Service) getCollect(w http.ResponseWriter, r *http.Request) error {
	return s.renderCollect(w, r, http.StatusOK, collectView{Ended: r.URL.Query().Get("ende") != ""})
}

func (s *Service) renderCollect(w http.ResponseWriter, r *http.Request, status int, v collectView) error {
	return web.Render(w, r, status, web.View{
		Title: i18n.T(r.Context(), "mailbox.collect.title"), Body: collectPage(v), Errors: len(v.Errors), Section: "collect",
	})
}

// postCollect opens a thread by its code. Whatever is wrong with the code, the
// answer is the same in bytes and costs the same, apart from what was typed: it
// stands in the field of this one answer, to be corrected, and nowhere else.
func (s *Service) postCollect(w http.ResponseWriter, r *http.Request) error {
	t, err := s.tenantOf(r)
	if err != nil {
		return err
	}
	if !s.collects.allow(web.ClientIP(r.Context()), s.Now()) {
		return fault.With(fault.TooMany, "mailbox.collect.rate")
	}
	code := ""
	form, err := web.Form(r)
	switch {
	case form != nil:
		code = form.Get("code")
	case fault.KindOf(err) != fault.TooLarge:
		return err
	}
	c, err := s.collect(r.Context(), t.ID, code)
	if wrong := fieldErrors(fault.FieldsOf(err)); len(wrong) > 0 {
		v := collectView{Errors: wrong.summary(r), Error: wrong.of(r, "code"), Typed: typedCode(code)}
		return s.renderCollect(w, r, http.StatusUnprocessableEntity, v)
	}
	if err != nil {
		return collectAway(err)
	}
	if err := keepCollected(w, r, c); err != nil {
		return err
	}
	return web.Redirect(w, r, "/abholen/vorgang?v="+c.ID)
}

// maxTypedCode is the longest code that a field takes, in characters: the 24 of
// a code, with whatever stands between its groups.
const maxTypedCode = 60

// typedCode is a refused code as its field shows it again.
func typedCode(code string) string {
	if short := []rune(code); len(short) > maxTypedCode {
		return string(short[:maxTypedCode])
	}
	return code
}

// collectAway gives the sentence that explains why nothing can be read now.
func collectAway(err error) error {
	if fault.KindOf(err) == fault.Unavailable {
		return &fault.Error{Kind: fault.Unavailable, Key: "mailbox.collect.away", Err: err}
	}
	return err
}

// keepCollected remembers an opened code in the session, under a new session
// id: opening a thread is a change of rights.
func keepCollected(w http.ResponseWriter, r *http.Request, c collected) error {
	old := web.SessionOf(r)
	sess, err := web.StartSession(w, r)
	if err != nil {
		return err
	}
	if old != nil {
		if err := sess.Rotate(w); err != nil {
			return err
		}
	}
	if keys := sess.Keys(collectedPrefix); len(keys) >= maxCollected {
		for _, k := range keys {
			sess.Delete(k)
		}
	}
	return sess.Put(c.key(), encode(c))
}

// collectedOf returns the opened code that the address names; NotFound when
// the session does not have it (any more).
func collectedOf(r *http.Request) (c collected, err error) {
	sess := web.SessionOf(r)
	if sess == nil {
		return c, fault.NotFound
	}
	raw, ok := sess.Get(collectedPrefix + r.URL.Query().Get("v"))
	if !ok {
		return c, fault.NotFound
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		return c, fmt.Errorf("mailbox: opened code in session: %w", err)
	}
	return c, nil
}

// changeCollected changes the session's value in one step.
func changeCollected(r *http.Request, old collected, change func(*collected)) (c collected, err error) {
	sess := web.SessionOf(r)
	if sess == nil {
		return c, fault.NotFound
	}
	err = sess.Update(old.key(), func(raw []byte) ([]byte, error) {
		c = collected{}
		if raw == nil {
			return nil, fault.NotFound
		}
		if err := json.Unmarshal(raw, &c); err != nil {
			return nil, err
		}
		c.holder, c.holding = old.holder, old.holding
		change(&c)
		return encode(c), nil
	})
	return c, err
}

// threadHandler is a handler of an opened thread.
type threadHandler func(w http.ResponseWriter, r *http.Request, t *tenant.Tenant, c collected) error

// byCode runs h for the thread that the address names and a code has opened, and
// leads to the field for the code when the session does not have it.
func (s *Service) byCode(h threadHandler) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		t, err := s.tenantOf(r)
		if err != nil {
			return err
		}
		c, err := collectedOf(r)
		if errors.Is(err, fault.NotFound) {
			return web.Redirect(w, r, "/abholen?ende=1")
		}
		if err != nil {
			return err
		}
		return h(w, r, t, c)
	}
}

// collectedPath is the address of a page about an opened thread, with further
// values of its query.
func collectedPath(path string, c collected, query ...string) string {
	base := "/abholen/" + path
	if c.registered() {
		base = heldPath(c.Thread)
		if path != "vorgang" {
			base += "/" + path
		}
	} else {
		query = append([]string{"v=" + c.ID}, query...)
	}
	if len(query) == 0 {
		return base
	}
	return base + "?" + strings.Join(query, "&")
}

func (s *Service) getCollected(w http.ResponseWriter, r *http.Request, t *tenant.Tenant, c collected) error {
	return s.renderThread(w, r, http.StatusOK, t, c, collectedInput{Done: r.URL.Query().Get("getan")})
}

// collectedInput is what the page of a thread shows besides the thread.
type collectedInput struct {
	Done   string // what has just been done
	Body   string // typed and not sent
	Email  string // typed and refused
	Errors fieldErrors
	Alert  string
}

func (s *Service) renderThread(w http.ResponseWriter, r *http.Request, status int, t *tenant.Tenant, c collected, in collectedInput) error {
	o, err := s.readCollected(r.Context(), t.ID, c)
	if fault.KindOf(err) == fault.NotFound && err != nil {
		return &fault.Error{Kind: fault.NotFound, Key: "mailbox.collect.gone", Err: err}
	}
	if err != nil {
		return collectAway(err)
	}
	c, d, err := s.nextLetter(r, c, o.Mailbox)
	if err != nil {
		return err
	}
	v := s.collectedView(r, t, c, o, d, in)
	return web.Render(w, r, status, web.View{
		// The subject stays out of the title: titles end up in the history of the browser.
		Title: i18n.T(r.Context(), "mailbox.thread.title"), Body: collectedPage(v), Errors: len(v.Errors), NoIndex: true, Section: c.section(), Print: "brief",
	})
}

// nextLetter returns the draft of the next letter in the thread. It is drawn
// with the page, so that a form that is posted twice sends one letter.
func (s *Service) nextLetter(r *http.Request, c collected, box tenant.MailboxID) (collected, draft, error) {
	sess := web.SessionOf(r)
	d, err := loadDraft(sess, c.Draft)
	if err == nil && d.Thread == c.Thread && c.Mailbox == box {
		return c, d, nil
	}
	if err != nil || d.Thread != c.Thread {
		d = newDraft()
		d.Thread, d.Token = c.Thread, ""
		if err := putDraft(sess, d); err != nil {
			return c, d, err
		}
	}
	c, err = changeCollected(r, c, func(c *collected) { c.Draft, c.Mailbox = d.ID, box })
	return c, d, err
}

// postAgain takes another letter of the citizen, its files included.
func (s *Service) postAgain(w http.ResponseWriter, r *http.Request) error {
	t, err := s.tenantOf(r)
	if err != nil {
		return err
	}
	c, err := collectedOf(r)
	if errors.Is(err, fault.NotFound) {
		return s.refuseAgain(w, r, collected{})
	}
	if err != nil {
		return err
	}
	return s.again(w, r, t, c)
}

// again reads the form of another letter in an opened thread.
func (s *Service) again(w http.ResponseWriter, r *http.Request, t *tenant.Tenant, c collected) error {
	if slices.Contains(c.Done, r.URL.Query().Get("e")) {
		return web.Redirect(w, r, collectedPath("vorgang", c, "getan=antwort"))
	}
	c, d, err := s.nextLetter(r, c, c.Mailbox)
	if err != nil {
		return err
	}
	box, ok := t.Mailbox(c.Mailbox)
	if !ok {
		box = d.limits(t)
	}
	p, err := s.readPosted(r, d, box, t.ID)
	if err != nil && web.StatusOf(err) != http.StatusBadRequest {
		in := collectedInput{Body: p.Values.Get("body"), Errors: atFiles(err)}
		if len(in.Errors) == 0 {
			in.Alert = sentence(r, err)
		}
		return s.renderThread(w, r, web.StatusOf(err), t, c, in)
	}
	if err != nil {
		return err
	}
	return s.takeAgain(w, r, t, c, d, p)
}

// takeAgain keeps the files that came, and sends unless another button was
// pressed or something is wrong.
func (s *Service) takeAgain(w http.ResponseWriter, r *http.Request, t *tenant.Tenant, c collected, d draft, p posted) error {
	body := strings.TrimSpace(p.Values.Get("body"))
	in := collectedInput{Body: body, Errors: p.Wrong}
	d, err := s.addUploads(r, d.ID, p.Files, func(d *draft) {
		if !in.Errors.oversized() {
			d.Values["body"] = body
		}
	})
	if gone := p.Values.Get("entfernen"); err == nil && gone != "" {
		d, err = s.removeUpload(r.Context(), web.SessionOf(r), d.ID, gone)
	}
	if err != nil {
		return s.renderThread(w, r, web.StatusOf(err), t, c, collectedInput{Body: body, Alert: sentence(r, err)})
	}
	if len(in.Errors) == 0 && (p.Values.Get("aktion") == "hochladen" || p.Values.Get("entfernen") != "") {
		return web.Redirect(w, r, collectedPath("vorgang", c)+"#antwort")
	}
	switch n := utf8.RuneCountInString(body); {
	case n > maxBody:
		in.Errors = in.Errors.with(fault.Field{Name: "body", Key: "mailbox.error.body.long", Args: []any{"n", maxBody}})
	case len(p.Wrong) > 0: // what is wrong with a file comes first
	case n == 0:
		in.Errors = in.Errors.with(fault.Field{Name: "body", Key: "mailbox.error.body.empty"})
	}
	if len(in.Errors) > 0 {
		return s.renderThread(w, r, http.StatusUnprocessableEntity, t, c, in)
	}
	return s.sendAgainIn(w, r, t, c, d, in)
}

func (s *Service) sendAgainIn(w http.ResponseWriter, r *http.Request, t *tenant.Tenant, c collected, d draft, in collectedInput) error {
	if !s.mayWrite(t.ID, web.ClientIP(r.Context())) {
		in.Alert = i18n.T(r.Context(), "mailbox.error.letters")
		return s.renderThread(w, r, http.StatusTooManyRequests, t, c, in)
	}
	sess := web.SessionOf(r)
	d, err := sending(sess, d.ID, func(d draft) error { return s.writeAgain(r.Context(), t.ID, c, d, in.Body) }, nil)
	older := errors.Is(err, errOlder)
	switch {
	case older:
	case errors.Is(err, fault.NotFound) && d.ID == "":
		return web.Redirect(w, r, collectedPath("vorgang", c, "getan=antwort")) // sent by a request a moment ago
	case len(fault.FieldsOf(err)) > 0:
		in.Errors = append(in.Errors, fault.FieldsOf(err)...)
		if _, err := s.withoutLost(r.Context(), sess, d); err != nil {
			return err
		}
		return s.renderThread(w, r, http.StatusUnprocessableEntity, t, c, in)
	case errors.Is(err, fault.NotFound):
		return s.renderGone(w, r, c, in) // the office has deleted the matter meanwhile
	case err != nil:
		s.Log.Log(r.Context(), severity(r), "letter not stored", "id", web.RequestID(r.Context()), "tenant", string(t.ID), "kind", fault.KindOf(err).Error(), "error", err)
		in.Alert = i18n.T(r.Context(), "mailbox.error.unsent.title") + " " + i18n.T(r.Context(), "mailbox.error.unsent.text")
		return s.renderUnsent(w, r, t, c, in, d)
	}
	_, _ = changeCollected(r, c, func(c *collected) { // the letter is stored, also when the session has just ended
		c.Done = append(c.Done[max(0, len(c.Done)-20):], d.ID)
		if c.Draft == d.ID {
			c.Draft = ""
		}
	})
	sess.Delete(draftPrefix + d.ID)
	s.uploads.release(d.Files)
	if older { // some did not become part of the letter
		s.dropSoon(r.Context(), d.Files)
	}
	if _, err := s.takeIn(r.Context()); err != nil {
		s.wakeIntake() // the letter is stored; it will be shown once the vault has it
	}
	if older {
		in.Alert = i18n.T(r.Context(), "mailbox.error.older.again")
		return s.renderThread(w, r, http.StatusConflict, t, c, in)
	}
	return web.Redirect(w, r, collectedPath("vorgang", c, "getan=antwort"))
}

// renderUnsent gives back what was typed when the letter could not be stored;
// the thread itself may not be readable then.
func (s *Service) renderUnsent(w http.ResponseWriter, r *http.Request, t *tenant.Tenant, c collected, in collectedInput, d draft) error {
	if o, err := s.readCollected(r.Context(), t.ID, c); err == nil && web.SessionOf(r) != nil {
		v := s.collectedView(r, t, c, o, d, in)
		return web.Render(w, r, http.StatusServiceUnavailable, web.View{Title: i18n.T(r.Context(), "mailbox.thread.title"), Body: collectedPage(v), NoIndex: true, Section: c.section()})
	}
	v := goneView{
		Title: i18n.T(r.Context(), "mailbox.error.unsent.title"), Text: i18n.T(r.Context(), "mailbox.error.unsent.text"),
		Typed: []ui.Pair{{Key: fieldLabel(r.Context(), "body"), Node: ui.SafeLines(in.Body)}}, Collect: collectedPath("vorgang", c),
	}
	return web.Render(w, r, http.StatusServiceUnavailable, web.View{Title: v.Title, Body: gonePage(v), NoIndex: true, Section: c.section()})
}

// renderGone says that the matter no longer exists and gives back what was
// typed for it.
func (s *Service) renderGone(w http.ResponseWriter, r *http.Request, c collected, in collectedInput) error {
	v := goneView{
		Title: i18n.T(r.Context(), "mailbox.error.unsent.title"), Text: i18n.T(r.Context(), "mailbox.collect.gone"),
		Typed: []ui.Pair{{Key: fieldLabel(r.Context(), "body"), Node: ui.SafeLines(in.Body)}}, Collect: c.start(),
	}
	return web.Render(w, r, http.StatusNotFound, web.View{Title: v.Title, Body: gonePage(v), NoIndex: true, Section: c.section()})
}

// refuseAgain answers a letter whose session is gone: the text that came with
// the request is given back, the files are not kept.
func (s *Service) refuseAgain(w http.ResponseWriter, r *http.Request, c collected) error {
	v := goneView{Title: i18n.T(r.Context(), "mailbox.ended.title"), Text: i18n.T(r.Context(), "mailbox.ended.answer"), Collect: c.start()}
	if c.registered() {
		v.Text = i18n.T(r.Context(), "mailbox.postfach.ended.answer")
	}
	if web.SessionState(r) == web.None {
		v.Text = i18n.T(r.Context(), "mailbox.refused.text")
	}
	if text := fieldOfParts(r, "body"); text != "" {
		v.Typed = []ui.Pair{{Key: fieldLabel(r.Context(), "body"), Node: ui.SafeLines(text)}}
	}
	return web.Render(w, r, http.StatusForbidden, web.View{Title: v.Title, Body: gonePage(v), NoIndex: true, Section: c.section()})
}

// fieldOfParts reads one text of a form with files and drops the rest.
func fieldOfParts(r *http.Request, name string) string {
	parts, err := web.Parts(r)
	for err == nil {
		var p *web.Part
		if p, err = parts.Next(); err == nil && p.Name == name && !p.IsFile {
			v, _ := p.Value()
			return strings.TrimSpace(v)
		}
	}
	return ""
}

func (s *Service) getCollectedFile(w http.ResponseWriter, r *http.Request, t *tenant.Tenant, c collected) error {
	open := func(f fileCard) (io.Writer, error) {
		web.Attachment(w, r, f.Name, f.Type, f.Size)
		return w, nil
	}
	return collectAway(s.collectFile(r.Context(), t.ID, c, r.PathValue("message"), r.PathValue("part"), open))
}

func (s *Service) getCollectedReceipt(w http.ResponseWriter, r *http.Request, t *tenant.Tenant, c collected) error {
	o, err := s.readCollected(r.Context(), t.ID, c)
	if err != nil {
		return collectAway(err)
	}
	if o.Receipt == "" {
		return fault.NotFound
	}
	return writeReceipt(w, r, o.Number, o.Receipt)
}

// postNotice changes the address for notices without content; an empty one ends
// them.
func (s *Service) postNotice(w http.ResponseWriter, r *http.Request, t *tenant.Tenant, c collected) error {
	form, err := web.Form(r)
	if form == nil {
		return err
	}
	email := strings.TrimSpace(form.Get("email"))
	if email != "" {
		a, err := mail.ParseAddress("email", email)
		if err != nil {
			in := collectedInput{Email: email, Errors: fault.FieldsOf(err)}
			return s.renderThread(w, r, http.StatusUnprocessableEntity, t, c, in)
		}
		email = string(a)
	}
	if err := s.setNotice(r.Context(), t.ID, c, email); err != nil {
		return collectAway(err)
	}
	return web.Redirect(w, r, collectedPath("vorgang", c, "getan=email"))
}

func (s *Service) getWithdrawal(w http.ResponseWriter, r *http.Request, _ *tenant.Tenant, c collected) error {
	v := withdrawalView{Action: collectedPath("rueckzug", c), Back: collectedPath("vorgang", c)}
	return web.Render(w, r, http.StatusOK, web.View{
		Title: i18n.T(r.Context(), "mailbox.withdrawal.title"), Body: withdrawalPage(v), NoIndex: true, Section: c.section(),
	})
}

func (s *Service) postWithdrawal(w http.ResponseWriter, r *http.Request, t *tenant.Tenant, c collected) error {
	if err := s.askWithdrawal(r.Context(), t.ID, c); err != nil {
		return err
	}
	return web.Redirect(w, r, collectedPath("vorgang", c, "getan=rueckzug"))
}

// postForget drops the code and whatever was being written from memory.
func (s *Service) postForget(w http.ResponseWriter, r *http.Request) error {
	if c, err := collectedOf(r); err == nil {
		s.forgetCollected(r, c)
	}
	return web.Redirect(w, r, "/abholen?ende=2")
}

// forgetCollected drops what the session knows of a thread, and what was being
// written in it unless that is being sent.
func (s *Service) forgetCollected(r *http.Request, c collected) {
	sess := web.SessionOf(r)
	if sess == nil {
		return
	}
	var files []upload
	d, err := changeDraft(sess, c.Draft, func(d *draft) error {
		files = nil
		if d.Sending > 0 {
			return fault.Conflict
		}
		files, d.Files = d.Files, nil
		return nil
	})
	if err == nil {
		s.dropSoon(r.Context(), files)
		sess.Delete(draftPrefix + d.ID)
	}
	sess.Delete(c.key())
}
