package account

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/i18n"
	"poststelle/internal/mail"
	"poststelle/internal/vault"
	"poststelle/internal/web"
)

// done is the sentence that the overview says after a change, by the word that
// the change puts into the address.
func done(word string) string {
	switch word {
	case "eroeffnet":
		return "account.konto.done.opened"
	case "adresse":
		return "account.konto.done.address"
	case "passwort":
		return "account.konto.done.password"
	case "faktor":
		return "account.konto.done.factor"
	case "ohnefaktor":
		return "account.konto.done.nofactor"
	case "hinweise":
		return "account.konto.done.notices"
	case "abgebrochen":
		return "account.konto.done.cancelled"
	}
	return ""
}

func (a *Accounts) getAccount(w http.ResponseWriter, r *http.Request, who Citizen) error {
	t, err := a.tenantOf(r)
	if err != nil {
		return err
	}
	v := overview{Scope: scopeOf(r.Context(), t), Passkey: passkeyHost(r) != ""}
	if v.Info, err = a.Vault.Account(r.Context(), who.Grant); err != nil {
		return away(err)
	}
	keys, err := a.Vault.Passkeys(r.Context(), who.Grant)
	if err != nil {
		return away(err)
	}
	sessions, err := a.Vault.Sessions(r.Context(), who.Grant)
	if err != nil {
		return away(err)
	}
	v.Passkeys, v.Sessions = len(keys), len(sessions)
	if v.Notice, err = a.wantsMail(r, who); err != nil {
		return err
	}
	if key := done(r.URL.Query().Get("getan")); key != "" {
		v.Done = i18n.T(r.Context(), key)
	}
	return show(w, r, http.StatusOK, web.View{Title: i18n.T(r.Context(), "account.konto.overview.title"), Body: overviewPage(v)})
}

func (a *Accounts) wantsMail(r *http.Request, who Citizen) (wants bool, err error) {
	err = a.DB.View(r.Context(), func(tx *db.Tx) error {
		wants, err = a.WantsMail(r.Context(), tx, who.ID)
		return err
	})
	return wants, err
}

func (a *Accounts) getAddress(w http.ResponseWriter, r *http.Request, who Citizen) error {
	return a.showAddress(w, r, who, http.StatusOK, addressView{})
}

func (a *Accounts) showAddress(w http.ResponseWriter, r *http.Request, who Citizen, status int, v addressView) error {
	info, err := a.Vault.Account(r.Context(), who.Grant)
	if err != nil {
		return away(err)
	}
	v.Now, v.Pending = info.Mail, info.PendingMail
	return show(w, r, status, web.View{Title: i18n.T(r.Context(), "account.konto.address.title"), Body: addressPage(v), Errors: len(v.Errors)})
}

// postAddress begins the change of the address. When the sign-in or its proof
// has ended meanwhile, the form comes back with what was typed.
func (a *Accounts) postAddress(w http.ResponseWriter, r *http.Request) error {
	form, err := formOf(r)
	if err != nil {
		return err
	}
	v := addressView{Email: strings.TrimSpace(form.Get("email"))}
	who, err := a.Citizen(r)
	if errors.Is(err, fault.Denied) {
		v.Ended = true
		return show(w, r, http.StatusForbidden, web.View{Title: i18n.T(r.Context(), "account.konto.address.title"), Body: addressPage(v)})
	}
	if err != nil {
		return err
	}
	t, err := a.tenantOf(r)
	if err != nil {
		return err
	}
	address, err := mail.ParseAddress("email", v.Email)
	if err != nil {
		v.Errors = fault.FieldsOf(err)
		return a.showAddress(w, r, who, http.StatusUnprocessableEntity, v)
	}
	request, err := a.Vault.ChangeMail(r.Context(), who.Grant, string(t.ID), string(address), lang(r))
	switch {
	case errors.Is(err, vault.ErrProve):
		v.Stale = true
		return a.showAddress(w, r, who, http.StatusForbidden, v)
	case len(fault.FieldsOf(err)) > 0:
		v.Errors = fault.FieldsOf(err)
		return a.showAddress(w, r, who, http.StatusUnprocessableEntity, v)
	case slowed(w, err):
		v.Errors = wrong("email", "account.error.slow")
		return a.showAddress(w, r, who, http.StatusTooManyRequests, v)
	case err != nil:
		return away(err)
	}
	if err := a.post(r.Context(), request, "new"); err != nil {
		return err
	}
	return web.Redirect(w, r, "/konto?getan=adresse")
}

// getAddressConfirm asks for a click, and for the person who asked for the
// change: whoever owns the new address may be somebody else.
func (a *Accounts) getAddressConfirm(w http.ResponseWriter, r *http.Request) error {
	_, err := a.Citizen(r)
	if err != nil && !errors.Is(err, fault.Denied) {
		return err
	}
	title := i18n.T(r.Context(), "account.konto.addressconfirm.title")
	return show(w, r, http.StatusOK, web.View{Title: title, Body: addressConfirmPage("/konto/adresse/"+r.PathValue("token"), err == nil)})
}

