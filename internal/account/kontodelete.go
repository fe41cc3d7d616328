package account

import (
	"errors"
	"net/http"

	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/i18n"
	"poststelle/internal/web"
)

func (a *Accounts) getDelete(w http.ResponseWriter, r *http.Request, who Citizen) error {
	return a.showDelete(w, r, who, http.StatusOK, nil)
}

func (a *Accounts) showDelete(w http.ResponseWriter, r *http.Request, who Citizen, status int, p problems) error {
	t, err := a.tenantOf(r)
	if err != nil {
		return err
	}
	info, err := a.Vault.Account(r.Context(), who.Grant)
	if err != nil {
		return away(err)
	}
	v := deleteView{Email: info.Mail, Scope: scopeOf(r.Context(), t), Errors: p}
	return show(w, r, status, web.View{Title: i18n.T(r.Context(), "account.konto.delete.title"), Body: deletePage(v), Errors: len(p)})
}

// postDelete deletes the account (A49): first in the vault, so that nothing of it
// can be opened from then on, then what the domains keep. The job that was
// enqueued before finishes what a crash in between leaves.
func (a *Accounts) postDelete(w http.ResponseWriter, r *http.Request, who Citizen) error {
	form, err := formOf(r)
	if err != nil {
		return err
	}
	if form.Get("ja") != "ja" {
		return a.showDelete(w, r, who, http.StatusUnprocessableEntity, wrong("ja", "account.konto.error.delete"))
	}
	t, err := a.tenantOf(r)
	if err != nil {
		return err
	}
	ctx := r.Context()
	err = a.DB.Update(ctx, func(tx *db.Tx) error { return a.enqueueTidy(ctx, tx, who.ID) })
	if err != nil {
		return err
	}
	if err := a.Vault.DeleteAccount(ctx, who.Grant); err != nil {
		return away(err)
	}
	if err := a.forget(ctx, t.ID, who.ID); err != nil && !errors.Is(err, fault.Unavailable) {
		return err // the job does it; an error of ours is told
	}
	if s := web.SessionOf(r); s != nil {
		s.End(w)
	}
	return web.Redirect(w, r, "/konto/geloescht")
}

func (a *Accounts) getDeleted(w http.ResponseWriter, r *http.Request) error {
	title := i18n.T(r.Context(), "account.konto.deleted.title")
	return show(w, r, http.StatusOK, web.View{Title: title, Body: deletedPage(), FocusH1: true})
}
