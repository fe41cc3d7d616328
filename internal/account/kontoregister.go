package account

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"unicode/utf8"

	"poststelle/internal/fault"
	"poststelle/internal/i18n"
	"poststelle/internal/mail"
	"poststelle/internal/tenant"
	"poststelle/internal/vault"
	"poststelle/internal/web"
)

// Values of a session that one page leaves for the next.
const (
	registerKey = "citizen.register"
	recoverKey  = "citizen.recover"
	readyKey    = "citizen.ready"
	factorKey   = "citizen.factor"
	addressKey  = "citizen.address"
)

// sent is what a page knows about a mail that was asked for. Request never
// leaves the session: whoever has it needs no password to confirm.
type sent struct{ Mail, Request string }

// scopeOf says where an account holds: at all authorities of the installation or
// at this one.
func scopeOf(ctx context.Context, t *tenant.Tenant) string {
	if t.Realm() == tenant.Everywhere {
		return i18n.T(ctx, "account.konto.scope.all")
	}
	return i18n.T(ctx, "account.konto.scope.one", "authority", t.Name)
}

func (a *Accounts) getRegister(w http.ResponseWriter, r *http.Request) error {
	if _, err := a.Citizen(r); err == nil {
		return web.Redirect(w, r, "/konto")
	}
	return a.showRegister(w, r, http.StatusOK, registerView{})
}

func (a *Accounts) showRegister(w http.ResponseWriter, r *http.Request, status int, v registerView) error {
	t, err := a.tenantOf(r)
	if err != nil {
		return err
	}
	v.Scope, v.Passkey = scopeOf(r.Context(), t), passkeyHost(r) != ""
	return show(w, r, status, web.View{Title: i18n.T(r.Context(), "account.konto.register.title"), Body: registerPage(v), Errors: len(v.Errors)})
}

// postRegister takes the wish for an account. The answer is the same whether the
// address has one or not; the mail differs, and only its owner reads it.
func (a *Accounts) postRegister(w http.ResponseWriter, r *http.Request) error {
	form, err := formOf(r)
	if err != nil {
		return err
	}
	t, err := a.tenantOf(r)
	if err != nil {
		return err
	}
	v := registerView{Email: strings.TrimSpace(form.Get("email"))}
	wish := vault.Registration{
		Realm: string(t.Realm()), Tenant: string(t.ID), Password: form.Get("password"), Lang: lang(r), Origin: a.originOf(r),
	}
	if answer, ok := a.passkeyOf(r, form); ok {
		wish.Passkey, wish.Password = &answer, ""
	}
	address, err := mail.ParseAddress("email", v.Email)
	if err != nil {
		v.Errors = fault.FieldsOf(err)
		if wish.Passkey == nil && utf8.RuneCountInString(wish.Password) < minPassword {
			v.Errors = append(v.Errors, fault.Field{Name: "password", Key: "vault.password.short", Args: []any{"min", minPassword}})
		}
		return a.showRegister(w, r, http.StatusUnprocessableEntity, v)
	}
	wish.Mail = string(address)
	request, err := a.Vault.Register(r.Context(), wish)
	switch {
	case len(fault.FieldsOf(err)) > 0:
		v.Errors = fault.FieldsOf(err)
		return a.showRegister(w, r, http.StatusUnprocessableEntity, v)
	case errors.Is(err, fault.Denied), errors.Is(err, fault.Conflict), errors.Is(err, fault.Invalid), errors.Is(err, fault.NotFound):
		v.Errors = wrong("email", "account.konto.error.passkey")
		return a.showRegister(w, r, http.StatusUnprocessableEntity, v)
	case slowed(w, err):
		v.Errors = wrong("email", "account.error.slow")
		return a.showRegister(w, r, http.StatusTooManyRequests, v)
	case err != nil:
		return away(err)
	}
	if err := a.post(r.Context(), request, "new"); err != nil {
		return err
	}
	if err := remember(w, r, registerKey, sent{Mail: v.Email, Request: request}); err != nil {
		return err
	}
	return web.Redirect(w, r, "/konto/registrieren/gesendet")
}

func (a *Accounts) getRegistered(w http.ResponseWriter, r *http.Request) error {
	var s sent
	recall(r, registerKey, &s)
	title := i18n.T(r.Context(), "account.konto.registered.title")
	return show(w, r, http.StatusOK, web.View{Title: title, Body: registeredPage(s.Mail), FocusH1: true})
}

// sameBrowser returns the request that this very browser made, if the link is
// about it. Whether that is so decides which form is shown; the vault decides
// whether it counts.
func sameBrowser(r *http.Request) string {
	var s sent
	id, _, _ := strings.Cut(r.PathValue("token"), ".")
	if recall(r, registerKey, &s) && s.Request != "" && s.Request == id {
		return s.Request
	}
	return ""
}

// getConfirm asks for a click, so that a program that opens all links of a mail
// confirms nothing.
func (a *Accounts) getConfirm(w http.ResponseWriter, r *http.Request) error {
	return showConfirm(w, r, http.StatusOK, confirmView{Known: sameBrowser(r) != ""})
}

func showConfirm(w http.ResponseWriter, r *http.Request, status int, v confirmView) error {
	v.Action = "/konto/bestaetigen/" + r.PathValue("token")
	return show(w, r, status, web.View{Title: i18n.T(r.Context(), "account.konto.confirm.title"), Body: confirmPage(v), Errors: len(v.Errors)})
}

func (a *Accounts) postConfirm(w http.ResponseWriter, r *http.Request) error {
	form, err := formOf(r)
	if err != nil {
		return err
	}
	t, err := a.tenantOf(r)
	if err != nil {
		return err
	}
	v := confirmView{Known: sameBrowser(r) != ""}
	g, err := a.Vault.ConfirmAccount(r.Context(), string(t.Realm()), r.PathValue("token"), vault.Confirmation{
		Password: form.Get("password"), Request: sameBrowser(r), Origin: a.originOf(r), Label: a.label(r),
	})
	switch {
	case len(fault.FieldsOf(err)) > 0:
		if v.Errors = fault.FieldsOf(err); !form.Has("password") {
			v.Errors = nil // the button was pressed on a page that did not ask for it
		}
		v.Known = false
		return showConfirm(w, r, http.StatusUnprocessableEntity, v)
	case errors.Is(err, fault.Conflict):
		return linkOver(w, r, "account.konto.over.known")
	case errors.Is(err, fault.Denied), errors.Is(err, fault.NotFound):
		return linkOver(w, r, "account.konto.over.register")
	case slowed(w, err):
		v.Errors = wrong("password", "account.error.slow")
		return showConfirm(w, r, http.StatusTooManyRequests, v)
	case err != nil:
		return away(err)
	}
	if err := a.note(r.Context(), t.ID, "account.opened"); err != nil {
		return err
	}
	return a.welcome(w, r, g, "/konto?getan=eroeffnet")
}

// linkOver is the page of a link that does nothing any more: what that means and
// what to do.
func linkOver(w http.ResponseWriter, r *http.Request, key string) error {
	title := i18n.T(r.Context(), "account.konto.over.title")
	return show(w, r, http.StatusGone, web.View{Title: title, Body: linkOverPage(i18n.T(r.Context(), key)), FocusH1: true})
}
