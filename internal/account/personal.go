package account

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/i18n"
	"poststelle/internal/journal"
	"poststelle/internal/tenant"
	"poststelle/internal/vault"
	"poststelle/internal/web"
)

// startFor is how long a start password opens the page that replaces it.
const startFor = 7 * 24 * time.Hour

// shownFor is how long the secrets of a new access can be read in the session of
// who made them.
const shownFor = 15 * time.Minute

// accessKey is the session value that holds them.
const accessKey = "staff.access"

// personalRoutes registers the pages about the staff of an authority. Leads see
// of them what concerns their mailboxes.
func (a *Accounts) personalRoutes(rt *web.Router) {
	rt.Handle("GET /amt/personal", a.Staff(a.getPersonal), web.Under(a.StaffRule(Admin, Lead)))
	rt.Handle("POST /amt/vorschlag", a.Staff(a.proving(backToProposals, a.postProposal)), web.Under(a.StaffRule(Readers()...)))
	admin := rt.For(a.StaffRule(Admin))
	admin.Handle("GET /amt/personal/neu", a.Staff(a.freshStaff(a.getNewPerson)))
	admin.Handle("POST /amt/personal/neu", a.Staff(a.proving(backTo("/amt/personal/neu"), a.postNewPerson)))
	admin.Handle("GET /amt/personal/zugang", a.Staff(a.getAccess))
	admin.Handle("POST /amt/personal/zugang", a.Staff(a.postAccess))
	const one = "/amt/personal/person/{id}"
	admin.Handle("GET "+one, a.Staff(a.getPerson))
	admin.Handle("POST "+one+"/rolle", a.Staff(a.proving(backToPerson, a.postRole)))
	admin.Handle("POST "+one+"/postfach", a.Staff(a.proving(backToPerson, a.postMembership)))
	admin.Handle("POST "+one+"/vertretung", a.Staff(a.proving(backToPerson, a.postStandIn)))
	admin.Handle("POST "+one+"/zugang", a.Staff(a.proving(backToPerson, a.postRenew)))
	admin.Handle("POST "+one+"/sitzungen", a.Staff(a.proving(backToPerson, a.postSessionsOf)))
	admin.Handle("GET "+one+"/sperren", a.Staff(a.getDisable))
	admin.Handle("POST "+one+"/sperren", a.Staff(a.postDisable))
}

func personPath(id string) string { return "/amt/personal/person/" + url.PathEscape(id) }

// showStaff renders a page about staff.
func showStaff(w http.ResponseWriter, r *http.Request, status int, v web.View) error {
	v.Staff, v.NoIndex = true, true
	if v.Section == "" {
		v.Section = "personal"
	}
	return web.Render(w, r, status, v)
}

func (a *Accounts) getPersonal(w http.ResponseWriter, r *http.Request, who Actor) error {
	return a.showPersonal(w, r, who, http.StatusOK, nil)
}

func (a *Accounts) showPersonal(w http.ResponseWriter, r *http.Request, who Actor, status int, p problems) error {
	ctx := r.Context()
	all, err := a.people(ctx, who)
	if err != nil {
		return err
	}
	v := personalView{Admin: who.Role == Admin, Done: staffDone(r), Errors: p, Rows: all.rows}
	if !v.Admin {
		v.Rows = all.near(who)
	}
	if v.Proposals, err = a.proposals(ctx, who, all); err != nil {
		return err
	}
	if v.StandIns, err = a.standIns(ctx, who, all, ""); err != nil {
		return err
	}
	v.StandIns = slices.DeleteFunc(v.StandIns, func(s standInRow) bool { return s.Waits })
	return showStaff(w, r, status, web.View{Title: i18n.T(ctx, "account.personal.title"), Body: personalPage(v), Errors: len(p)})
}

// staffDone is the sentence about what has just been done, by the word in the
// address.
func staffDone(r *http.Request) string {
	word := r.URL.Query().Get("getan")
	if slices.Contains([]string{
		"rolle", "vorgeschlagen", "aufgenommen", "ausgetreten", "bestaetigt", "abgelehnt", "gesperrt", "vertretung", "beendet", "passwort", "uebergeben",
		"passkey", "ohnepasskey", "sitzung", "abgemeldet",
	}, word) {
		return i18n.T(r.Context(), "account.personal.done."+word)
	}
	return ""
}

func (a *Accounts) getNewPerson(w http.ResponseWriter, r *http.Request, who Actor) error {
	v := newPersonView{Role: Clerk}
	if t := a.typed(r, "/amt/personal/neu"); t != nil {
		v = newPersonView{Name: t.Get("name"), Login: t.Get("kennung"), Mail: t.Get("email"), Role: Role(t.Get("rolle")), Chosen: boxIDs(t["postfach"]), Typed: true}
	}
	return a.showNewPerson(w, r, who, http.StatusOK, v)
}

