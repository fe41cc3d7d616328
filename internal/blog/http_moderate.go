package blog

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"poststelle/internal/account"
	"poststelle/internal/fault"
	"poststelle/internal/i18n"
	"poststelle/internal/vault"
	"poststelle/internal/web"
	"poststelle/internal/web/ui"
)

const maxBulk = 100

// stateOf returns the list of comments that a word in the address names.
func stateOf(word string) commentState {
	switch word {
	case "oeffentlich":
		return shown
	case "abgelehnt":
		return rejected
	case "entfernt":
		return removed
	}
	return waiting
}

func commentPath(id string) string { return deskPath + "/kommentare/" + url.PathEscape(id) }

func (s *Service) getQueue(w http.ResponseWriter, r *http.Request, who account.Actor) error {
	st := stateOf(r.URL.Query().Get("stand"))
	all, more, err := s.queue(r.Context(), who.Tenant, st, placeOf(r), rowsPerPage)
	if err != nil {
		return err
	}
	v := queueView{Rows: all, Waiting: st == waiting, Said: said(r)}
	base, here := deskPath+"/kommentare", ""
	for _, word := range []string{"", "?stand=oeffentlich", "?stand=abgelehnt", "?stand=entfernt"} {
		of := stateOf(strings.TrimPrefix(word, "?stand="))
		v.Chips = append(v.Chips, ui.NavItem{Href: base + word, Label: i18n.T(r.Context(), "blog.queue.state."+string(of)), Current: of == st})
		if of == st {
			here = base + word
		}
	}
	var next cursor
	if more {
		last := all[len(all)-1]
		next = cursor{last.Created, last.ID}
	}
	v.Pager = pagerOf(r, here, next)
	return s.renderDesk(w, r, http.StatusOK, web.View{Title: i18n.T(r.Context(), "blog.queue.title"), Body: queuePage(v)})
}

// postQueue approves or deletes the comments that were chosen. Rejecting needs a
// reason and happens on the page of a comment.
func (s *Service) postQueue(w http.ResponseWriter, r *http.Request, who account.Actor) error {
	form, err := web.Form(r)
	if err != nil {
		return err
	}
	ids := form.All("kommentar")
	if len(ids) > maxBulk {
		return fault.With(fault.TooLarge, "web.form.many")
	}
	word := form.Get("aktion")
	for _, id := range ids {
		switch word {
		case "freigeben":
			_, err = s.Approve(r.Context(), who, id)
		case "werbung":
			_, err = s.Reject(r.Context(), who, id, "werbung", i18n.T(r.Context(), "blog.ground.werbung"))
		}
		if kind := fault.KindOf(err); err != nil && kind != fault.NotFound && kind != fault.Conflict {
			return err
		}
	}
	if len(ids) > 0 && (word == "freigeben" || word == "werbung") {
		if err := s.say(r, word); err != nil {
			return err
		}
	}
	return web.Redirect(w, r, deskPath+"/kommentare")
}

func (s *Service) getComment(w http.ResponseWriter, r *http.Request, who account.Actor) error {
	return s.showComment(w, r, who, http.StatusOK, nil, moderateView{})
}

func (s *Service) showComment(w http.ResponseWriter, r *http.Request, who account.Actor, status int, e fieldErrors, v moderateView) error {
	q, day, err := s.comment(r.Context(), who.Tenant, r.PathValue("id"))
	if err != nil {
		return err
	}
	v.queued, v.Said = q, said(r)
	v.Evidence = day != "" && who.May(account.Editor, account.DPO)
	for f := range strings.FieldsSeq(q.Flags) {
		v.Reasons = append(v.Reasons, i18n.T(r.Context(), "blog.flag."+f))
	}
	v.Grounds = groundOptions(r, v.Ground)
	v.GroundError, v.TextError, v.Errors = e.of(r, "grund"), e.of(r, "begruendung"), e.summary(r)
	return s.renderDesk(w, r, status, web.View{Title: i18n.T(r.Context(), "blog.moderate.title"), Body: moderatePage(v), Errors: len(e), Narrow: true})
}

