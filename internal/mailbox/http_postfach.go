package mailbox

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"poststelle/internal/account"
	"poststelle/internal/fault"
	"poststelle/internal/i18n"
	"poststelle/internal/tenant"
	"poststelle/internal/web"
	"poststelle/internal/web/ui"
)

// citizenHandler is a handler that knows which registered person is signed in.
type citizenHandler func(w http.ResponseWriter, r *http.Request, t *tenant.Tenant, who account.Citizen) error

func (s *Service) postfachRoutes(all *web.Router) {
	rt := all.For(s.Accounts.CitizenRule())
	const one = "/postfach/{id}"
	rt.Handle("GET /postfach", s.citizen(s.getPostfach))
	rt.Handle("GET /postfach/uebernehmen", s.citizen(s.getAdopt))
	rt.Handle("POST /postfach/uebernehmen", s.citizen(s.postAdopt))
	rt.Handle("GET /postfach/entwuerfe", s.citizen(s.getSavedDrafts))
	rt.Handle("POST /postfach/entwuerfe/{draft}/oeffnen", s.citizen(s.postOpenDraft))
	rt.Handle("POST /postfach/entwuerfe/{draft}/loeschen", s.citizen(s.postDeleteDraft))
	rt.Handle("GET "+ownPermitsPath, s.citizen(s.getPermit))
	rt.Handle("POST "+ownPermitsPath, s.postPermit, web.Under(s.Accounts.CitizenFormRule()))
	rt.Handle("POST "+ownPermitsPath+"/{id}/zuruecknehmen", s.citizen(s.postTakeBack))
	rt.Handle("GET "+one, s.held(s.getCollected))
	rt.Handle("GET "+one+"/verlauf", s.held(s.getHistory))
	rt.Handle("GET "+one+"/datei/{message}/{part}", s.held(s.getCollectedFile))
	rt.Handle("GET "+one+"/quittung.txt", s.held(s.getCollectedReceipt))
	rt.Handle("POST "+one+"/antwort", s.postHeldAgain, web.Under(s.Accounts.CitizenFormRule()), web.BodyLimit(uploadLimit))
	rt.Handle("POST "+one+"/gelesen", s.held(s.postHeldRead))
	rt.Handle("POST "+one+"/benachrichtigung", s.held(s.postHeldNotice))
	rt.Handle("GET "+one+"/rueckzug", s.held(s.getWithdrawal))
	rt.Handle("POST "+one+"/rueckzug", s.held(s.postWithdrawal))
	rt.Handle("GET "+one+"/entfernen", s.held(s.getLetGo))
	rt.Handle("POST "+one+"/entfernen", s.held(s.postLetGo))
}

// heldPath is the address of a thread in the mailbox.
func heldPath(id string) string { return "/postfach/" + url.PathEscape(id) }

// citizen guards a route for signed-in people with an account.
func (s *Service) citizen(h citizenHandler) web.Handler {
	return s.Accounts.SignedIn(func(w http.ResponseWriter, r *http.Request) error {
		t, err := s.tenantOf(r)
		if err != nil {
			return err
		}
		who, err := s.Accounts.Citizen(r)
		if err != nil {
			return err
		}
		return h(w, r, t, who)
	})
}

// held guards the route of one thread: whoever does not have it in their mailbox
// gets the answer of a thread that never was.
func (s *Service) held(h threadHandler) web.Handler {
	return s.citizen(func(w http.ResponseWriter, r *http.Request, t *tenant.Tenant, who account.Citizen) error {
		c, err := s.heldOf(w, r, t, who)
		if err != nil {
			return err
		}
		return h(w, r, t, c)
	})
}

// heldOf returns the thread of the address with what the session knows of the
// next letter in it.
func (s *Service) heldOf(w http.ResponseWriter, r *http.Request, t *tenant.Tenant, who account.Citizen) (collected, error) {
	id := r.PathValue("id")
	h, err := s.hold(r.Context(), who, t.ID, id)
	if err != nil {
		return collected{}, err
	}
	c := collected{ID: id, Thread: id, holder: who, holding: h}
	sess, err := web.StartSession(w, r)
	if err != nil {
		return c, err
	}
	err = sess.Update(c.key(), func(raw []byte) ([]byte, error) {
		if raw == nil {
			return encode(c), nil
		}
		c = collected{}
		err := json.Unmarshal(raw, &c)
		c.holder, c.holding = who, h
		return raw, err
	})
	return c, err
}

func (s *Service) getPostfach(w http.ResponseWriter, r *http.Request, t *tenant.Tenant, who account.Citizen) error {
	f := parseHeldFilter(r.URL.Query())
	page, err := s.heldPage(r.Context(), who, s.realmOf(t), f)
	if err != nil {
		return collectAway(err)
	}
	v := s.postfachView(r, t, f, page)
	return web.Render(w, r, http.StatusOK, web.View{
		Title: i18n.T(r.Context(), "mailbox.postfach.title"), Body: postfachPage(v), NoIndex: true, Section: "mailbox",
	})
}

// getHistory is the whole matter on paper.
func (s *Service) getHistory(w http.ResponseWriter, r *http.Request, t *tenant.Tenant, c collected) error {
	o, err := s.readCollected(r.Context(), t.ID, c)
	if err != nil {
		return collectAway(err)
	}
	v := s.historyView(r, t, c, o)
	return web.Render(w, r, http.StatusOK, web.View{
		Title: i18n.T(r.Context(), "mailbox.postfach.history"), Body: historyPage(v), NoIndex: true, Section: "mailbox", Print: "brief",
	})
}