// postAddressConfirm changes the address. Who is not signed in signs in first and
// comes back by the memory of the session: the link stands in no other address.
func (a *Accounts) postAddressConfirm(w http.ResponseWriter, r *http.Request) error {
	t, err := a.tenantOf(r)
	if err != nil {
		return err
	}
	who, err := a.Citizen(r)
	if errors.Is(err, fault.Denied) {
		if err := remember(w, r, addressKey, r.PathValue("token")); err != nil {
			return err
		}
		return web.Redirect(w, r, "/konto/anmelden?weiter=%2Fkonto%2Fadresse%2Fweiter")
	}
	if err != nil {
		return err
	}
	request, err := a.Vault.ConfirmMail(r.Context(), string(t.Realm()), r.PathValue("token"), who.Grant)
	switch {
	case errors.Is(err, fault.Conflict), errors.Is(err, fault.Denied), errors.Is(err, fault.NotFound):
		return linkOver(w, r, "account.konto.over.address")
	case err != nil:
		return away(err)
	}
	if err := a.post(r.Context(), request, "new", "old"); err != nil {
		return err
	}
	if err := a.note(r.Context(), t.ID, "account.address"); err != nil {
		return err
	}
	return web.Redirect(w, r, "/konto/adresse/geaendert")
}

// getAddressOn leads from the sign-in back to the link that was opened before.
func (a *Accounts) getAddressOn(w http.ResponseWriter, r *http.Request, _ Citizen) error {
	var token string
	if !recall(r, addressKey, &token) {
		return web.Redirect(w, r, "/konto")
	}
	return web.Redirect(w, r, "/konto/adresse/"+url.PathEscape(token))
}

func (a *Accounts) getAddressDone(w http.ResponseWriter, r *http.Request) error {
	title := i18n.T(r.Context(), "account.konto.addressdone.title")
	return show(w, r, http.StatusOK, web.View{Title: title, Body: addressDonePage(), FocusH1: true})
}

func (a *Accounts) getPassword(w http.ResponseWriter, r *http.Request, who Citizen) error {
	return a.showPassword(w, r, who, http.StatusOK, nil)
}

func (a *Accounts) showPassword(w http.ResponseWriter, r *http.Request, who Citizen, status int, p problems) error {
	info, err := a.Vault.Account(r.Context(), who.Grant)
	if err != nil {
		return away(err)
	}
	v := passwordView{At: ofCitizen(), Action: "/konto/passwort", Email: info.Mail, Has: info.Password, Errors: p}
	return show(w, r, status, web.View{Title: i18n.T(r.Context(), "account.konto.password.title"), Body: passwordPage(v), Errors: len(p)})
}

func (a *Accounts) postPassword(w http.ResponseWriter, r *http.Request, who Citizen) error {
	form, err := formOf(r)
	if err != nil {
		return err
	}
	t, err := a.tenantOf(r)
	if err != nil {
		return err
	}
	err = a.Vault.SetAccountPassword(r.Context(), who.Grant, string(t.ID), form.Get("password"))
	if p := fault.FieldsOf(err); len(p) > 0 {
		return a.showPassword(w, r, who, http.StatusUnprocessableEntity, p)
	}
	if slowed(w, err) {
		return a.showPassword(w, r, who, http.StatusTooManyRequests, wrong("password", "account.error.slow"))
	}
	if err != nil {
		return away(err)
	}
	return web.Redirect(w, r, "/konto?getan=passwort")
}

func (a *Accounts) getNotices(w http.ResponseWriter, r *http.Request, who Citizen) error {
	info, err := a.Vault.Account(r.Context(), who.Grant)
	if err != nil {
		return away(err)
	}
	v := noticesView{Email: info.Mail, Lang: info.Lang}
	if v.Notice, err = a.wantsMail(r, who); err != nil {
		return err
	}
	return show(w, r, http.StatusOK, web.View{Title: i18n.T(r.Context(), "account.konto.notices.title"), Body: noticesPage(v)})
}

func (a *Accounts) postNotices(w http.ResponseWriter, r *http.Request, who Citizen) error {
	form, err := formOf(r)
	if err != nil {
		return err
	}
	if l := form.Get("sprache"); l == "de" || l == "en" {
		if err := a.Vault.SetLang(r.Context(), who.Grant, l); err != nil {
			return away(err)
		}
	}
	err = a.DB.Update(r.Context(), func(tx *db.Tx) error {
		return setCitizenNotice(r.Context(), tx, who.ID, form.Has("hinweis"))
	})
	if err != nil {
		return err
	}
	return web.Redirect(w, r, "/konto?getan=hinweise")
}
