package account

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"poststelle/internal/fault"
	"poststelle/internal/i18n"
	"poststelle/internal/tenant"
	"poststelle/internal/vault"
	"poststelle/internal/web"
)

// enrolment is the secret of a second factor while it is set up, in the memory of
// the session.
type enrolment struct{ Secret, Link string }

func (a *Accounts) getFactor(w http.ResponseWriter, r *http.Request, who Citizen) error {
	return a.showFactor(w, r, who, http.StatusOK, nil)
}

func (a *Accounts) showFactor(w http.ResponseWriter, r *http.Request, who Citizen, status int, p problems) error {
	info, err := a.Vault.Account(r.Context(), who.Grant)
	if err != nil {
		return away(err)
	}
	v := factorView{On: info.SecondFactor, Password: info.Password, Errors: p}
	var e enrolment
	if a.Now().Sub(who.fresh) < freshFor && recall(r, factorKey, &e) {
		v.Secret, v.Link = grouped(e.Secret), e.Link
	}
	return show(w, r, status, web.View{Title: i18n.T(r.Context(), "account.konto.factor.title"), Body: factorPage(v), Errors: len(p)})
}

// grouped sets a blank after every four characters, for reading aloud.
func grouped(s string) string {
	var b strings.Builder
	for i, c := range s {
		if i > 0 && i%4 == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(c)
	}
	return b.String()
}

// postFactor sets a second factor up in two steps, the secret and then a code
// made from it, or drops it.
func (a *Accounts) postFactor(w http.ResponseWriter, r *http.Request, who Citizen) error {
	form, err := formOf(r)
	if err != nil {
		return err
	}
	s := web.SessionOf(r)
	switch form.Get("aktion") {
	case "beginnen":
		e, err := a.Vault.OfferSecondFactor(r.Context(), who.Grant)
		if err != nil {
			return away(err)
		}
		if err := remember(w, r, factorKey, enrolment{Secret: e.TOTPSecret, Link: e.TOTPURL}); err != nil {
			return err
		}
		return web.Redirect(w, r, "/konto/zweiter-faktor")
	case "bestaetigen":
		err := a.Vault.TakeSecondFactor(r.Context(), who.Grant, form.Get("code"))
		switch {
		case errors.Is(err, vault.ErrProve):
			return err
		case errors.Is(err, fault.Denied), errors.Is(err, fault.Invalid), errors.Is(err, fault.Conflict), errors.Is(err, fault.NotFound):
			return a.showFactor(w, r, who, http.StatusUnprocessableEntity, wrong("code", "account.konto.error.code"))
		case slowed(w, err):
			return a.showFactor(w, r, who, http.StatusTooManyRequests, wrong("code", "account.error.slow"))
		case err != nil:
			return away(err)
		}
		s.Delete(factorKey)
		return web.Redirect(w, r, "/konto?getan=faktor")
	case "abschalten":
		if err := a.Vault.DropSecondFactor(r.Context(), who.Grant); err != nil {
			return away(err)
		}
		s.Delete(factorKey)
		return web.Redirect(w, r, "/konto?getan=ohnefaktor")
	}
	s.Delete(factorKey)
	return web.Redirect(w, r, "/konto/zweiter-faktor")
}

func (a *Accounts) getPasskeys(w http.ResponseWriter, r *http.Request, who self) error {
	return a.showPasskeys(w, r, who, http.StatusOK, nil)
}

func (a *Accounts) showPasskeys(w http.ResponseWriter, r *http.Request, who self, status int, p problems) error {
	keys, err := a.Vault.Passkeys(r.Context(), who.grant)
	if err != nil {
		return away(err)
	}
	v := passkeysView{At: who.at, Host: passkeyHost(r), Errors: p, Fresh: a.isFresh(who)}
	for _, k := range keys {
		v.Keys = append(v.Keys, passkeyRow{Passkey: k, Here: k.Host == v.Host})
	}
	switch r.URL.Query().Get("getan") {
	case "neu":
		v.Done = i18n.T(r.Context(), "account.konto.passkeys.added")
	case "weg":
		v.Done = i18n.T(r.Context(), "account.konto.passkeys.removed")
	}
	return showOwn(w, r, who.at, status, web.View{Title: i18n.T(r.Context(), "account.konto.passkeys.title"), Body: passkeysPage(v), Errors: len(p)})
}

