package app

import (
	"encoding/json"
	"net/http"

	"poststelle/internal/i18n"
	"poststelle/internal/web"
)

// ownRoutes are the pages that belong to no domain: health, and the mail of the
// demonstration.
func (a *App) ownRoutes(rt *web.Router) {
	rt.Handle("GET /healthz", getHealth, web.AnyHost(), web.Passive())
	rt.Handle("GET /readyz", a.getReady, web.AnyHost(), web.Passive())
	if a.Outbox != nil {
		rt.Handle("GET /dev/mail", a.getMail, web.Passive())
		rt.Handle("GET /dev/mail.json", a.getMailJSON, web.Passive())
	}
}

// getHealth answers as long as the process does.
func getHealth(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, err := w.Write([]byte("ok\n"))
	return err
}

// part is one line of readiness.
type part struct {
	Name string `json:"name"`
	Good bool   `json:"good"`
}

// getReady says which parts work. It names no cause: the log does.
func (a *App) getReady(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	_, vaultErr := a.Vault.Overdue(ctx)
	_, queueErr := a.Jobs.Backlog(ctx)
	parts := []part{
		{"database", queueErr == nil}, {"vault", vaultErr == nil}, {"files", a.Blobs.Check(ctx) == nil}, {"access log", a.Access.Health() == nil},
	}
	status := http.StatusOK
	for _, p := range parts {
		if !p.Good {
			status = http.StatusServiceUnavailable
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	return json.NewEncoder(w).Encode(parts)
}

func (a *App) getMail(w http.ResponseWriter, r *http.Request) error {
	return web.Render(w, r, http.StatusOK, web.View{Title: i18n.T(r.Context(), "app.mail.title"), Body: mailPage(a.Outbox.Messages()), NoIndex: true})
}

func (a *App) getMailJSON(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(a.Outbox)
}
