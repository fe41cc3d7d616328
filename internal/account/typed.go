package account

import (
	"net/http"

	"poststelle/internal/fault"
	"poststelle/internal/i18n"
	"poststelle/internal/web"
)

// Typed is a field of a form whose text must not be lost. Label is a key of the
// catalog; Rows is the height of a text of several lines, 0 for one line.
type Typed struct {
	Name, Label string
	Rows        int
}

// StaffForm serves a form of the staff under a StaffFormRule. When the session
// has ended meanwhile, the browser has no cookie any more or the vault is away,
// nothing is done, and the page shows the texts of the fields again.
func (a *Accounts) StaffForm(h StaffHandler, fields ...Typed) web.Handler {
	return a.StaffOrLost(h, func(w http.ResponseWriter, r *http.Request, kind fault.Kind) error {
		status := http.StatusForbidden
		if kind == fault.Unavailable {
			status = http.StatusServiceUnavailable
		}
		form, _ := web.Form(r) // what cannot be read cannot be shown
		return web.Render(w, r, status, web.View{
			Title: i18n.T(r.Context(), "account.typed.title"), Body: typedPage(fields, form), Staff: true, Narrow: true, NoIndex: true,
		})
	})
}

// StaffOrLost is StaffForm for a form with a page of its own: lost shows it, with
// fault.Denied or fault.Unavailable as the reason.
func (a *Accounts) StaffOrLost(h StaffHandler, lost func(http.ResponseWriter, *http.Request, fault.Kind) error) web.Handler {
	guarded := a.Staff(h)
	return func(w http.ResponseWriter, r *http.Request) error {
		_, err := a.Actor(r)
		kind := fault.KindOf(err)
		if err != nil && (kind == fault.Denied || kind == fault.Unavailable) {
			return lost(w, r, kind)
		}
		return guarded(w, r)
	}
}
