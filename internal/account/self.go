package account

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"poststelle/internal/web"
)

// self is who changes something about their own access: a citizen or a member of
// staff. The pages for it are the same, at different addresses.
type self struct {
	at     place
	grant  string    // secret
	fresh  time.Time // when the person last proved who they are
	tenant string    // of staff
	person string    // of staff
}

// place is where the pages about one's own access stand.
type place struct {
	Base  string // passkeys and sessions stand below it
	Back  string // key of the words that lead to Base
	Proof string // where a fresh proof is asked for
	Offer string // where the script of a page asks for a challenge
	Leave string // where a session is ended by its own person
	Staff bool
}

func ofCitizen() place {
	return place{Base: "/konto", Back: "account.konto.back", Proof: "/konto/nachweis", Offer: passkeyOffer, Leave: "/konto/abmelden"}
}

func ofStaff() place {
	return place{
		Base: "/amt/einstellungen", Back: "account.settings.title", Proof: "/amt/einstellungen/nachweis", Offer: staffOffer, Leave: "/amt/abmelden",
		Staff: true,
	}
}

func (who Citizen) self() self { return self{at: ofCitizen(), grant: who.Grant, fresh: who.fresh} }

func (who Actor) self() self {
	return self{at: ofStaff(), grant: who.Grant, fresh: who.fresh, tenant: string(who.Tenant), person: who.Person}
}

// selfHandler is a handler of a page that citizens and staff have.
type selfHandler func(w http.ResponseWriter, r *http.Request, me self) error

func (h selfHandler) citizen() citizenHandler {
	return func(w http.ResponseWriter, r *http.Request, who Citizen) error { return h(w, r, who.self()) }
}

func (h selfHandler) staff() StaffHandler {
	return func(w http.ResponseWriter, r *http.Request, who Actor) error { return h(w, r, who.self()) }
}

// freshStaff is fresh for staff.
func (a *Accounts) freshStaff(h StaffHandler) StaffHandler {
	return func(w http.ResponseWriter, r *http.Request, who Actor) error {
		if me := who.self(); !a.isFresh(me) {
			return askProof(w, r, me.at)
		}
		return proveFirst(w, r, ofStaff(), h(w, r, who))
	}
}

// isFresh reports whether the person proved themselves lately enough for a step
// that demands it.
func (a *Accounts) isFresh(me self) bool { return a.Now().Sub(me.fresh) < freshFor }

func askProof(w http.ResponseWriter, r *http.Request, at place) error {
	return web.Redirect(w, r, at.Proof+"?weiter="+url.QueryEscape(r.URL.EscapedPath()))
}

// wantedAt is the page to go to after a proof.
func (p place) wanted(next string) string {
	if p.Staff {
		if next = wanted(next); next == home {
			return p.Base
		}
		return next
	}
	return wantedByCitizen(next)
}

// showOwn renders a page about one's own access, in the frame of citizens or of
// staff.
func showOwn(w http.ResponseWriter, r *http.Request, at place, status int, v web.View) error {
	if !at.Staff {
		return show(w, r, status, v)
	}
	v.Section, v.Narrow = "settings", true
	return showStaff(w, r, status, v)
}

// hasFactor reports whether a member of staff has a second factor.
func (a *Accounts) hasFactor(ctx context.Context, me self) (login string, has bool, err error) {
	list, err := a.Vault.Staff(ctx, me.grant, me.tenant)
	if err != nil {
		return "", false, away(err)
	}
	for _, p := range list {
		if p.ID == me.person {
			return p.Login, p.SecondFactor, nil
		}
	}
	return "", false, nil
}