// postHeldAgain takes another letter of the person. Who is no longer signed in
// gets back what was typed.
func (s *Service) postHeldAgain(w http.ResponseWriter, r *http.Request) error {
	t, err := s.tenantOf(r)
	if err != nil {
		return err
	}
	who, err := s.Accounts.Citizen(r)
	if errors.Is(err, fault.Denied) {
		return s.refuseAgain(w, r, collected{holder: account.Citizen{ID: "-"}})
	}
	if err != nil {
		return err
	}
	c, err := s.heldOf(w, r, t, who)
	if err != nil {
		return err
	}
	return s.again(w, r, t, c)
}

// postHeldRead marks a thread as read, or as unread again. Reading a page
// changes nothing by itself, as with the staff: a page that a browser fetches
// ahead has been read by nobody.
func (s *Service) postHeldRead(w http.ResponseWriter, r *http.Request, t *tenant.Tenant, c collected) error {
	form, err := web.Form(r)
	if err != nil {
		return err
	}
	unread := form.Get("aktion") == "ungelesen"
	if err := s.changeHolding(r.Context(), c.holder, t.ID, c.Thread, func(h *holding) { h.Unread = unread }); err != nil {
		return err
	}
	if unread {
		return web.Redirect(w, r, "/postfach")
	}
	return web.Redirect(w, r, collectedPath("vorgang", c, "getan=gelesen"))
}

// postHeldNotice switches the mails about this thread.
func (s *Service) postHeldNotice(w http.ResponseWriter, r *http.Request, t *tenant.Tenant, c collected) error {
	form, err := web.Form(r)
	if err != nil {
		return err
	}
	if err := s.changeHolding(r.Context(), c.holder, t.ID, c.Thread, func(h *holding) { h.Notice = form.Has("meldung") }); err != nil {
		return err
	}
	return web.Redirect(w, r, collectedPath("vorgang", c, "getan=meldung"))
}

func (s *Service) getLetGo(w http.ResponseWriter, r *http.Request, t *tenant.Tenant, c collected) error {
	th, err := s.threadOf(r.Context(), t.ID, c.Thread)
	if err != nil {
		return err
	}
	v := letGoView{Action: collectedPath("entfernen", c), Back: collectedPath("vorgang", c), Registered: th.Registered, Number: th.Number}
	return web.Render(w, r, http.StatusOK, web.View{
		Title: i18n.T(r.Context(), "mailbox.letgo.title"), Body: letGoPage(v), NoIndex: true, Section: "mailbox",
	})
}

func (s *Service) postLetGo(w http.ResponseWriter, r *http.Request, t *tenant.Tenant, c collected) error {
	if err := s.letGo(r.Context(), c.holder, t.ID, c.Thread); err != nil {
		return collectAway(err)
	}
	s.forgetCollected(r, c)
	return web.Redirect(w, r, "/postfach?getan=entfernt")
}

// adoptView is the page that takes a matter over with its code.
type adoptView struct {
	Errors []ui.FieldError
	Error  string
	Typed  string // refused, to be corrected
}

func (s *Service) getAdopt(w http.ResponseWriter, r *http.Request, _ *tenant.Tenant, _ account.Citizen) error {
	return s.renderAdopt(w, r, http.StatusOK, adoptView{})
}

func (s *Service) renderAdopt(w http.ResponseWriter, r *http.Request, status int, v adoptView) error {
	return web.Render(w, r, status, web.View{
		Title: i18n.T(r.Context(), "mailbox.adopt.title"), Body: adoptPage(v), Errors: len(v.Errors), NoIndex: true, Section: "mailbox",
	})
}

// postAdopt takes over the matter of a code that is typed, or of one that this
// session has opened. As in postCollect, all wrong codes are alike.
func (s *Service) postAdopt(w http.ResponseWriter, r *http.Request, t *tenant.Tenant, who account.Citizen) error {
	if !s.collects.allow(web.ClientIP(r.Context()), s.Now()) {
		return fault.With(fault.TooMany, "mailbox.collect.rate")
	}
	form, err := web.Form(r)
	if form == nil && fault.KindOf(err) != fault.TooLarge {
		return err
	}
	typed := ""
	if form != nil {
		typed = form.Get("code")
	}
	code := typed
	if c, err := collectedOf(r); err == nil && code == "" {
		code = c.Code
	}
	thread, err := s.adopt(r.Context(), who, t.ID, code)
	if wrong := fieldErrors(fault.FieldsOf(err)); len(wrong) > 0 {
		v := adoptView{Errors: wrong.summary(r), Error: wrong.of(r, "code"), Typed: typedCode(typed)}
		return s.renderAdopt(w, r, http.StatusUnprocessableEntity, v)
	}
	if err != nil {
		return collectAway(err)
	}
	return web.Redirect(w, r, heldPath(thread)+"?getan=uebernommen")
}

// mayAdopt reports whether the page of a code offers to take the matter over.
func (s *Service) mayAdopt(r *http.Request, c collected) bool {
	if c.registered() {
		return false
	}
	_, err := s.Accounts.Citizen(r)
	return err == nil
}

// excerptOf is the beginning of a text on one line.
func excerptOf(text string) string {
	line := oneLine(text)
	if short := []rune(line); len(short) > maxExcerpt {
		return strings.TrimSpace(string(short[:maxExcerpt-1])) + "…"
	}
	return line
}

// maxExcerpt is the longest excerpt of an answer, in characters.
const maxExcerpt = 160