func (s *Service) postDecision(w http.ResponseWriter, r *http.Request, who account.Actor) error {
	form, err := web.Form(r)
	if err != nil {
		return err
	}
	id, ctx := r.PathValue("id"), r.Context()
	word := form.Get("aktion")
	switch word {
	case "freigeben":
		_, err = s.Approve(ctx, who, id)
	case "ablehnen":
		_, err = s.Reject(ctx, who, id, form.Get("grund"), form.Get("begruendung"))
	case "loeschen":
		word = "weg"
		err = s.discard(ctx, who, id)
	default:
		err = fault.Invalid
	}
	if e, ok := invalid(err); ok {
		v := moderateView{Ground: form.Get("grund"), Text: form.Get("begruendung")}
		return s.showComment(w, r, who, http.StatusUnprocessableEntity, e, v)
	}
	if err == nil {
		err = s.say(r, word)
	}
	if err != nil {
		return err
	}
	return web.Redirect(w, r, deskPath+"/kommentare")
}

func (s *Service) getCases(w http.ResponseWriter, r *http.Request, who account.Actor) error {
	open := r.URL.Query().Get("stand") != "erledigt"
	all, more, err := s.cases(r.Context(), who.Tenant, open, placeOf(r), rowsPerPage)
	if err != nil {
		return err
	}
	base, ctx := deskPath+"/meldungen", r.Context()
	v := casesView{Rows: all, Said: said(r), Chips: []ui.NavItem{
		{Href: base, Label: i18n.T(ctx, "blog.cases.open"), Current: open},
		{Href: base + "?stand=erledigt", Label: i18n.T(ctx, "blog.cases.done"), Current: !open},
	}}
	if !open {
		base += "?stand=erledigt"
	}
	var next cursor
	if more {
		last := all[len(all)-1].inquiry
		next = cursor{last.Created, last.ID}
	}
	v.Pager = pagerOf(r, base, next)
	return s.renderDesk(w, r, http.StatusOK, web.View{Title: i18n.T(ctx, "blog.cases.title"), Body: casesPage(v)})
}

func (s *Service) getCase(w http.ResponseWriter, r *http.Request, who account.Actor) error {
	return s.showCase(w, r, who, http.StatusOK, nil, caseView{})
}

func (s *Service) showCase(w http.ResponseWriter, r *http.Request, who account.Actor, status int, e fieldErrors, v caseView) error {
	a, err := s.inquiry(r.Context(), who.Tenant, r.PathValue("id"))
	if err != nil {
		return err
	}
	v.asked = a
	if v.Ground == "" {
		v.Ground = a.Ground
	}
	v.Grounds = groundOptions(r, v.Ground)
	for _, d := range decisions(a.Kind) {
		v.Decisions = append(v.Decisions, ui.Option{Value: d, Label: i18n.T(r.Context(), "blog.decide."+d), Selected: d == v.Choice})
	}
	v.ChoiceError, v.GroundError, v.TextError, v.Errors = e.of(r, "entscheidung"), e.of(r, "grund"), e.of(r, "begruendung"), e.summary(r)
	return s.renderDesk(w, r, status, web.View{Title: i18n.T(r.Context(), "blog.case."+a.Kind), Body: casePage(v), Errors: len(e), Narrow: true})
}

func (s *Service) postCase(w http.ResponseWriter, r *http.Request, who account.Actor) error {
	form, err := web.Form(r)
	if err != nil {
		return err
	}
	v := caseView{Choice: form.Get("entscheidung"), Ground: form.Get("grund"), Text: form.Get("begruendung")}
	err = s.Answer(r.Context(), who, r.PathValue("id"), v.Choice, v.Ground, v.Text)
	if e, ok := invalid(err); ok {
		return s.showCase(w, r, who, http.StatusUnprocessableEntity, e, v)
	}
	if err == nil {
		err = s.say(r, "answered")
	}
	if err != nil {
		return err
	}
	return web.Redirect(w, r, deskPath+"/meldungen")
}

// opened is an address that was opened: for the next page, once, and for nobody
// else.
type opened struct {
	Comment, Address string
	At               time.Time
}

