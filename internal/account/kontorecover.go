package account

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"poststelle/internal/fault"
	"poststelle/internal/i18n"
	"poststelle/internal/mail"
	"poststelle/internal/vault"
	"poststelle/internal/web"
)

func (a *Accounts) getRecover(w http.ResponseWriter, r *http.Request) error {
	return showRecover(w, r, http.StatusOK, recoverView{})
}

func showRecover(w http.ResponseWriter, r *http.Request, status int, v recoverView) error {
	return show(w, r, status, web.View{Title: i18n.T(r.Context(), "account.konto.recover.title"), Body: recoverPage(v), Errors: len(v.Errors)})
}

// postRecover answers the same whether the address has an account or not.
func (a *Accounts) postRecover(w http.ResponseWriter, r *http.Request) error {
	form, err := formOf(r)
	if err != nil {
		return err
	}
	t, err := a.tenantOf(r)
	if err != nil {
		return err
	}
	v := recoverView{Email: strings.TrimSpace(form.Get("email"))}
	address, err := mail.ParseAddress("email", v.Email)
	if err != nil {
		v.Errors = fault.FieldsOf(err)
		return showRecover(w, r, http.StatusUnprocessableEntity, v)
	}
	request, err := a.Vault.Recover(r.Context(), vault.Recovery{
		Realm: string(t.Realm()), Tenant: string(t.ID), Mail: string(address), Lang: lang(r), Origin: a.originOf(r),
	})
	switch {
	case len(fault.FieldsOf(err)) > 0:
		v.Errors = fault.FieldsOf(err)
		return showRecover(w, r, http.StatusUnprocessableEntity, v)
	case slowed(w, err):
		v.Errors = wrong("email", "account.error.slow")
		return showRecover(w, r, http.StatusTooManyRequests, v)
	case err != nil:
		return away(err)
	}
	if err := a.post(r.Context(), request, "new"); err != nil {
		return err
	}
	if err := remember(w, r, recoverKey, sent{Mail: v.Email}); err != nil {
		return err
	}
	return web.Redirect(w, r, "/konto/wiederherstellen/gesendet")
}

func (a *Accounts) getRecoverSent(w http.ResponseWriter, r *http.Request) error {
	var s sent
	recall(r, recoverKey, &s)
	title := i18n.T(r.Context(), "account.konto.recoversent.title")
	return show(w, r, http.StatusOK, web.View{Title: title, Body: recoverSentPage(s.Mail), FocusH1: true})
}

func (a *Accounts) getRecoverSet(w http.ResponseWriter, r *http.Request) error {
	return showRecoverSet(w, r, http.StatusOK, nil)
}

func showRecoverSet(w http.ResponseWriter, r *http.Request, status int, p problems) error {
	v := passwordView{At: ofCitizen(), Action: "/konto/wiederherstellen/" + r.PathValue("token"), Errors: p}
	return show(w, r, status, web.View{Title: i18n.T(r.Context(), "account.konto.recoverset.title"), Body: recoverSetPage(v), Errors: len(p)})
}

// postRecoverSet begins the wait. The notices and the end of the wait are
// enqueued together; without them the new password never holds.
func (a *Accounts) postRecoverSet(w http.ResponseWriter, r *http.Request) error {
	form, err := formOf(r)
	if err != nil {
		return err
	}
	t, err := a.tenantOf(r)
	if err != nil {
		return err
	}
	ready, request, err := a.Vault.RecoverSet(r.Context(), string(t.Realm()), r.PathValue("token"), form.Get("password"))
	switch {
	case len(fault.FieldsOf(err)) > 0:
		return showRecoverSet(w, r, http.StatusUnprocessableEntity, fault.FieldsOf(err))
	case errors.Is(err, fault.Denied), errors.Is(err, fault.NotFound), errors.Is(err, fault.Conflict):
		return linkOver(w, r, "account.konto.over.recover")
	case slowed(w, err):
		return showRecoverSet(w, r, http.StatusTooManyRequests, wrong("password", "account.error.slow"))
	case err != nil:
		return away(err)
	}
	if err := a.beginWait(r.Context(), t.ID, request, ready); err != nil {
		return err
	}
	if err := remember(w, r, readyKey, ready); err != nil {
		return err
	}
	return web.Redirect(w, r, "/konto/wiederherstellen/begonnen")
}

func (a *Accounts) getRecoverBegun(w http.ResponseWriter, r *http.Request) error {
	var ready time.Time
	recall(r, readyKey, &ready)
	title := i18n.T(r.Context(), "account.konto.recoverbegun.title")
	return show(w, r, http.StatusOK, web.View{Title: title, Body: recoverBegunPage(ready), FocusH1: true})
}

// getNotMe is where the owner of an address stops a recovery that somebody else
// began.
func (a *Accounts) getNotMe(w http.ResponseWriter, r *http.Request) error {
	title := i18n.T(r.Context(), "account.konto.notme.title")
	return show(w, r, http.StatusOK, web.View{Title: title, Body: notMePage("/konto/nicht-ich/" + r.PathValue("token"))})
}

func (a *Accounts) postNotMe(w http.ResponseWriter, r *http.Request) error {
	t, err := a.tenantOf(r)
	if err != nil {
		return err
	}
	err = a.Vault.RecoverCancel(r.Context(), string(t.Realm()), r.PathValue("token"))
	switch {
	case errors.Is(err, fault.Denied), errors.Is(err, fault.NotFound), errors.Is(err, fault.Conflict):
		return linkOver(w, r, "account.konto.over.notme")
	case err != nil:
		return away(err)
	}
	if err := a.note(r.Context(), t.ID, "recovery.cancelled"); err != nil {
		return err
	}
	return web.Redirect(w, r, "/konto/nicht-ich")
}

func (a *Accounts) getNotMeDone(w http.ResponseWriter, r *http.Request) error {
	title := i18n.T(r.Context(), "account.konto.notmedone.title")
	return show(w, r, http.StatusOK, web.View{Title: title, Body: notMeDonePage(), FocusH1: true})
}

// postCancelRecovery stops a recovery from within the account: whoever is signed
// in has not lost the password.
func (a *Accounts) postCancelRecovery(w http.ResponseWriter, r *http.Request, who Citizen) error {
	t, err := a.tenantOf(r)
	if err != nil {
		return err
	}
	if err := a.Vault.CancelRecovery(r.Context(), who.Grant); err != nil {
		return away(err)
	}
	if err := a.note(r.Context(), t.ID, "recovery.cancelled"); err != nil {
		return err
	}
	return web.Redirect(w, r, "/konto?getan=abgebrochen")
}
