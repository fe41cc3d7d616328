package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"poststelle/internal/notice"
	"poststelle/internal/seal"
	"poststelle/internal/tenant"
	"poststelle/internal/web"
)

// listeners are where a server answers.
type listeners struct {
	web      []net.Listener // TLS already applied where wanted
	redirect net.Listener   // plain HTTP that leads to HTTPS; may be nil
	mail     []mailListener // incoming mail; may be empty
	inbound  inboundOptions
	httpsAt  int // port named in those redirects
}

// drainTime is how long requests may take to finish after the server was asked
// to stop.
const drainTime = 30 * time.Second

// Serve answers requests on the listeners until ctx ends; then it lets requests
// and jobs finish. ready is called when the first request can be answered.
func (a *App) serve(ctx context.Context, l listeners, ready func() error) error {
	router, files, err := a.router()
	if err != nil {
		return err
	}
	if os.Getenv("GOGC") == "" {
		// What a request leaves behind is short-lived and little is kept: looking
		// for it half as often costs memory under load only (docs/performance.md).
		debug.SetGCPercent(200)
	}
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() { a.work(work) })
	wg.Go(func() {
		if err := files.Compress(work); err != nil && work.Err() == nil {
			a.Log.Warn("assets not compressed", "error", err)
		}
		// Starting up takes memory that running does not need.
		debug.FreeOSMemory()
	})
	control, err := a.listenControl()
	if err != nil {
		stopWork()
		wg.Wait()
		return err
	}
	servers, failed := a.start(router, l, control, &wg)
	ctx, stopMail := context.WithCancel(ctx)
	defer stopMail()
	mailed := a.serveMail(ctx, l.mail, a.inboundServer(l.inbound.name, l.inbound.tls, l.inbound.resolver))
	err = ready()
	if err == nil {
		select {
		case <-ctx.Done():
		case err = <-failed:
		}
	}
	err = errors.Join(err, drain(context.WithoutCancel(ctx), servers))
	stopMail()
	mailed()
	stopWork()
	wg.Wait()
	return errors.Join(err, a.closeControl())
}

// drain stops all listeners at once and waits until the running requests are
// answered; those that take longer than drainTime are cut off.
func drain(ctx context.Context, servers []*http.Server) error {
	ctx, cancel := context.WithTimeout(ctx, drainTime)
	defer cancel()
	errs := make([]error, len(servers))
	var wg sync.WaitGroup
	for i, s := range servers {
		wg.Go(func() {
			if errs[i] = s.Shutdown(ctx); errs[i] != nil {
				errs[i] = errors.Join(errs[i], s.Close())
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (a *App) start(router *web.Router, l listeners, control net.Listener, wg *sync.WaitGroup) ([]*http.Server, <-chan error) {
	var servers []*http.Server
	failed := make(chan error, len(l.web)+2)
	run := func(s *http.Server, on net.Listener) {
		servers = append(servers, s)
		wg.Go(func() {
			if err := s.Serve(on); !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("app: serve %s: %w", on.Addr(), err)
			}
		})
	}
	for _, on := range l.web {
		run(web.Server(router), on)
	}
	if l.redirect != nil {
		run(web.Server(router.RedirectHTTPS(l.httpsAt)), l.redirect)
	}
	run(a.controlServer(), control)
	return servers, failed
}

// router joins the routes of all domains.
func (a *App) router() (*web.Router, *web.Assets, error) {
	files, err := openAssets()
	if err != nil {
		return nil, nil, err
	}
	cookies, err := registry(a.knownBanner, a.LegacyCookies)
	if err != nil {
		return nil, nil, err
	}
	var rt *web.Router
	routeOf := func(site web.Site, path string) string { return rt.RouteOf(site, path) }
	access := a.recordAccess(routeOf)
	rt, err = web.NewRouter(web.Config{
		Site: a.siteOf, Has: a.hasModule, Layout: a.layout(files, routeOf), ErrorBody: a.errorBody, Catalog: a.Catalog, Sessions: a.Sessions, Cookies: cookies,
		Assets: files, Access: access, TLS: a.TLS, TrustedProxies: a.Proxies, Log: a.Log, Now: a.Now,
	})
	if err != nil {
		return nil, nil, err
	}
	a.ownRoutes(rt)
	a.Accounts.Routes(rt)
	a.Mailboxes.Routes(rt)
	a.Blog.Routes(rt)
	a.Newsletter.Routes(rt)
	notice.New(notice.Config{
		Directory: a.Directory, Declarations: Declarations(), Cookies: cookies, Without: a.unused(), Provider: len(a.Provider) > 0,
		ReceiptKey: a.receiptKey, Now: a.Now,
	}).Routes(rt)
	return rt, files, rt.CheckRules()
}

// unused names the stores that this installation does not have.
func (a *App) unused() []string {
	if a.Outbox != nil {
		return nil
	}
	return []string{"mail_demo"}
}

// receiptKey is the fingerprint that the imprint of a tenant publishes.
func (a *App) receiptKey(id tenant.ID) string {
	key, err := a.Deputy.AuthorityKey(string(id))
	if err != nil {
		return ""
	}
	return seal.FingerprintOf(key).String()
}