func (a *Accounts) showNewPerson(w http.ResponseWriter, r *http.Request, who Actor, status int, v newPersonView) error {
	v.Boxes, v.Operator = a.boxes(r.Context(), who.Tenant), a.operator(who.Tenant)
	return showStaff(w, r, status, web.View{
		Title: i18n.T(r.Context(), "account.personal.new.title"), Body: newPersonPage(v), Errors: len(v.Errors), Narrow: true,
	})
}

func (a *Accounts) operator(of tenant.ID) bool {
	t, ok := a.Directory.ByID(of)
	return ok && t.Kind == tenant.Operator
}

// postNewPerson makes an access with a start password. Its secrets are shown on
// the next page, from the session, and kept nowhere else.
func (a *Accounts) postNewPerson(w http.ResponseWriter, r *http.Request, who Actor) error {
	form, err := formOf(r)
	if err != nil {
		return err
	}
	n := NewStaff{
		Tenant: who.Tenant, Login: strings.TrimSpace(form.Get("kennung")), Name: strings.TrimSpace(form.Get("name")), Mail: strings.TrimSpace(form.Get("email")),
		Role: Role(form.Get("rolle")), Password: startPassword(), SecondFactor: true, Start: true,
	}
	if slices.Contains(Readers(), n.Role) {
		for _, m := range form.All("postfach") {
			n.Mailboxes = append(n.Mailboxes, tenant.MailboxID(m))
		}
	}
	v := newPersonView{Name: n.Name, Login: n.Login, Mail: n.Mail, Role: n.Role, Chosen: n.Mailboxes}
	e, err := a.hire(r.Context(), who, n)
	switch {
	case len(fault.FieldsOf(err)) > 0:
		v.Errors = renamed(fault.FieldsOf(err))
	case errors.Is(err, fault.Conflict):
		v.Errors = wrong("kennung", "account.personal.error.login")
	case errors.Is(err, fault.NotFound):
		v.Errors = wrong("postfach", "account.personal.error.mailbox")
	case err != nil:
		return away(err)
	default:
		return a.handOver(w, r, access{Person: e.Person, Name: n.Name, Login: n.Login, Password: n.Password, Secret: e.TOTPSecret, Link: e.TOTPURL})
	}
	return a.showNewPerson(w, r, who, http.StatusUnprocessableEntity, v)
}

// hire adds a person on behalf of an administrator.
func (a *Accounts) hire(ctx context.Context, who Actor, n NewStaff) (vault.Enrolment, error) {
	if n.Name == "" || len(n.Name) > 120 {
		return vault.Enrolment{}, fault.Fields(fault.Field{Name: "name", Key: "account.error.name"})
	}
	t, ok := a.Directory.ByID(n.Tenant)
	if !ok {
		return vault.Enrolment{}, fault.NotFound
	}
	for _, m := range n.Mailboxes {
		if _, ok := t.Mailbox(m); !ok {
			return vault.Enrolment{}, fault.NotFound
		}
	}
	return a.addStaff(ctx, who.by(), n, rand.Text())
}

// begins notes that a person has a start password.
func (a *Accounts) begins(ctx context.Context, of tenant.ID, person string) error {
	return a.DB.Update(ctx, func(tx *db.Tx) error { return updateStart(ctx, tx, of, person, tx.Now.Add(startFor)) })
}

// startPassword draws a password that can be read out and typed: 16 letters and
// figures, 80 bits.
func startPassword() string { return strings.ReplaceAll(grouped(rand.Text()[:16]), " ", "-") }

// renamed gives the vault's fields the names of the form.
func renamed(fields []fault.Field) problems {
	out := slices.Clone(fields)
	for i, f := range out {
		switch f.Name {
		case "login":
			out[i].Name = "kennung"
		case "role":
			out[i].Name = "rolle"
		case "mail":
			out[i].Name = "email"
		case "deputy":
			out[i].Name = "vertretung"
		case "until":
			out[i].Name = "bis"
		}
	}
	return out
}

// access is what a person needs to sign in for the first time. Password and
// second factor are "" where they stay as they were.
type access struct {
	Person, Name, Login, Password, Secret, Link string
	At                                          time.Time
	// Waits are the proposals without which the person reads nothing.
	Waits []proposalRow `json:"-"`
}

