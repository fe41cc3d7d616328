package account

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/tenant"
	"poststelle/internal/vault"
	"poststelle/internal/web"
)

// Citizen is a registered person who is signed in, as a domain needs them: the
// realm whose authorities they may write to, the id under which domains keep
// what is theirs, and the grant with which the vault opens it. Grant is secret
// and must not be stored or logged.
type Citizen struct {
	Realm tenant.Realm
	ID    string
	Grant string
}

// citizenKey is the session value that holds the token of a citizen's grant. It
// is another one than that of the staff: neither ever stands for the other.
const citizenKey = "citizen.grant"

// Citizen returns the registered person who is signed in on the host of a
// request; fault.Denied when nobody is, also when only a member of staff is.
func (a *Accounts) Citizen(r *http.Request) (Citizen, error) {
	s := web.SessionOf(r)
	if s == nil {
		return Citizen{}, fault.Denied
	}
	token, ok := s.Get(citizenKey)
	if !ok {
		return Citizen{}, fault.Denied
	}
	t, ok := a.Directory.ByID(tenant.ID(web.SiteOf(r.Context()).ID))
	if !ok {
		return Citizen{}, fault.Denied
	}
	g, err := a.Vault.Check(r.Context(), string(token))
	if err != nil {
		if errors.Is(err, fault.Denied) {
			s.Delete(citizenKey)
		}
		return Citizen{}, fmt.Errorf("account: check grant of a citizen: %w", a.away(err))
	}
	return citizenOf(t, g)
}

// citizenOf refuses a grant of staff, and one of another realm.
func citizenOf(t *tenant.Tenant, g vault.Grant) (Citizen, error) {
	if g.Tenant != "" {
		return Citizen{}, fault.Denied
	}
	return Citizen{Realm: t.Realm(), ID: g.Person, Grant: g.Token}, nil
}

// away gives the error of a vault that cannot be reached its sentence.
func (a *Accounts) away(err error) error {
	if errors.Is(err, fault.Unavailable) {
		return &fault.Error{Kind: fault.Unavailable, Key: "account.error.vault", Err: err}
	}
	return err
}

// SignedIn guards a route: only a registered person who is signed in gets
// through, everybody else is led to the sign-in page and from there back. What
// was posted without a sign-in is refused; a handler that wants to show again
// what was typed asks Citizen itself.
func (a *Accounts) SignedIn(h web.Handler) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		_, err := a.Citizen(r)
		switch {
		case err == nil:
			return h(w, r)
		case !errors.Is(err, fault.Denied):
			return err
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			return web.RefuseSession(w, r)
		}
		return web.Redirect(w, r, "/konto/anmelden?weiter="+url.QueryEscape(here(r)))
	}
}

// here is the address of a request, for the way back.
func here(r *http.Request) string {
	back := r.URL.EscapedPath()
	if r.URL.RawQuery != "" {
		back += "?" + r.URL.RawQuery
	}
	return back
}

// OnDelete registers what a domain drops of a person, in the transaction in
// which the account goes. It may run twice and must bear that. Register before
// the first request.
func (a *Accounts) OnDelete(f func(ctx context.Context, tx *db.Tx, account string) error) {
	a.onDelete = append(a.onDelete, f)
}
