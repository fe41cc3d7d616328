package app

import (
	"context"
	"net"

	"poststelle/internal/web"
)

// Router joins the pages of all domains without a listener, for a caller that
// brings its own server and runs the background work by hand (Jobs.RunDue,
// Mailboxes.TakeIn).
func (a *App) Router() (*web.Router, error) {
	rt, _, err := a.router()
	return rt, err
}

// Serve is what the command "serve" runs: it answers on the listener and works
// in the background until ctx ends, then lets requests and jobs finish. ready
// is called when the first request can be answered; its error ends Serve.
func (a *App) Serve(ctx context.Context, on net.Listener, ready func() error) error {
	return a.serve(ctx, listeners{web: []net.Listener{on}}, ready)
}
