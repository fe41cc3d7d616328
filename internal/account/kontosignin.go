package account

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"

	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/i18n"
	"poststelle/internal/vault"
	"poststelle/internal/web"
)

func (a *Accounts) getCitizenSignIn(w http.ResponseWriter, r *http.Request) error {
	next := wantedByCitizen(r.URL.Query().Get("weiter"))
	_, err := a.Citizen(r)
	if err == nil {
		return web.Redirect(w, r, next)
	}
	if !errors.Is(err, fault.Denied) {
		return err
	}
	// The browser comes from a sign-in that went well and brings no session.
	if r.URL.Query().Has("pruefen") && web.SessionState(r) == web.None {
		return web.RefuseSession(w, r)
	}
	return a.showCitizenSignIn(w, r, http.StatusOK, enterView{Next: next, SignedOut: r.URL.Query().Has("abgemeldet")})
}

func (a *Accounts) showCitizenSignIn(w http.ResponseWriter, r *http.Request, status int, v enterView) error {
	t, err := a.tenantOf(r)
	if err != nil {
		return err
	}
	v.Scope, v.Passkey = scopeOf(r.Context(), t), passkeyHost(r) != ""
	return show(w, r, status, web.View{Title: i18n.T(r.Context(), "account.konto.signin.title"), Body: enterPage(v), Errors: len(v.Errors)})
}

// postCitizenSignIn takes address and password, or the answer of a passkey. A
// wrong address and a wrong password look and cost alike.
func (a *Accounts) postCitizenSignIn(w http.ResponseWriter, r *http.Request) error {
	form, err := formOf(r)
	if err != nil {
		return err
	}
	t, err := a.tenantOf(r)
	if err != nil {
		return err
	}
	v := enterView{Next: wantedByCitizen(form.Get("weiter")), Email: form.Get("email")}
	var g vault.Grant
	key := "account.konto.error.signin"
	if answer, ok := a.passkeyOf(r, form); ok {
		key = "account.konto.error.passkey"
		g, err = a.Vault.SignInPasskey(r.Context(), answer)
		if err == nil && g.Realm != string(t.Realm()) {
			a.drop(r, g)
			err = fault.Denied
		}
	} else {
		g, err = a.Vault.SignInAccount(r.Context(), vault.AccountProof{
			Realm: string(t.Realm()), Mail: v.Email, Password: form.Get("password"), Origin: a.originOf(r), Label: a.label(r),
		})
	}
	switch {
	case errors.Is(err, fault.Denied), errors.Is(err, fault.Invalid), errors.Is(err, fault.NotFound), errors.Is(err, fault.Conflict):
		v.Errors = wrong("email", key)
		return a.showCitizenSignIn(w, r, http.StatusUnprocessableEntity, v)
	case slowed(w, err):
		v.Errors = wrong("email", "account.error.slow")
		return a.showCitizenSignIn(w, r, http.StatusTooManyRequests, v)
	case err != nil:
		return away(err)
	case g.NeedsCode:
		return a.awaitCode(w, r, g, v.Next)
	}
	return a.welcome(w, r, g, v.Next)
}

// drop ends a grant that is not taken.
func (a *Accounts) drop(r *http.Request, g vault.Grant) {
	if err := a.Vault.EndGrant(r.Context(), g.Token); err != nil {
		a.Log.WarnContext(r.Context(), "grant not ended", "kind", fault.KindOf(err).Error())
	}
}

// welcome signs a citizen in and leads on. The next page asks whether the
// browser kept the cookie, without which nothing of this would last.
func (a *Accounts) welcome(w http.ResponseWriter, r *http.Request, g vault.Grant, next string) error {
	t, err := a.tenantOf(r)
	if err != nil {
		return err
	}
	if _, err := citizenOf(t, g); err != nil {
		a.drop(r, g)
		return err
	}
	err = a.DB.Update(r.Context(), func(tx *db.Tx) error { return insertCitizen(r.Context(), tx, t.Realm(), g.Person) })
	if err == nil {
		err = a.enterCitizen(w, r, g, citizenKey, []byte(g.Token))
	}
	if err != nil {
		a.drop(r, g)
		return err
	}
	return web.Redirect(w, r, "/konto/anmelden?pruefen=1&weiter="+url.QueryEscape(next))
}

// pending is a sign-in that waits for its second factor.
type pending struct{ Token, Next string }

func (a *Accounts) awaitCode(w http.ResponseWriter, r *http.Request, g vault.Grant, next string) error {
	data, err := json.Marshal(pending{Token: g.Token, Next: next})
	if err == nil {
		err = a.enterCitizen(w, r, g, pendingKey, data)
	}
	if err != nil {
		a.drop(r, g)
		return err
	}
	return web.Redirect(w, r, "/konto/code")
}

