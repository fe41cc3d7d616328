package account

import (
	"net/http"

	"poststelle/internal/web"
)

func (a *Accounts) settingsRoutes(rt *web.Router) {
	staff := rt.For(a.StaffRule())
	staff.Handle("GET /amt/einstellungen", a.Staff(a.getSettings))
	staff.Handle("POST /amt/einstellungen", a.Staff(a.postSettings))
}
func (a *Accounts) personalRoutes(rt *web.Router)                               {}
func (a *Accounts) protocolRoutes(rt *web.Router)                               {}
func (a *Accounts) postStaffOffer(w http.ResponseWriter, r *http.Request) error { return nil }
