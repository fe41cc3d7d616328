// Package notice shows what an installation says about itself: the privacy
// notice, the cookie table, the imprint, the accessibility statement, the terms
// of use, the opening of electronic access and security.txt, each for the tenant
// of the host and in the language of the page.
//
// # What it keeps true
//
//   - The privacy notice is made from the declarations of the packages that keep
//     data (package personal), not written beside them: activities, purposes,
//     categories, legal bases, periods, recipients and rights follow from them
//     and from the tenant's profile. A store that is not declared cannot be
//     named, and one that is declared cannot be left out.
//   - The cookie table is the registry that package web sets cookies by.
//   - What a tenant does not have is not mentioned: without mailboxes nothing is
//     said about letters, without a table of providers nothing about providers.
//     No heading stands over nothing.
//   - The terms of use are a page of their own (A71 to A74) and say nothing
//     about data.
//
// # What is not there yet
//
// The register with its versions and dates of validity, periods and contacts
// that a controller may change, the state of each clause with its proof
// (/datenschutz/nachweis), the record of Art. 30, Leichte Sprache. A person who
// represents the authority and a data protection officer by name are not part of
// a tenant yet, so the imprint names none and the notice leads to the officer by
// the postal address. Statements about the operator's organisation, such as
// firewalls (A69), wait for somebody who attests them. Accounts of citizens,
// newsletter, blog, events and statistics do not exist and are not spoken of.
package notice

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"poststelle/internal/fault"
	"poststelle/internal/personal"
	"poststelle/internal/tenant"
	"poststelle/internal/web"
)

// Config is what the pages are made from. Directory, Cookies and Now are
// required.
type Config struct {
	Directory    *tenant.Directory
	Declarations []personal.Declaration
	// Cookies is the registry the router sets cookies by.
	Cookies *web.Registry
	// Without names stores that are declared but do not exist in this
	// installation: "mail_demo" outside a demonstration.
	Without []string
	// Provider says that the access log has a table of providers. Without one
	// the field stays empty, and the notice does not name it (A19).
	Provider bool
	// ReceiptKey returns the fingerprint of the key that a tenant's receipts
	// are checked against, "" where there is none; nil publishes none.
	ReceiptKey func(tenant.ID) string
	Now        func() time.Time
}

// Notice shows the pages. It keeps nothing.
type Notice struct {
	Config
}

// New returns the pages of an installation.
func New(c Config) *Notice { return &Notice{Config: c} }

// Routes registers the pages.
func (n *Notice) Routes(all *web.Router) {
	rt := all.For(web.Public())
	rt.Handle("GET /datenschutz", n.getPrivacy)
	rt.Handle("GET /cookies", n.getCookies)
	rt.Handle("POST /cookies/loeschen", n.postForget)
	rt.Handle("GET /impressum", n.getImprint)
	rt.Handle("GET /barrierefreiheit", n.getAccess)
	rt.Handle("GET /nutzungsbedingungen", n.getTerms)
	rt.Handle("GET /zugang", n.getWays)
	rt.Handle("GET /kontakt", n.getContact)
	all.For(n.membersRule()).Handle("GET /mitglieder", n.getMembers)
	rt.Handle("GET /.well-known/security.txt", n.getSecurity)
}

// tenantOf returns the tenant of the request's host. It was found in the same
// directory a moment ago; one that was removed since is NotFound.
func (n *Notice) tenantOf(r *http.Request) (*tenant.Tenant, error) {
	id := tenant.ID(web.SiteOf(r.Context()).ID)
	t, ok := n.Directory.ByID(id)
	if !ok {
		return nil, fmt.Errorf("notice: tenant %s: %w", id, fault.NotFound)
	}
	return t, nil
}

// operator returns who runs the installation; nil when it is the tenant itself
// or nobody is entered.
func (n *Notice) operator(t *tenant.Tenant) *tenant.Tenant {
	all := n.Directory.All()
	i := slices.IndexFunc(all, func(o *tenant.Tenant) bool { return o.Kind == tenant.Operator })
	if i < 0 || all[i].ID == t.ID {
		return nil
	}
	return all[i]
}

// secure reports whether the pages of the site are reached by https only. It is
// a matter of configuration, not of the request.
func secure(s web.Site) bool { return strings.HasPrefix(s.Origin, "https://") }

func (n *Notice) getPrivacy(w http.ResponseWriter, r *http.Request) error {
	t, err := n.tenantOf(r)
	if err != nil {
		return err
	}
	d := n.statement(r.Context(), t, secure(web.SiteOf(r.Context())))
	return web.Render(w, r, http.StatusOK, web.View{Title: d.title, Body: folded(d, "/datenschutz", r.URL.Query().Get("kapitel"))})
}

func (n *Notice) getImprint(w http.ResponseWriter, r *http.Request) error {
	t, err := n.tenantOf(r)
	if err != nil {
		return err
	}
	d := n.imprint(r.Context(), t)
	return web.Render(w, r, http.StatusOK, web.View{Title: d.title, Body: plain(d)})
}

func (n *Notice) getAccess(w http.ResponseWriter, r *http.Request) error {
	t, err := n.tenantOf(r)
	if err != nil {
		return err
	}
	d := n.access(r.Context(), t)
	return web.Render(w, r, http.StatusOK, web.View{Title: d.title, Body: plain(d)})
}

func (n *Notice) getTerms(w http.ResponseWriter, r *http.Request) error {
	t, err := n.tenantOf(r)
	if err != nil {
		return err
	}
	d := terms(r.Context(), t)
	return web.Render(w, r, http.StatusOK, web.View{Title: d.title, Body: plain(d)})
}
