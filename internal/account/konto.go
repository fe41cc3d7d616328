package account

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/i18n"
	"poststelle/internal/journal"
	"poststelle/internal/tenant"
	"poststelle/internal/vault"
	"poststelle/internal/web"
	"poststelle/internal/web/ui"
)

// citizenHome is where citizens begin after sign-in.
const citizenHome = "/postfach"

// citizenRoutes registers the pages of citizens' accounts. A path with {token}
// holds the secret of a link: it is logged as this pattern only, opening it
// changes nothing, and its page sends no address of its own along.
func (a *Accounts) citizenRoutes(rt *web.Router) {
	all, own := rt.For(web.Public()), rt.For(a.CitizenRule())
	all.Handle("GET /konto/registrieren", a.getRegister)
	all.Handle("POST /konto/registrieren", a.postRegister)
	all.Handle("GET /konto/registrieren/gesendet", a.getRegistered)
	all.Handle("GET /konto/bestaetigen/{token}", a.getConfirm)
	all.Handle("POST /konto/bestaetigen/{token}", a.postConfirm)

	all.Handle("GET /konto/anmelden", a.getCitizenSignIn)
	all.Handle("POST /konto/anmelden", a.postCitizenSignIn)
	all.Handle("GET /konto/code", a.getCode)
	all.Handle("POST /konto/code", a.postCode)
	all.Handle("POST /konto/abmelden", a.postCitizenSignOut)
	own.Handle("GET /konto/nachweis", a.citizens(selfHandler(a.getProof).citizen()))
	own.Handle("POST /konto/nachweis", a.citizens(selfHandler(a.postProof).citizen()))

	all.Handle("GET /konto/wiederherstellen", a.getRecover)
	all.Handle("POST /konto/wiederherstellen", a.postRecover)
	all.Handle("GET /konto/wiederherstellen/gesendet", a.getRecoverSent)
	all.Handle("GET /konto/wiederherstellen/begonnen", a.getRecoverBegun)
	all.Handle("GET /konto/wiederherstellen/{token}", a.getRecoverSet)
	all.Handle("POST /konto/wiederherstellen/{token}", a.postRecoverSet)
	all.Handle("GET /konto/nicht-ich/{token}", a.getNotMe)
	all.Handle("POST /konto/nicht-ich/{token}", a.postNotMe)
	all.Handle("GET /konto/nicht-ich", a.getNotMeDone)

	own.Handle("GET /konto", a.citizens(a.getAccount))
	own.Handle("POST /konto/wiederherstellung", a.citizens(a.postCancelRecovery))
	own.Handle("GET /konto/adresse", a.fresh(a.getAddress))
	rt.Handle("POST /konto/adresse", a.postAddress, web.Under(a.CitizenFormRule()))
	all.Handle("GET /konto/adresse/geaendert", a.getAddressDone)
	own.Handle("GET /konto/adresse/weiter", a.citizens(a.getAddressOn))
	all.Handle("GET /konto/adresse/{token}", a.getAddressConfirm)
	all.Handle("POST /konto/adresse/{token}", a.postAddressConfirm)
	own.Handle("GET /konto/passwort", a.fresh(a.getPassword))
	own.Handle("POST /konto/passwort", a.fresh(a.postPassword))
	own.Handle("GET /konto/zweiter-faktor", a.citizens(a.getFactor))
	own.Handle("POST /konto/zweiter-faktor", a.fresh(a.postFactor))
	own.Handle("GET /konto/passkeys", a.citizens(selfHandler(a.getPasskeys).citizen()))
	own.Handle("POST /konto/passkeys", a.fresh(selfHandler(a.postPasskeys).citizen()))
	all.Handle("POST /konto/passkeys/angebot", a.postPasskeyOffer)
	own.Handle("GET /konto/sitzungen", a.citizens(selfHandler(a.getSessions).citizen()))
	own.Handle("POST /konto/sitzungen", a.fresh(selfHandler(a.postSessions).citizen()))
	own.Handle("GET /konto/hinweise", a.citizens(a.getNotices))
	own.Handle("POST /konto/hinweise", a.citizens(a.postNotices))
	own.Handle("GET /konto/loeschen", a.fresh(a.getDelete))
	own.Handle("POST /konto/loeschen", a.fresh(a.postDelete))
	all.Handle("GET /konto/geloescht", a.getDeleted)
}

