package app

import (
	"context"
	"net/http"
	"runtime/debug"

	"poststelle/internal/account"
	"poststelle/internal/i18n"
	"poststelle/internal/tenant"
	"poststelle/internal/web"
)

// operateRoutes registers the page of the operator: how the service does, and
// how large its authorities are. It shows no content and nobody's name.
func (a *App) operateRoutes(rt *web.Router) {
	rt.Handle("GET /amt/betrieb", a.Accounts.Staff(a.getOperate), web.Under(a.Accounts.StaffRule(account.Operator)))
}

// operateView is what the operator sees.
type operateView struct {
	Parts   []part
	Version string
	Rows    []operateRow
}

// operateRow is one authority in figures.
type operateRow struct {
	Name             string
	Hosts            string
	Kind             tenant.Kind
	Mailboxes, Staff int
}

func (a *App) getOperate(w http.ResponseWriter, r *http.Request, _ account.Actor) error {
	ctx := r.Context()
	staff, err := a.Accounts.Count(ctx)
	if err != nil {
		return err
	}
	v := operateView{Parts: a.parts(ctx), Version: version()}
	for _, t := range a.Directory.All() {
		v.Rows = append(v.Rows, operateRow{Name: t.Name, Hosts: t.Hosts[0], Kind: t.Kind, Mailboxes: len(t.Mailboxes), Staff: staff[t.ID]})
	}
	return web.Render(w, r, http.StatusOK, web.View{
		Title: i18n.T(ctx, "app.operate.title"), Body: operatePage(v), Staff: true, NoIndex: true, Section: "operate",
	})
}

// version is the revision from which the program was built.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value[:min(len(s.Value), 12)]
		}
	}
	return info.Main.Version
}

// parts asks each part whether it works.
func (a *App) parts(ctx context.Context) []part {
	overdue, vaultErr := a.Vault.Overdue(ctx)
	_, queueErr := a.Jobs.Backlog(ctx)
	stuck, stuckErr := a.Mailboxes.Stuck(ctx)
	return []part{
		{"database", queueErr == nil}, {"vault", vaultErr == nil}, {"intake", stuckErr == nil && stuck == 0 && len(overdue) == 0},
		{"files", a.checked.good(a.Now(), func() error { return a.Blobs.Check(ctx) })}, {"access log", a.Access.Health() == nil},
	}
}
