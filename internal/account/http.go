package account

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"poststelle/internal/fault"
	"poststelle/internal/i18n"
	"poststelle/internal/vault"
	"poststelle/internal/web"
)

// home leads staff to where they begin, by their role.
const home = "/amt"

// Routes registers the sign-in and the settings of the staff, and the pages of
// citizens' accounts.
func (a *Accounts) Routes(rt *web.Router) {
	all := rt.For(web.Public())
	all.Handle("GET /amt/anmelden", a.getSignIn)
	all.Handle("POST /amt/anmelden", a.postSignIn)
	all.Handle("POST /amt/anmelden/passkey", a.postStaffOffer)
	all.Handle("POST /amt/abmelden", a.postSignOut)
	staff := rt.For(a.StaffRule())
	staff.Handle("GET /amt", a.Staff(getRoot))
	staff.Handle("GET /amt/tasten", a.Staff(a.getKeys))
	a.settingsRoutes(rt)
	a.personalRoutes(rt)
	a.protocolRoutes(rt)
	if a.Jobs != nil {
		a.citizenRoutes(rt)
	}
}

func getRoot(w http.ResponseWriter, r *http.Request, who Actor) error {
	return web.Redirect(w, r, Landing(who))
}

// signInPath leads to the sign-in page and from there back to this page.
func signInPath(r *http.Request) string {
	return "/amt/anmelden?weiter=" + url.QueryEscape(here(r))
}

// wanted is the page to go to after sign-in: one of the staff's own, or where
// the person begins.
func wanted(s string) string {
	path, ok := web.LocalPath(s)
	if !ok || path != home && !strings.HasPrefix(path, "/amt/") || strings.HasPrefix(path, "/amt/anmelden") {
		return home
	}
	return path
}

func (a *Accounts) getSignIn(w http.ResponseWriter, r *http.Request) error {
	next := wanted(r.URL.Query().Get("weiter"))
	_, err := a.Actor(r)
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
	return a.showSignIn(w, r, http.StatusOK, signInView{Next: next})
}

func (a *Accounts) showSignIn(w http.ResponseWriter, r *http.Request, status int, v signInView) error {
	v.Demo, v.Passkey = a.Demo, passkeyHost(r) != ""
	errs := 0
	if v.Wrong != "" {
		errs = 1
	}
	return web.Render(w, r, status, web.View{
		Title: i18n.T(r.Context(), "account.signin.title"), Body: signInPage(v), Errors: errs, Staff: true, Narrow: true, NoIndex: true, Section: "signin",
	})
}

// slowDown is how long the vault lets somebody wait at most.
const slowDown = time.Minute

func (a *Accounts) postSignIn(w http.ResponseWriter, r *http.Request) error {
	form, err := web.Form(r)
	if form == nil {
		return err
	}
	v := signInView{Next: wanted(form.Get("weiter")), Login: form.Get("login")}
	grant, err := a.staffGrant(r, form)
	switch {
	case errors.Is(err, fault.Denied), errors.Is(err, fault.Invalid):
		v.Wrong = i18n.T(r.Context(), "account.error.signin")
		return a.showSignIn(w, r, http.StatusUnprocessableEntity, v)
	case errors.Is(err, fault.TooMany):
		web.RetryAfter(w, slowDown)
		v.Wrong = i18n.T(r.Context(), "account.error.slow")
		return a.showSignIn(w, r, http.StatusTooManyRequests, v)
	case errors.Is(err, fault.Unavailable):
		return &fault.Error{Kind: fault.Unavailable, Key: "account.error.vault", Err: err}
	case err != nil:
		return err
	}
	switch over, err := a.startOver(r, grant); {
	case err != nil:
		return err
	case over:
		v.Wrong = i18n.T(r.Context(), "account.error.startover")
		return a.showSignIn(w, r, http.StatusUnprocessableEntity, v)
	}
	if err := a.enter(w, r, grant); err != nil {
		return err
	}
	return web.Redirect(w, r, "/amt/anmelden?pruefen=1&weiter="+url.QueryEscape(v.Next))
}

// enter puts the grant of staff into the session, under a new id. A session in
// which somebody is signed in already, or was, is ended first.
func (a *Accounts) enter(w http.ResponseWriter, r *http.Request, g vault.Grant) error {
	s, err := a.begin(w, r, staffOwner+g.Person)
	if err != nil {
		return err
	}
	if err := s.Put(ownerKey, []byte(staffOwner+g.Person)); err != nil {
		return err
	}
	return s.Put(grantKey, []byte(g.Token))
}

// originOf names the network of the request by a keyed hash.
func (a *Accounts) originOf(r *http.Request) string {
	net := web.Prefix(web.ClientIP(r.Context()))
	if !net.IsValid() {
		return ""
	}
	mac := hmac.New(sha256.New, a.origin[:])
	mac.Write([]byte(net.String()))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// postSignOut ends the session whatever the vault says: its grant ends by
// itself when nobody uses it.
func (a *Accounts) postSignOut(w http.ResponseWriter, r *http.Request) error {
	if s := web.SessionToEnd(r); s != nil {
		if token, ok := s.Get(grantKey); ok {
			if err := a.Vault.EndGrant(r.Context(), string(token)); err != nil {
				a.Log.WarnContext(r.Context(), "grant not ended at sign-out", "kind", fault.KindOf(err).Error())
			}
		}
		s.End(w)
	}
	return web.Redirect(w, r, "/amt/anmelden")
}

func (a *Accounts) getKeys(w http.ResponseWriter, r *http.Request, _ Actor) error {
	return web.Render(w, r, http.StatusOK, web.View{
		Title: i18n.T(r.Context(), "account.keys.title"), Body: keysPage(), Staff: true, Narrow: true, Section: "keys",
	})
}
