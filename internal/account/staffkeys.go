package account

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/i18n"
	"poststelle/internal/vault"
	"poststelle/internal/web"
	"poststelle/internal/web/ui"
)

const (
	// ownPassword is where staff replace their password; who has a start password
	// gets no further.
	ownPassword = "/amt/einstellungen/passwort"
	// ownFactorKey holds a second factor that the person has just drawn.
	ownFactorKey = "staff.factor"
	// staffOffer is where the script of a page for staff asks for a challenge.
	staffOffer = "/amt/anmelden/passkey"
)

// settingsRoutes registers what members of staff do about their own access.
func (a *Accounts) settingsRoutes(rt *web.Router) {
	staff := rt.For(a.StaffRule())
	staff.Handle("GET /amt/einstellungen", a.Staff(a.getSettings))
	staff.Handle("POST /amt/einstellungen", a.Staff(a.postSettings))
	staff.Handle("GET "+ownPassword, a.Staff(a.freshStart(a.getOwnPassword)))
	staff.Handle("POST "+ownPassword, a.Staff(a.freshStart(a.postOwnPassword)))
	staff.Handle("GET /amt/einstellungen/passkeys", a.Staff(selfHandler(a.getPasskeys).staff()))
	staff.Handle("POST /amt/einstellungen/passkeys", a.Staff(a.freshStaff(selfHandler(a.postPasskeys).staff())))
	staff.Handle("GET /amt/einstellungen/sitzungen", a.Staff(selfHandler(a.getSessions).staff()))
	staff.Handle("POST /amt/einstellungen/sitzungen", a.Staff(a.freshStaff(selfHandler(a.postSessions).staff())))
	staff.Handle("GET /amt/einstellungen/nachweis", a.Staff(selfHandler(a.getProof).staff()))
	staff.Handle("POST /amt/einstellungen/nachweis", a.Staff(selfHandler(a.postProof).staff()))
	reader := rt.For(a.StaffRule(Readers()...))
	reader.Handle("GET /amt/einstellungen/vertretung", a.Staff(a.getOwnStandIn))
	reader.Handle("POST /amt/einstellungen/vertretung", a.Staff(a.proving(backTo("/amt/einstellungen/vertretung"), a.postOwnStandIn)))
}

// freshStart is freshStaff, but lets who has just signed in with a start password
// replace it.
func (a *Accounts) freshStart(h StaffHandler) StaffHandler {
	fresh := a.freshStaff(h)
	return func(w http.ResponseWriter, r *http.Request, who Actor) error {
		if !who.start.IsZero() {
			return h(w, r, who)
		}
		return fresh(w, r, who)
	}
}

// postStaffOffer draws a challenge for the script of a page for staff.
func (a *Accounts) postStaffOffer(w http.ResponseWriter, r *http.Request) error {
	form, err := formOf(r)
	if err != nil {
		return err
	}
	ask := vault.PasskeyAsk{Host: passkeyHost(r), Origin: origin(r), Tenant: web.SiteOf(r.Context()).ID}
	if ask.Host == "" {
		return fault.NotFound
	}
	switch form.Get("zweck") {
	case "anmelden":
	case "hinzufuegen", "nachweis":
		who, err := a.Actor(r)
		if err != nil {
			return err
		}
		ask.Token, ask.New = who.Grant, form.Get("zweck") == "hinzufuegen"
	default:
		return fault.NotFound
	}
	return a.offer(w, r, ask)
}

// staffGrant checks what somebody shows at sign-in: the answer of a passkey, or
// login, password and one-time code.
func (a *Accounts) staffGrant(r *http.Request, form *web.Values) (vault.Grant, error) {
	of := web.SiteOf(r.Context()).ID
	answer, ok := a.passkeyOf(r, form)
	if !ok {
		return a.Vault.SignIn(r.Context(), vault.Proof{
			Tenant: of, Login: form.Get("login"), Password: form.Get("password"), OTP: form.Get("otp"), Origin: a.originOf(r), Label: a.label(r),
		})
	}
	g, err := a.Vault.SignInPasskey(r.Context(), answer)
	switch {
	case errors.Is(err, fault.NotFound), errors.Is(err, fault.Conflict):
		err = errors.Join(fault.Denied, err)
	case err == nil && g.Tenant != of:
		a.drop(r, g)
		err = fault.Denied
	}
	return g, err
}

// startOver reports whether somebody came with a start password that is too old;
// then the grant is ended again.
func (a *Accounts) startOver(r *http.Request, g vault.Grant) (over bool, err error) {
	var k known
	err = a.DB.View(r.Context(), func(tx *db.Tx) (err error) {
		k, err = selectKnown(r.Context(), tx, tenantID(g), g.Person)
		return err
	})
	if errors.Is(err, fault.NotFound) {
		return false, nil
	}
	if err == nil && (k.Start.IsZero() || a.Now().Before(k.Start)) {
		return false, nil
	}
	a.drop(r, g)
	return err == nil, err
}

func (a *Accounts) getOwnPassword(w http.ResponseWriter, r *http.Request, who Actor) error {
	return a.showOwnPassword(w, r, who, http.StatusOK, nil)
}

func (a *Accounts) showOwnPassword(w http.ResponseWriter, r *http.Request, who Actor, status int, p problems) error {
	login, _, err := a.hasFactor(r.Context(), who.self())
	if err != nil {
		return err
	}
	v := passwordView{At: ofStaff(), Action: ownPassword, Email: login, Has: true, Start: !who.start.IsZero(), Errors: p}
	if n := (access{}); recall(r, ownFactorKey, &n) && a.Now().Sub(n.At) <= shownFor {
		v.Secret, v.Link = n.Secret, n.Link
	}
	v.Factor = !a.Demo && !v.Start
	return showOwn(w, r, ofStaff(), status, web.View{Title: i18n.T(r.Context(), "account.konto.password.title"), Body: passwordPage(v), Errors: len(p)})
}