const openedKey = "blog.opened"

func (s *Service) getEvidence(w http.ResponseWriter, r *http.Request, who account.Actor) error {
	all, err := s.Vault.EvidenceRequests(r.Context(), who.Grant, string(who.Tenant))
	if err != nil {
		return err
	}
	names, err := s.Accounts.Names(r.Context(), who.Tenant)
	if err != nil {
		return err
	}
	v := evidenceView{Said: said(r), Desk: who.May(account.Editor, account.Admin)}
	for _, q := range all {
		v.Rows = append(v.Rows, evidenceRow{EvidenceRequest: q, Name: names[q.By], Ground: i18n.T(r.Context(), "blog.evidence.ground."+q.Ground)})
	}
	if session := web.SessionOf(r); session != nil {
		if raw, ok := session.Get(openedKey); ok {
			session.Delete(openedKey)
			if json.Unmarshal(raw, &v.Opened) != nil {
				v.Opened = opened{}
			}
		}
	}
	page := web.View{Title: i18n.T(r.Context(), "blog.evidence.title"), Body: evidencePage(v)}
	if !v.Desk {
		page.Section = "evidence" // a place of its own in the navigation of who has no desk
	}
	return s.renderDesk(w, r, http.StatusOK, page)
}

func (s *Service) getAskEvidence(w http.ResponseWriter, r *http.Request, who account.Actor) error {
	return s.showAskEvidence(w, r, who, http.StatusOK, nil, askView{})
}

func (s *Service) showAskEvidence(w http.ResponseWriter, r *http.Request, who account.Actor, status int, e fieldErrors, v askView) error {
	q, day, err := s.comment(r.Context(), who.Tenant, r.PathValue("id"))
	if err == nil && day == "" {
		err = errNoEvidence
	}
	if err != nil {
		return err
	}
	v.queued = q
	for _, g := range vault.EvidenceGrounds() {
		v.Grounds = append(v.Grounds, ui.Option{Value: g, Label: i18n.T(r.Context(), "blog.evidence.ground."+g), Selected: g == v.Ground})
	}
	v.GroundError, v.TextError, v.Errors = e.of(r, "ground"), e.of(r, "reason"), e.summary(r)
	return s.renderDesk(w, r, status, web.View{Title: i18n.T(r.Context(), "blog.evidence.ask"), Body: askPage(v), Errors: len(e), Narrow: true})
}

func (s *Service) postAskEvidence(w http.ResponseWriter, r *http.Request, who account.Actor) error {
	form, err := web.Form(r)
	if err != nil {
		return err
	}
	v := askView{Ground: form.Get("ground"), Text: form.Get("reason")}
	err = s.askEvidence(r.Context(), who, r.PathValue("id"), v.Ground, v.Text)
	if e, ok := invalid(err); ok {
		return s.showAskEvidence(w, r, who, http.StatusUnprocessableEntity, e, v)
	}
	if err == nil {
		err = s.say(r, "asked")
	}
	if err != nil {
		return err
	}
	return web.Redirect(w, r, deskPath+"/nachweise")
}

// postEvidence grants or refuses a request. What was opened is shown on the next
// page once; the session keeps it until then.
func (s *Service) postEvidence(w http.ResponseWriter, r *http.Request, who account.Actor) error {
	form, err := web.Form(r)
	if err != nil {
		return err
	}
	ctx, id := r.Context(), r.PathValue("id")
	switch form.Get("aktion") {
	case "ablehnen":
		if err = s.refuseEvidence(ctx, who, id); err == nil {
			err = s.say(r, "refused")
		}
	case "oeffnen":
		var comment string
		var at netip.Addr
		if comment, at, err = s.grantEvidence(ctx, who, id); err == nil {
			raw, _ := json.Marshal(opened{Comment: comment, Address: at.String(), At: s.Now()}) // a struct of texts
			err = web.SessionOf(r).Put(openedKey, raw)
		}
	default:
		err = fault.Invalid
	}
	if err != nil {
		return err
	}
	return web.Redirect(w, r, deskPath+"/nachweise")
}