// getCode asks for the second factor. Who comes without a first one is led to
// the sign-in.
func (a *Accounts) getCode(w http.ResponseWriter, r *http.Request) error {
	var p pending
	if !recall(r, pendingKey, &p) {
		if web.SessionState(r) == web.None {
			return web.RefuseSession(w, r)
		}
		return web.Redirect(w, r, "/konto/anmelden")
	}
	return showCode(w, r, http.StatusOK, nil)
}

func showCode(w http.ResponseWriter, r *http.Request, status int, p problems) error {
	return show(w, r, status, web.View{Title: i18n.T(r.Context(), "account.konto.code.title"), Body: codePage(p), Errors: len(p)})
}

// postCode takes the second factor. After five wrong codes, or five minutes, the
// sign-in begins anew.
func (a *Accounts) postCode(w http.ResponseWriter, r *http.Request) error {
	form, err := formOf(r)
	if err != nil {
		return err
	}
	var p pending
	if !recall(r, pendingKey, &p) {
		return a.codeOver(w, r)
	}
	g, err := a.Vault.FinishSignIn(r.Context(), p.Token, form.Get("code"))
	switch {
	case len(fault.FieldsOf(err)) > 0:
		return showCode(w, r, http.StatusUnprocessableEntity, fault.FieldsOf(err))
	case errors.Is(err, fault.Denied):
		return a.codeOver(w, r)
	case slowed(w, err):
		return showCode(w, r, http.StatusTooManyRequests, wrong("code", "account.error.slow"))
	case err != nil:
		return away(err)
	}
	return a.welcome(w, r, g, wantedByCitizen(p.Next))
}

// codeOver begins the sign-in anew and says why.
func (a *Accounts) codeOver(w http.ResponseWriter, r *http.Request) error {
	next := citizenHome
	var p pending
	if recall(r, pendingKey, &p) {
		next = wantedByCitizen(p.Next)
		web.SessionOf(r).Delete(pendingKey)
	}
	return a.showCitizenSignIn(w, r, http.StatusUnprocessableEntity, enterView{Next: next, Errors: wrong("email", "account.konto.error.codeover")})
}

// postCitizenSignOut ends the session and its grant, whatever the vault says: a
// grant that nobody uses ends by itself.
func (a *Accounts) postCitizenSignOut(w http.ResponseWriter, r *http.Request) error {
	if s := web.SessionToEnd(r); s != nil {
		a.endGrants(r.Context(), s)
		s.End(w)
	}
	return web.Redirect(w, r, "/konto/anmelden?abgemeldet=1")
}

// getProof asks a signed-in person to prove once more who they are, before a
// step that a stranger at the open browser must not take.
func (a *Accounts) getProof(w http.ResponseWriter, r *http.Request, who self) error {
	return a.showProof(w, r, who, http.StatusOK, proofView{Next: who.at.wanted(r.URL.Query().Get("weiter"))})
}

func (a *Accounts) showProof(w http.ResponseWriter, r *http.Request, who self, status int, v proofView) error {
	v.At = who.at
	if who.at.Staff {
		login, has, err := a.hasFactor(r.Context(), who)
		if err != nil {
			return err
		}
		v.Password, v.Code, v.Email = true, has, login
	} else {
		info, err := a.Vault.Account(r.Context(), who.grant)
		if err != nil {
			return away(err)
		}
		v.Password, v.Code, v.Email = info.Password, info.SecondFactor, info.Mail
	}
	if passkeyHost(r) != "" {
		keys, err := a.Vault.Passkeys(r.Context(), who.grant)
		if err != nil {
			return away(err)
		}
		v.Passkey = len(keys) > 0
	}
	return showOwn(w, r, who.at, status, web.View{Title: i18n.T(r.Context(), "account.konto.proof.title"), Body: proofPage(v), Errors: len(v.Errors)})
}

// postProof makes the grant fresh; the session gets a new id, as at every change
// of rights.
func (a *Accounts) postProof(w http.ResponseWriter, r *http.Request, who self) error {
	form, err := formOf(r)
	if err != nil {
		return err
	}
	v := proofView{Next: who.at.wanted(form.Get("weiter"))}
	field := "password"
	if answer, ok := a.passkeyOf(r, form); ok {
		err = a.Vault.ProvePasskey(r.Context(), who.grant, answer)
	} else {
		err = a.Vault.ProvePassword(r.Context(), who.grant, form.Get("password"), form.Get("code"))
	}
	switch {
	case errors.Is(err, fault.Denied), errors.Is(err, fault.Invalid), errors.Is(err, fault.NotFound), errors.Is(err, fault.Conflict):
		v.Errors = wrong(field, "account.konto.error.proof")
		return a.showProof(w, r, who, http.StatusUnprocessableEntity, v)
	case slowed(w, err):
		v.Errors = wrong(field, "account.error.slow")
		return a.showProof(w, r, who, http.StatusTooManyRequests, v)
	case err != nil:
		return away(err)
	}
	if s := web.SessionOf(r); s != nil {
		if err := s.Rotate(w); err != nil {
			return err
		}
	}
	return web.Redirect(w, r, v.Next)
}