func (a *Accounts) postOwnPassword(w http.ResponseWriter, r *http.Request, who Actor) error {
	form, err := formOf(r)
	if err != nil {
		return err
	}
	if form.Get("aktion") == "faktor" {
		return a.renewOwnFactor(w, r, who)
	}
	err = a.Vault.SetPassword(r.Context(), who.Grant, string(who.Tenant), who.Person, form.Get("password"))
	if p := fault.FieldsOf(err); len(p) > 0 {
		return a.showOwnPassword(w, r, who, http.StatusUnprocessableEntity, p)
	}
	if slowed(w, err) {
		return a.showOwnPassword(w, r, who, http.StatusTooManyRequests, wrong("password", "account.error.slow"))
	}
	if err != nil {
		return away(err)
	}
	err = a.DB.Update(r.Context(), func(tx *db.Tx) error { return updateStart(r.Context(), tx, who.Tenant, who.Person, time.Time{}) })
	if err == nil {
		err = a.record(r.Context(), who.by(), who.Tenant, "staff.password", who.Person, nil)
	}
	if err != nil {
		return err
	}
	return web.Redirect(w, r, "/amt/einstellungen?getan=passwort")
}

// renewOwnFactor draws a new second factor for the person, who alone sees it: who
// added them knows the old one.
func (a *Accounts) renewOwnFactor(w http.ResponseWriter, r *http.Request, who Actor) error {
	e, err := a.renewSecondFactor(r.Context(), who.by(), who.Tenant, who.Person)
	if err != nil {
		return away(err)
	}
	if err := remember(w, r, ownFactorKey, access{Secret: e.TOTPSecret, Link: e.TOTPURL, At: a.Now()}); err != nil {
		return err
	}
	return web.Redirect(w, r, ownPassword)
}

func (a *Accounts) getOwnStandIn(w http.ResponseWriter, r *http.Request, who Actor) error {
	return a.showOwnStandIn(w, r, who, http.StatusOK, nil)
}

func (a *Accounts) showOwnStandIn(w http.ResponseWriter, r *http.Request, who Actor, status int, p problems) error {
	ctx := r.Context()
	all, err := a.people(ctx, who)
	if err != nil {
		return err
	}
	v := ownStandInView{Done: staffDone(r), Deputies: all.deputies(who.Person), Typed: a.typed(r, "/amt/einstellungen/vertretung"), Errors: p}
	if v.StandIns, err = a.standIns(ctx, who, all, who.Person); err != nil {
		return err
	}
	open, err := a.proposals(ctx, who, all)
	if err != nil {
		return err
	}
	for _, o := range open {
		if o.Kind == vault.ProposeSubstitute && (o.Person == who.Person || o.Deputy == who.Person || o.MayConfirm) {
			v.Proposals = append(v.Proposals, o)
		}
	}
	return showOwn(w, r, ofStaff(), status, web.View{Title: i18n.T(ctx, "account.personal.absence"), Body: ownStandInPage(v), Errors: len(p)})
}

func (a *Accounts) postOwnStandIn(w http.ResponseWriter, r *http.Request, who Actor) error {
	form, err := formOf(r)
	if err != nil {
		return err
	}
	p, err := a.standIn(r, who, who.Person, form)
	if len(p) > 0 {
		return a.showOwnStandIn(w, r, who, http.StatusUnprocessableEntity, p)
	}
	if err != nil {
		return err
	}
	return web.Redirect(w, r, "/amt/einstellungen/vertretung?getan="+standInDone(form))
}

func (a *Accounts) getSettings(w http.ResponseWriter, r *http.Request, who Actor) error {
	t, ok := a.Directory.ByID(who.Tenant)
	if !ok {
		return fault.NotFound
	}
	ctx := r.Context()
	kept, err := a.noticesOf(ctx, who)
	if err != nil {
		return err
	}
	v := settingsView{Name: who.Name, Role: who.Role, Reads: who.May(Readers()...), Done: staffDone(r)}
	if r.URL.Query().Has("gespeichert") {
		v.Done = i18n.T(ctx, "account.settings.saved")
	}
	if v.Login, v.SecondFactor, err = a.hasFactor(ctx, who.self()); err != nil {
		return err
	}
	keys, err := a.Vault.Passkeys(ctx, who.Grant)
	if err != nil {
		return away(err)
	}
	sessions, err := a.Vault.Sessions(ctx, who.Grant)
	if err != nil {
		return away(err)
	}
	v.Passkeys, v.Sessions = len(keys), len(sessions)
	for _, id := range who.Mailboxes {
		if m, ok := t.Mailbox(id); ok {
			v.Mailboxes = append(v.Mailboxes, ui.Option{
				Value: string(id), Label: m.Title(i18n.Lang(ctx)), Selected: slices.Contains(kept, string(id)),
			})
		}
	}
	return showStaff(w, r, http.StatusOK, web.View{Title: i18n.T(ctx, "account.settings.title"), Body: settingsPage(v), Narrow: true, Section: "settings"})
}

func (a *Accounts) postSettings(w http.ResponseWriter, r *http.Request, who Actor) error {
	form, err := web.Form(r)
	if err != nil {
		return err
	}
	if err := a.setNotices(r.Context(), who, boxIDs(form.All("postfach"))); err != nil {
		return err
	}
	return web.Redirect(w, r, "/amt/einstellungen?gespeichert=1")
}