// postPasskeys adds the passkey that the page's script made, or removes one.
func (a *Accounts) postPasskeys(w http.ResponseWriter, r *http.Request, who self) error {
	form, err := formOf(r)
	if err != nil {
		return err
	}
	if id := form.Get("entfernen"); id != "" {
		err := a.Vault.RemovePasskey(r.Context(), who.grant, id)
		if errors.Is(err, fault.Conflict) {
			return a.showPasskeys(w, r, who, http.StatusUnprocessableEntity, wrong("liste", "account.konto.error.lastway"))
		}
		if err != nil {
			return away(err)
		}
		return web.Redirect(w, r, who.at.Base+"/passkeys?getan=weg")
	}
	answer, ok := a.passkeyOf(r, form)
	if !ok {
		return web.Redirect(w, r, who.at.Base+"/passkeys")
	}
	err = a.Vault.AddPasskey(r.Context(), who.grant, answer)
	switch {
	case errors.Is(err, vault.ErrProve):
		return err
	case len(fault.FieldsOf(err)) > 0:
		return a.showPasskeys(w, r, who, http.StatusUnprocessableEntity, fault.FieldsOf(err))
	case errors.Is(err, fault.Denied), errors.Is(err, fault.Invalid), errors.Is(err, fault.Conflict), errors.Is(err, fault.NotFound):
		return a.showPasskeys(w, r, who, http.StatusUnprocessableEntity, wrong("name", "account.konto.error.newpasskey"))
	case err != nil:
		return away(err)
	}
	return web.Redirect(w, r, who.at.Base+"/passkeys?getan=neu")
}

// postPasskeyOffer draws a challenge for the page's script. It names nobody, so
// it tells nothing about who has an account.
func (a *Accounts) postPasskeyOffer(w http.ResponseWriter, r *http.Request) error {
	form, err := formOf(r)
	if err != nil {
		return err
	}
	t, err := a.tenantOf(r)
	if err != nil {
		return err
	}
	ask := vault.PasskeyAsk{Host: passkeyHost(r), Origin: origin(r), Realm: string(t.Realm())}
	if ask.Host == "" {
		return fault.NotFound
	}
	switch form.Get("zweck") {
	case "anmelden":
	case "registrieren":
		ask.New, ask.Mail = true, strings.TrimSpace(form.Get("email"))
	case "hinzufuegen", "nachweis":
		who, err := a.Citizen(r)
		if err != nil {
			return err
		}
		ask.Token, ask.New = who.Grant, form.Get("zweck") == "hinzufuegen"
	default:
		return fault.NotFound
	}
	return a.offer(w, r, ask)
}

// offer draws a challenge and hands it to the script.
func (a *Accounts) offer(w http.ResponseWriter, r *http.Request, ask vault.PasskeyAsk) error {
	c, err := a.Vault.PasskeyOffer(r.Context(), ask)
	if err != nil {
		return away(err)
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(struct {
		Challenge string          `json:"challenge"`
		Options   json.RawMessage `json:"options"`
	}{c.ID, c.Options})
}

func (a *Accounts) getSessions(w http.ResponseWriter, r *http.Request, who self) error {
	list, err := a.Vault.Sessions(r.Context(), who.grant)
	if err != nil {
		return away(err)
	}
	v := sessionsView{At: who.at, Ended: r.URL.Query().Has("beendet")}
	for _, s := range list {
		row := sessionRow{Session: s}
		of, browser, _ := strings.Cut(s.Label, " ")
		if t, ok := a.Directory.ByID(tenant.ID(of)); ok {
			row.Authority = t.Name
		}
		row.Browser = browser
		if browser == "" {
			row.Browser = i18n.T(r.Context(), "account.konto.sessions.unknown")
		}
		v.Others = v.Others || !s.Current
		v.Rows = append(v.Rows, row)
	}
	return showOwn(w, r, who.at, http.StatusOK, web.View{Title: i18n.T(r.Context(), "account.konto.sessions.title"), Body: sessionsPage(v)})
}

// postSessions ends one session of the person, or all others. Behind a fresh
// proof: whoever has an open screen shall not sign its owner out elsewhere.
func (a *Accounts) postSessions(w http.ResponseWriter, r *http.Request, who self) error {
	form, err := formOf(r)
	if err != nil {
		return err
	}
	if id := form.Get("sitzung"); id != "" {
		err = a.Vault.EndSession(r.Context(), who.grant, id)
	} else if form.Has("alle") {
		err = a.Vault.EndOtherSessions(r.Context(), who.grant)
	}
	if err != nil && !errors.Is(err, fault.NotFound) { // one that ended by itself is what was wanted
		return away(err)
	}
	return web.Redirect(w, r, who.at.Base+"/sitzungen?beendet=1")
}