// handOver keeps the secrets in the session and leads to the page that shows
// them.
func (a *Accounts) handOver(w http.ResponseWriter, r *http.Request, n access) error {
	n.At = a.Now()
	if err := remember(w, r, accessKey, n); err != nil {
		return err
	}
	return web.Redirect(w, r, "/amt/personal/zugang")
}

func (a *Accounts) getAccess(w http.ResponseWriter, r *http.Request, who Actor) error {
	var n access
	if !recall(r, accessKey, &n) || a.Now().Sub(n.At) > shownFor {
		return web.Redirect(w, r, "/amt/personal")
	}
	all, err := a.people(r.Context(), who)
	if err != nil {
		return err
	}
	open, err := a.proposals(r.Context(), who, all)
	if err != nil {
		return err
	}
	for _, o := range open {
		if o.Proposal.Person == n.Person || o.Deputy == n.Person {
			n.Waits = append(n.Waits, o)
		}
	}
	return showStaff(w, r, http.StatusOK, web.View{
		Title: i18n.T(r.Context(), "account.personal.access.title"), Body: accessPage(n), Narrow: true, FocusH1: true, Print: "brief",
	})
}

// postAccess forgets the secrets.
func (a *Accounts) postAccess(w http.ResponseWriter, r *http.Request, _ Actor) error {
	if s := web.SessionOf(r); s != nil {
		s.Delete(accessKey)
	}
	return web.Redirect(w, r, "/amt/personal?getan=uebergeben")
}

func (a *Accounts) getPerson(w http.ResponseWriter, r *http.Request, who Actor) error {
	return a.showPerson(w, r, who, http.StatusOK, nil)
}

func (a *Accounts) showPerson(w http.ResponseWriter, r *http.Request, who Actor, status int, p problems) error {
	ctx := r.Context()
	all, err := a.people(ctx, who)
	if err != nil {
		return err
	}
	v := personView{Errors: p, Done: staffDone(r), Operator: a.operator(who.Tenant), Typed: a.typed(r, personPath(r.PathValue("id")))}
	if v.Person, err = all.one(r.PathValue("id")); err != nil {
		return err
	}
	v.Reads = slices.Contains(Readers(), v.Person.Role)
	for _, b := range a.boxes(ctx, who.Tenant) {
		if !slices.ContainsFunc(v.Person.Boxes, func(have boxRow) bool { return have.ID == b.ID }) {
			v.Others = append(v.Others, b)
		}
	}
	v.Deputies = all.deputies(v.Person.ID)
	if v.StandIns, err = a.standIns(ctx, who, all, v.Person.ID); err != nil {
		return err
	}
	open, err := a.proposals(ctx, who, all)
	if err != nil {
		return err
	}
	for _, o := range open {
		if o.Proposal.Person == v.Person.ID || o.Deputy == v.Person.ID {
			v.Proposals = append(v.Proposals, o)
		}
	}
	return showStaff(w, r, status, web.View{Title: v.Person.Name, Body: personPage(v), Errors: len(p), Narrow: true})
}

// again shows the page of a person with what was refused.
func (a *Accounts) again(w http.ResponseWriter, r *http.Request, who Actor, p problems) error {
	return a.showPerson(w, r, who, http.StatusUnprocessableEntity, p)
}

// about returns the person of the address, and refuses ids of nobody here before
// anything is done.
func (a *Accounts) about(r *http.Request, who Actor) (personRow, error) {
	all, err := a.people(r.Context(), who)
	if err != nil {
		return personRow{}, err
	}
	return all.one(r.PathValue("id"))
}

func (a *Accounts) postRole(w http.ResponseWriter, r *http.Request, who Actor) error {
	form, err := formOf(r)
	if err != nil {
		return err
	}
	one, err := a.about(r, who)
	if err != nil {
		return err
	}
	if one.Own {
		return a.again(w, r, who, wrong("rolle", "account.personal.error.ownrole"))
	}
	role := Role(form.Get("rolle"))
	err = a.Vault.SetRole(r.Context(), who.Grant, string(who.Tenant), one.ID, string(role))
	switch {
	case len(fault.FieldsOf(err)) > 0:
		return a.again(w, r, who, renamed(fault.FieldsOf(err)))
	case errors.Is(err, fault.Conflict):
		return a.again(w, r, who, wrong("rolle", "account.personal.error.lastadmin"))
	case err != nil:
		return away(err)
	}
	err = a.DB.Update(r.Context(), func(tx *db.Tx) error {
		if err := updateStaffRole(r.Context(), tx, who.Tenant, one.ID, role); err != nil {
			return err
		}
		if !slices.Contains(Readers(), role) {
			if err := deleteNotices(r.Context(), tx, who.Tenant, one.ID); err != nil {
				return err
			}
		}
		return journal.Record(r.Context(), tx, journal.Entry{
			Tenant: string(who.Tenant), Actor: who.by().actor, Action: "staff.role", Object: one.ID, Detail: map[string]string{"role": string(role)},
		})
	})
	if err != nil {
		return err
	}
	return web.Redirect(w, r, personPath(one.ID)+"?getan=rolle")
}

