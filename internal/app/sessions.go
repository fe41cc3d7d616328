package app

import (
	"context"
	"fmt"

	"poststelle/internal/web"
	"poststelle/internal/web/valkey"
)

// openSessions keeps sessions in memory, or on the server of the configuration.
func (a *App) openSessions(ctx context.Context) error {
	cfg := web.SessionConfig{Now: a.Now}
	if a.SessionServer != "" {
		store, err := valkey.Open(ctx, valkey.Config{URL: a.SessionServer, Trusted: a.SessionsTrusted, Now: a.Now})
		if err != nil {
			return fmt.Errorf("app: --session-store: %w", err)
		}
		a.store, cfg.Store = store, store
		a.closers = append(a.closers, store.Close)
	}
	a.Sessions = web.NewSessions(cfg)
	return nil
}