// wantedByCitizen is the page to go to after sign-in: any of this site but those
// of the staff and those that sign in or out.
func wantedByCitizen(s string) string {
	path, ok := web.LocalPath(s)
	if !ok {
		return citizenHome
	}
	bare := path
	if rest, cut := strings.CutPrefix(path, "/en"); cut && (rest == "" || rest[0] == '/' || rest[0] == '?') {
		bare = "/" + strings.TrimPrefix(rest, "/")
	}
	bare, _, _ = strings.Cut(bare, "?")
	bare, _, _ = strings.Cut(bare, "#")
	switch bare {
	case "/konto/anmelden", "/konto/code", "/konto/abmelden", "/konto/nachweis", "/konto/geloescht", "/konto/registrieren":
		return citizenHome
	}
	if bare == "/amt" || strings.HasPrefix(bare, "/amt/") {
		return citizenHome
	}
	return path
}

// problems are the fields of an error as sentences for a page.
type problems []fault.Field

// of returns the sentence of a field, "" when nothing is wrong with it.
func (p problems) of(ctx context.Context, name string) string {
	for _, f := range p {
		if f.Name == name {
			return i18n.T(ctx, f.Key, f.Args...)
		}
	}
	return ""
}

// list returns one line for each error, leading to its field.
func (p problems) list(ctx context.Context) []ui.FieldError {
	var out []ui.FieldError
	for _, f := range p {
		out = append(out, ui.FieldError{ID: f.Name, Text: i18n.T(ctx, f.Key, f.Args...)})
	}
	return out
}

// wrong is one problem.
func wrong(field, key string) problems { return problems{{Name: field, Key: key}} }

// show renders a page of an account: narrow, for nobody's index, and without
// its address in what the browser sends on, where the address holds a secret.
func show(w http.ResponseWriter, r *http.Request, status int, v web.View) error {
	v.NoIndex, v.Section = true, "account"
	if r.PathValue("token") != "" {
		w.Header().Set("Referrer-Policy", "strict-origin")
	}
	return web.Render(w, r, status, v)
}

// label names the browser of a session, and where it began, for the person's
// list: the tenant's id, a space and the words.
func (a *Accounts) label(r *http.Request) string {
	words := ""
	if a.Browser != nil {
		words = a.Browser(r.UserAgent())
	}
	return web.SiteOf(r.Context()).ID + " " + words
}

// lang is the language in which the person reads, for the mails to them.
func lang(r *http.Request) string { return i18n.Lang(r.Context()) }

// remember keeps a value for a page that follows, in the memory of the session.
// Without cookies that page says a little less.
func remember(w http.ResponseWriter, r *http.Request, key string, value any) error {
	s, err := web.StartSession(w, r)
	if err != nil {
		return err
	}
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return s.Put(key, data)
}

// recall reads what remember kept; false when there is nothing.
func recall(r *http.Request, key string, value any) bool {
	s := web.SessionOf(r)
	if s == nil {
		return false
	}
	data, ok := s.Get(key)
	return ok && json.Unmarshal(data, value) == nil
}

// note writes what happened to an account into the journal of the tenant on
// whose pages it happened: that it happened, not to whom (A33).
func (a *Accounts) note(ctx context.Context, of tenant.ID, action string) error {
	return a.DB.Update(ctx, func(tx *db.Tx) error {
		return journal.Record(ctx, tx, journal.Entry{Tenant: string(of), Actor: "citizen", Action: action})
	})
}

// formOf reads a posted form. Texts that had to be repaired count as typed: the
// checks that follow refuse them.
func formOf(r *http.Request) (*web.Values, error) {
	form, err := web.Form(r)
	if form == nil {
		return nil, err
	}
	return form, nil
}

// passkeyHost is the host name that passkeys made on this page belong to (the RP
// ID of WebAuthn), "" where there can be none: on an address by number, and
// without encryption except on the machine itself.
func passkeyHost(r *http.Request) string {
	host := tenant.NormalHost(r.Host)
	local := host == "localhost" || strings.HasSuffix(host, ".localhost")
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil || !web.Secure(r.Context()) && !local {
		return ""
	}
	return host
}

// origin is the scheme, host and port of this page, as a browser writes them
// into what a passkey signs.
func origin(r *http.Request) string {
	u := url.URL{Scheme: "http", Host: strings.ToLower(r.Host)}
	if web.Secure(r.Context()) {
		u.Scheme = "https"
	}
	return u.String()
}

// passkeyOf is what a page's script put into the form; false without it.
func (a *Accounts) passkeyOf(r *http.Request, form *web.Values) (vault.PasskeyAnswer, bool) {
	answer := vault.PasskeyAnswer{
		Challenge: form.Get("challenge"), Response: json.RawMessage(form.Get("credential")), Name: strings.TrimSpace(form.Get("name")),
		Origin: a.originOf(r), Label: a.label(r),
	}
	return answer, answer.Challenge != "" && json.Valid(answer.Response)
}

// slowed answers who tried too often, on the page of the form.
func slowed(w http.ResponseWriter, err error) bool {
	if !errors.Is(err, fault.TooMany) {
		return false
	}
	web.RetryAfter(w, slowDown)
	return true
}
