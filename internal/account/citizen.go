package account

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

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
	// fresh is when the person last proved who they are.
	fresh time.Time
}

// Values of a session that belong to citizens. The grant stands under another
// key than that of the staff: neither ever stands for the other.
const (
	citizenKey = "citizen.grant"
	// ownerKey names whose session it is, a citizen or, after staffOwner, a member
	// of staff, also after the grant has ended: what that person typed must not
	// pass to another one.
	ownerKey   = "citizen.owner"
	staffOwner = "staff:"
	// pendingKey holds a grant that waits for its second factor.
	pendingKey = "citizen.pending"
)

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
	t, err := a.tenantOf(r)
	if err != nil {
		return Citizen{}, err
	}
	g, err := a.Vault.Check(r.Context(), string(token))
	if errors.Is(err, fault.Denied) {
		s.Delete(citizenKey)
	}
	if err != nil {
		return Citizen{}, fmt.Errorf("account: check grant of a citizen: %w", away(err))
	}
	return citizenOf(t, g)
}

// CitizenHere reports whether pages show the navigation of a registered person:
// also while the vault that would know is away.
func (a *Accounts) CitizenHere(r *http.Request) bool {
	if web.FrameSession(r) == nil {
		return false
	}
	_, err := a.Citizen(r)
	return err == nil || errors.Is(err, fault.Unavailable)
}

// citizenOf refuses a grant of staff, one of another realm and one that is only
// good for its second factor.
func citizenOf(t *tenant.Tenant, g vault.Grant) (Citizen, error) {
	if g.Realm == "" || g.Tenant != "" || g.NeedsCode || tenant.Realm(g.Realm) != t.Realm() {
		return Citizen{}, fault.Denied
	}
	return Citizen{Realm: t.Realm(), ID: g.Person, Grant: g.Token, fresh: g.Fresh}, nil
}

func (a *Accounts) tenantOf(r *http.Request) (*tenant.Tenant, error) {
	t, ok := a.Directory.ByID(tenant.ID(web.SiteOf(r.Context()).ID))
	if !ok {
		return nil, fmt.Errorf("account: tenant of the host: %w", fault.NotFound)
	}
	return t, nil
}

// away gives the error of a vault that cannot be reached its sentence.
func away(err error) error {
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
	return a.citizens(func(w http.ResponseWriter, r *http.Request, _ Citizen) error { return h(w, r) })
}

// citizenHandler is a handler that knows which citizen is acting.
type citizenHandler func(w http.ResponseWriter, r *http.Request, who Citizen) error

func (a *Accounts) citizens(h citizenHandler) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		who, err := a.Citizen(r)
		switch {
		case err == nil:
			return h(w, r, who)
		case !errors.Is(err, fault.Denied):
			return err
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			return web.RefuseSession(w, r)
		}
		return web.Redirect(w, r, "/konto/anmelden?weiter="+url.QueryEscape(here(r)))
	}
}

// freshFor is how long a proof opens the steps that demand one. The vault, which
// decides, takes the same time; the page asks before anything is typed.
const freshFor = 10 * time.Minute

// fresh guards a route whose step demands a fresh proof: the page asks for it
// before it is shown.
func (a *Accounts) fresh(h citizenHandler) web.Handler {
	return a.citizens(func(w http.ResponseWriter, r *http.Request, who Citizen) error {
		if a.Now().Sub(who.fresh) < freshFor {
			return proveFirst(w, r, ofCitizen(), h(w, r, who))
		}
		return askProof(w, r, ofCitizen())
	})
}

// proveFirst leads to the proof where the vault found the last one too old.
func proveFirst(w http.ResponseWriter, r *http.Request, at place, err error) error {
	if errors.Is(err, vault.ErrProve) {
		return askProof(w, r, at)
	}
	return err
}

// maxBack bounds an address that the way back keeps, in escaped bytes.
const maxBack = 1024

// here is the address of a request, for the way back: without its query when
// it is long, "" when the path alone is.
func here(r *http.Request) string {
	path := r.URL.EscapedPath()
	if len(url.QueryEscape(path)) > maxBack {
		return ""
	}
	back := path
	if r.URL.RawQuery != "" {
		back += "?" + r.URL.RawQuery
	}
	if len(url.QueryEscape(back)) > maxBack {
		return path
	}
	return back
}

// OnDelete registers what a domain drops of a person, in the transaction in
// which the account goes. It may run twice and must bear that. Register before
// the first request.
func (a *Accounts) OnDelete(f func(ctx context.Context, tx *db.Tx, account string) error) {
	a.onDelete = append(a.onDelete, f)
}

// WantsMail reports whether a citizen wants a notice without content when
// something new has arrived; false for an account that is gone.
func (a *Accounts) WantsMail(ctx context.Context, tx *db.Tx, account string) (bool, error) {
	notice, err := selectCitizenNotice(ctx, tx, account)
	if errors.Is(err, fault.NotFound) {
		return false, nil
	}
	return notice, err
}

// enterCitizen puts the grant of a citizen into the session, under a new id.
// What an anonymous visitor typed stays: they go on writing as themselves. A
// session of staff, or of another account, is ended first.
func (a *Accounts) enterCitizen(w http.ResponseWriter, r *http.Request, g vault.Grant, key string, value []byte) error {
	s, err := a.begin(w, r, g.Person)
	if err != nil {
		return err
	}
	if key == citizenKey {
		if err := s.Put(ownerKey, []byte(g.Person)); err != nil {
			return err
		}
	}
	return s.Put(key, value)
}

// begin returns the session for somebody who has just signed in, under a new id.
// Nothing of another person may pass to them: a session in which staff is signed
// in, or one that was somebody else's, is ended with its grants, and a new one
// begins. person is the account of a citizen, or follows staffOwner.
func (a *Accounts) begin(w http.ResponseWriter, r *http.Request, person string) (*web.Session, error) {
	s, err := web.StartSession(w, r)
	if err != nil {
		return nil, err
	}
	a.endGrants(r.Context(), s)
	_, staff := s.Get(grantKey)
	owner, owned := s.Get(ownerKey)
	if staff || owned && string(owner) != person {
		s.End(w)
		if s, err = web.StartSession(w, r); err != nil {
			return nil, err
		}
	}
	s.Delete(citizenKey)
	s.Delete(pendingKey)
	return s, s.Rotate(w)
}

// endGrants ends the grants of a session in the vault, whoever they are of. One
// that cannot be ended now ends by itself after half an hour.
func (a *Accounts) endGrants(ctx context.Context, s *web.Session) {
	for _, key := range []string{grantKey, citizenKey} {
		token, ok := s.Get(key)
		if !ok {
			continue
		}
		if err := a.Vault.EndGrant(ctx, string(token)); err != nil {
			a.Log.WarnContext(ctx, "grant not ended", "kind", fault.KindOf(err).Error())
		}
	}
}
