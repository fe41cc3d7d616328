package account

import (
	"net/http"
	"net/url"
	"time"

	"poststelle/internal/web"
)

// typedKey is the session value that keeps a form while its sender proves who
// they are.
const typedKey = "staff.typed"

// typedForm is a form that waits for a proof. Path is the page on which it is
// shown again.
type typedForm struct {
	Path   string
	Fields url.Values
	At     time.Time
}

// proving guards a form that gives access to something: it asks for a proof that
// is not fresh, and keeps the form for the page at back. The vault asks again.
func (a *Accounts) proving(back func(*http.Request, Actor) string, h StaffHandler) StaffHandler {
	return func(w http.ResponseWriter, r *http.Request, who Actor) error {
		at := back(r, who)
		if a.isFresh(who.self()) {
			if s := web.SessionOf(r); s != nil {
				s.Delete(typedKey)
			}
			return proveFirst(w, r, ofStaff(), h(w, r, who))
		}
		form, err := formOf(r)
		if err != nil {
			return err
		}
		t := typedForm{Path: at, Fields: url.Values{}, At: a.Now()}
		for _, name := range form.Names() {
			t.Fields[name] = form.All(name)
		}
		if err := remember(w, r, typedKey, t); err != nil {
			return err
		}
		return web.Redirect(w, r, ofStaff().Proof+"?weiter="+url.QueryEscape(at))
	}
}

// typed is the form that was sent from this page before a proof, nil when there
// is none.
func (a *Accounts) typed(r *http.Request, path string) url.Values {
	var t typedForm
	if !recall(r, typedKey, &t) || t.Path != path || a.Now().Sub(t.At) > freshFor {
		return nil
	}
	return t.Fields
}

// Pages to which a proof leads back.

func backTo(path string) func(*http.Request, Actor) string {
	return func(*http.Request, Actor) string { return path }
}

func backToPerson(r *http.Request, _ Actor) string { return personPath(r.PathValue("id")) }

func backToProposals(_ *http.Request, who Actor) string {
	if who.May(Admin, Lead) {
		return "/amt/personal"
	}
	return "/amt/einstellungen/vertretung"
}