// postMembership proposes that a person joins a mailbox, or ends a membership at
// once.
func (a *Accounts) postMembership(w http.ResponseWriter, r *http.Request, who Actor) error {
	form, err := formOf(r)
	if err != nil {
		return err
	}
	one, err := a.about(r, who)
	if err != nil {
		return err
	}
	box := tenant.MailboxID(form.Get("postfach"))
	if form.Get("aktion") == "verlassen" {
		if err := a.leave(r.Context(), who.by(), who.Tenant, one.ID, box); err != nil {
			return away(err)
		}
		return web.Redirect(w, r, personPath(one.ID)+"?getan=ausgetreten")
	}
	if one.Own {
		return a.again(w, r, who, wrong("postfach", "account.personal.error.ownjoin"))
	}
	active, err := a.join(r.Context(), who.by(), who.Tenant, one.ID, box)
	switch {
	case errors.Is(err, fault.NotFound), errors.Is(err, fault.Invalid):
		return a.again(w, r, who, wrong("postfach", "account.personal.error.mailbox"))
	case errors.Is(err, fault.Denied) && !slices.Contains(Readers(), one.Role):
		return a.again(w, r, who, wrong("postfach", "account.personal.error.norole"))
	case err != nil:
		return away(err)
	case active:
		return web.Redirect(w, r, personPath(one.ID)+"?getan=aufgenommen")
	}
	return web.Redirect(w, r, personPath(one.ID)+"?getan=vorgeschlagen")
}

// postRenew gives a person a new start password or a new second factor, and ends
// their sessions.
func (a *Accounts) postRenew(w http.ResponseWriter, r *http.Request, who Actor) error {
	form, err := formOf(r)
	if err != nil {
		return err
	}
	one, err := a.about(r, who)
	if err != nil {
		return err
	}
	if one.Own {
		return a.again(w, r, who, wrong("zugang", "account.personal.error.ownaccess"))
	}
	if !one.Active {
		return a.again(w, r, who, wrong("zugang", "account.personal.error.gone"))
	}
	n := access{Person: one.ID, Name: one.Name, Login: one.Login}
	if form.Get("aktion") == "faktor" {
		e, err := a.renewSecondFactor(r.Context(), who.by(), who.Tenant, one.ID)
		if err != nil {
			return away(err)
		}
		n.Secret, n.Link = e.TOTPSecret, e.TOTPURL
		return a.handOver(w, r, n)
	}
	n.Password = startPassword()
	err = a.Vault.SetPassword(r.Context(), who.Grant, string(who.Tenant), one.ID, n.Password)
	if err == nil {
		err = a.begins(r.Context(), who.Tenant, one.ID)
	}
	if err == nil {
		err = a.record(r.Context(), who.by(), who.Tenant, "staff.password", one.ID, nil)
	}
	if err != nil {
		return away(err)
	}
	return a.handOver(w, r, n)
}

// postSessionsOf signs a person out everywhere. Their access stays.
func (a *Accounts) postSessionsOf(w http.ResponseWriter, r *http.Request, who Actor) error {
	one, err := a.about(r, who)
	if err != nil {
		return err
	}
	if one.Own {
		return a.again(w, r, who, wrong("sitzungen", "account.personal.error.ownaccess"))
	}
	if !one.Active {
		return a.again(w, r, who, wrong("sitzungen", "account.personal.error.gone"))
	}
	if err := a.endSessions(r.Context(), who.by(), who.Tenant, one.ID); err != nil {
		return away(err)
	}
	return web.Redirect(w, r, personPath(one.ID)+"?getan=abgemeldet")
}

func (a *Accounts) getDisable(w http.ResponseWriter, r *http.Request, who Actor) error {
	return a.showDisable(w, r, who, http.StatusOK, nil)
}

func (a *Accounts) showDisable(w http.ResponseWriter, r *http.Request, who Actor, status int, p problems) error {
	one, err := a.about(r, who)
	if err != nil {
		return err
	}
	if !one.Active {
		return web.Redirect(w, r, personPath(one.ID))
	}
	return showStaff(w, r, status, web.View{
		Title: i18n.T(r.Context(), "account.personal.disable.title", "name", one.Name), Body: disablePage(disableView{Person: one, Errors: p}), Errors: len(p), Narrow: true,
	})
}

