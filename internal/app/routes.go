package app

import (
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"poststelle/internal/i18n"
	"poststelle/internal/web"
)

// ownRoutes are the pages that belong to no domain: health, and the mail of the
// demonstration.
func (a *App) ownRoutes(all *web.Router) {
	rt := all.For(web.Public())
	rt.Handle("GET /healthz", getHealth, web.AnyHost(), web.Passive())
	rt.Handle("GET /readyz", a.getReady, web.AnyHost(), web.Passive())
	a.operateRoutes(all)
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

// getReady says which parts work. It names no cause: the log does. "intake" does
// not work when letters wait for the vault longer than their day keys are meant
// to live, or when the vault has refused some.
func (a *App) getReady(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	parts := a.parts(ctx)
	if a.store != nil {
		parts = append(parts, part{"sessions", a.store.Check(ctx) == nil})
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

// checkedFor is how long a store of files counts as working after it was tried.
const checkedFor = 5 * time.Second

// checked remembers that the store of files worked: anybody may ask, and each
// trial writes. A store that does not work is tried again each time.
type checked struct {
	mu sync.Mutex
	at time.Time
}

func (c *checked) good(now time.Time, try func() error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if age := now.Sub(c.at); 0 <= age && age < checkedFor {
		return true
	}
	if try() != nil {
		return false
	}
	c.at = now
	return true
}

func (a *App) getMail(w http.ResponseWriter, r *http.Request) error {
	return web.Render(w, r, http.StatusOK, web.View{Title: i18n.T(r.Context(), "app.mail.title"), Body: mailPage(a.Outbox.Messages()), NoIndex: true})
}

func (a *App) getMailJSON(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(a.Outbox)
}
