package app

import (
	"fmt"
	"io"
	"path/filepath"
	"time"

	"poststelle/internal/accesslog"
	"poststelle/internal/seal"
	"poststelle/internal/tenant"
	"poststelle/internal/web"
)

// openAccessLog opens the log of the nine fields, sealed to the vault's log key
// of the day.
func (a *App) openAccessLog() error {
	var provider accesslog.Provider
	if len(a.Provider) > 0 {
		p, err := accesslog.OpenProvider(a.Provider...)
		if err != nil {
			return fmt.Errorf("app: provider table: %w", err)
		}
		a.closers = append(a.closers, p.(io.Closer).Close)
		provider = p
	}
	l, err := accesslog.New(accesslog.Config{
		Dir: filepath.Join(a.Data, "accesslog"), Now: a.Now, Log: a.Log, Provider: provider,
		DayKey: a.logKey,
		Mode:   a.addressMode,
	})
	if err != nil {
		return err
	}
	a.Access = l
	a.closers = append(a.closers, l.Close)
	return nil
}

func (a *App) logKey(day string) (seal.Public, error) {
	at, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return seal.Public{}, fmt.Errorf("app: log day %q: %w", day, err)
	}
	k, err := a.Deputy.LogKey(at)
	if err != nil {
		return seal.Public{}, err
	}
	return seal.ParsePublic(k.Public)
}

// addressMode is the register's choice: the profile vorlage keeps the address
// as the notice says, streng truncates it.
func (a *App) addressMode(id string) accesslog.Mode {
	if t, ok := a.Directory.ByID(tenant.ID(id)); ok && t.Profile == tenant.Streng {
		return accesslog.Truncated
	}
	return accesslog.Full
}

// recordAccess hands one request to the access log.
func (a *App) recordAccess(routeOf func(web.Site, string) string) func(web.AccessRecord) {
	return func(r web.AccessRecord) {
		id := r.Site.ID
		if id == "" {
			id = "-"
		}
		route := r.Route
		if route == "unmatched" {
			route = ""
		}
		e := accesslog.FromRequest(accesslog.Request{
			Route: route, Time: r.Time, Bytes: r.Bytes, Status: r.Status, UserAgent: r.UserAgent, Referer: r.Referer, IP: r.IP,
			Own:     func(host string) bool { _, ok := a.Directory.ByHost(host); return ok },
			RouteOf: func(path string) string { return routeOf(r.Site, path) },
		})
		if a.addressMode(id) == accesslog.Truncated {
			e.Provider = accesslog.UnknownProvider // streng keeps no provider
		}
		a.Access.Record(id, e)
	}
}