func (a *Accounts) postDisable(w http.ResponseWriter, r *http.Request, who Actor) error {
	one, err := a.about(r, who)
	if err != nil {
		return err
	}
	err = a.disable(r.Context(), who.by(), who.Tenant, one.ID)
	switch {
	case errors.Is(err, fault.Conflict):
		return a.showDisable(w, r, who, http.StatusUnprocessableEntity, wrong("sperren", "account.personal.error.lastadmin"))
	case err != nil:
		return away(err)
	case one.Own:
		return web.Redirect(w, r, "/amt/anmelden")
	}
	return web.Redirect(w, r, "/amt/personal?getan=gesperrt")
}

// postProposal confirms or refuses what somebody else proposed. Who was led here
// from another page goes back there.
func (a *Accounts) postProposal(w http.ResponseWriter, r *http.Request, who Actor) error {
	form, err := formOf(r)
	if err != nil {
		return err
	}
	back := "/amt/personal"
	if form.Get("von") == "einstellungen" || !who.May(Admin, Lead) {
		back = "/amt/einstellungen/vertretung"
	}
	act, word, action := a.Vault.Confirm, "bestaetigt", "staff.confirmed"
	if form.Get("aktion") == "ablehnen" {
		act, word, action = a.Vault.Refuse, "abgelehnt", "staff.refused"
	}
	id := form.Get("vorschlag")
	open, err := a.Vault.Proposals(r.Context(), who.Grant, string(who.Tenant))
	if err != nil {
		return away(err)
	}
	at := slices.IndexFunc(open, func(p vault.Proposal) bool { return p.ID == id })
	if at < 0 {
		return fault.With(fault.NotFound, "account.personal.error.proposal")
	}
	err = act(r.Context(), who.Grant, string(who.Tenant), id)
	switch {
	case errors.Is(err, fault.Denied):
		return fault.With(fault.Denied, "account.personal.error.second")
	case err != nil:
		return away(err)
	}
	detail := map[string]string{"kind": open[at].Kind}
	if open[at].Mailbox != "" {
		detail["mailbox"] = open[at].Mailbox
	}
	if open[at].Deputy != "" {
		detail["staff"] = open[at].Deputy
	}
	if err := a.record(r.Context(), who.by(), who.Tenant, action, open[at].Person, detail); err != nil {
		return err
	}
	return web.Redirect(w, r, back+"?getan="+word)
}

// postStandIn proposes who stands in for a person, or ends it.
func (a *Accounts) postStandIn(w http.ResponseWriter, r *http.Request, who Actor) error {
	form, err := formOf(r)
	if err != nil {
		return err
	}
	one, err := a.about(r, who)
	if err != nil {
		return err
	}
	p, err := a.standIn(r, who, one.ID, form)
	if err != nil || len(p) > 0 {
		if len(p) > 0 {
			return a.again(w, r, who, p)
		}
		return err
	}
	return web.Redirect(w, r, personPath(one.ID)+"?getan="+standInDone(form))
}

func standInDone(form *web.Values) string {
	if form.Get("aktion") == "beenden" {
		return "beendet"
	}
	return "vertretung"
}

// standIn does what a form about a substitution asks: of a person by themselves
// or by an administrator.
func (a *Accounts) standIn(r *http.Request, who Actor, person string, form *web.Values) (problems, error) {
	ctx, of, deputy := r.Context(), string(who.Tenant), form.Get("vertretung")
	if form.Get("aktion") == "beenden" {
		if absent := form.Get("fuer"); absent == person || absent != "" && deputy == person {
			person = absent
		}
		if err := a.Vault.EndSubstitution(ctx, who.Grant, of, person, deputy); err != nil {
			return nil, away(err)
		}
		return nil, a.record(ctx, who.by(), who.Tenant, "staff.substitute.ended", person, map[string]string{"staff": deputy})
	}
	until := lastDay(form.Get("bis"))
	err := a.Vault.Substitute(ctx, who.Grant, of, person, deputy, until)
	switch {
	case len(fault.FieldsOf(err)) > 0:
		return renamed(fault.FieldsOf(err)), nil
	case errors.Is(err, fault.Denied) && deputy == who.Person:
		return wrong("vertretung", "account.personal.error.owndeputy"), nil
	case err != nil:
		return nil, away(err)
	}
	return nil, a.record(ctx, who.by(), who.Tenant, "staff.substitute", person, map[string]string{"staff": deputy, "until": until.UTC().Format(time.DateOnly)})
}
