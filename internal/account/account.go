// Package account knows who is acting: the staff of an authority and the
// citizens who registered, their sign-in pages and the guards that routes ask.
//
// Proof of identity is not checked here. The pages carry login, password and
// one-time code to the vault, which verifies them and issues a grant; the web
// session holds the grant's token in memory and nothing else, so that after its
// end nothing leads back to the person (A33). Memberships of mailboxes live in
// the vault too: what stands in this package's tables is a name to show and who
// wants a notice.
//
// # Who may use a route
//
// A route names its rule where it is registered: web.Public, StaffRule with the
// roles, CitizenRule. The rule guards the route before its handler runs, and the
// vault decides again, on its rows, about every key and every change of staff. A
// route without a rule keeps the program from starting; docs/access-matrix.csv
// lists all of them with what was measured.
//
// # Staff
//
// An administrator adds people with a start password that is good for a week and
// must be replaced at the first sign-in, changes roles, proposes memberships and
// cover during absence, and ends access. A second person confirms; leads see and
// confirm what concerns their mailboxes. Nobody changes their own role, and the
// last administrator stays one.
//
// # Citizens
//
// One registration serves a realm: all tenants of the profile vorlage, or one of
// the profile streng. Address, password, passkeys and keys of a citizen are the
// vault's; a row here says that the account is there and whether a notice is
// wanted. Nothing a stranger sees, no mail to somebody else and no amount of work
// tells whether an address has an account. A link in a mail opens a page with a
// button: opening it changes nothing, and where somebody else may have typed the
// address, the button asks for what only the person has.
//
// Staff and citizens use different keys of the session, and one who signs in ends
// the session of the other: a grant of the one never stands for the other.
package account

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/jobs"
	"poststelle/internal/journal"
	"poststelle/internal/mail"
	"poststelle/internal/tenant"
	"poststelle/internal/vault"
	"poststelle/internal/web"
)

// Role is what a member of staff may do. The vault enforces it.
type Role string

// The roles. Clerks, leads and administrators may be members of mailboxes; the
// others see no content at all.
const (
	Clerk    Role = "clerk"
	Lead     Role = "lead"
	Admin    Role = "admin"
	Editor   Role = "editor"
	DPO      Role = "dpo" // data protection officer
	Auditor  Role = "auditor"
	Operator Role = "operator"
)

// Actor is the person on whose behalf something is done. Mailboxes are those
// the person was a member of when the request began; the vault looks again
// whenever it hands out a key. Grant is secret and must not be stored or
// logged.
type Actor struct {
	Tenant    tenant.ID
	Person    string
	Name      string
	Role      Role
	Mailboxes []tenant.MailboxID
	Grant     string
	// start is until when the start password is good that the person signed in
	// with; zero for who chose their own.
	start time.Time
	// fresh is when the person last proved who they are.
	fresh time.Time
}

// Config is what accounts need. Fields without another word are required; those
// for citizens may be left out where no citizen signs in.
type Config struct {
	DB        *db.DB
	Vault     vault.Service
	Directory *tenant.Directory
	// Demo tells the sign-in page that the demonstration asks for no second
	// factor.
	Demo bool
	Now  func() time.Time
	Log  *slog.Logger

	// For citizens. Mail may be nil: then mail waits until a relay is configured.
	Jobs *jobs.Queue
	Mail mail.Sender
	// Notifier and Retention are the vault's tokens for the jobs: addresses of
	// mails, and the end of accounts.
	Notifier, Retention string
	MailFrom            string
	// BaseURL is the address of a tenant's pages, without a slash at its end.
	BaseURL func(*tenant.Tenant) string
	// Browser names the kind of browser and system of a User-Agent header, for
	// the list of sessions: "Firefox, Windows".
	Browser func(userAgent string) string
}

// Accounts are the staff of all tenants of an installation.
type Accounts struct {
	Config
	// origin hides the network that a sign-in comes from: the vault slows it
	// down by a name that nobody can turn back into an address.
	origin [32]byte
	// onDelete are what domains drop of a person who deletes the account.
	onDelete []func(ctx context.Context, tx *db.Tx, account string) error
	// desk draws the desk for the website.
	desk func(http.ResponseWriter, *http.Request, Actor) (bool, error)
}

// New returns the accounts of an installation. It starts nothing.
func New(c Config) *Accounts {
	a := &Accounts{Config: c}
	rand.Read(a.origin[:]) // never fails
	if c.Jobs != nil {
		a.registerJobs()
	}
	return a
}

// NewStaff is what is needed to add a member of staff. Mail may be empty: then
// no notice can be sent. SecondFactor is true outside the demonstration. With
// Start the password is good for seven days, and only to choose another one.
type NewStaff struct {
	Tenant       tenant.ID
	Login        string
	Name         string
	Password     string
	Role         Role
	Mail         string
	Mailboxes    []tenant.MailboxID
	SecondFactor bool
	Notices      bool
	Start        bool
}

// Staff is a member of staff as lists show it.
type Staff struct {
	Person   string
	Name     string
	Role     Role
	Created  time.Time
	Disabled bool
}

// by is who changes something about staff: the vault's token, and the name that
// the journal keeps.
type by struct{ token, actor string }

func (who Actor) by() by { return by{who.Grant, "staff:" + who.Person} }

func (a *Accounts) addStaff(ctx context.Context, by by, n NewStaff, person string) (vault.Enrolment, error) {
	if err := a.dropNameless(ctx, by, n.Tenant); err != nil {
		return vault.Enrolment{}, err
	}
	err := a.DB.Update(ctx, func(tx *db.Tx) error {
		if err := insertStaff(ctx, tx, n, person); err != nil || !n.Notices {
			return err
		}
		for _, m := range n.Mailboxes {
			if err := insertNotice(ctx, tx, n.Tenant, m, person); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return vault.Enrolment{}, err
	}
	e, err := a.Vault.AddStaff(ctx, by.token, vault.StaffSpec{
		Tenant: string(n.Tenant), Login: n.Login, Password: n.Password, Role: string(n.Role), Mail: n.Mail, SecondFactor: n.SecondFactor,
		Person: person,
	})
	if err != nil {
		switch fault.KindOf(err) {
		case fault.Invalid, fault.Conflict, fault.NotFound, fault.Denied, fault.TooMany:
			// Refused for certain: the name goes again. After other errors the vault may have the person.
			err = errors.Join(err, a.DB.Update(context.WithoutCancel(ctx), func(tx *db.Tx) error { return deleteStaff(ctx, tx, n.Tenant, person) }))
		}
		return vault.Enrolment{}, err
	}
	for _, m := range n.Mailboxes {
		if _, err := a.Vault.Join(ctx, by.token, string(n.Tenant), person, string(m)); err != nil {
			return vault.Enrolment{}, fmt.Errorf("join %s: %w", m, err)
		}
	}
	return e, a.record(ctx, by, n.Tenant, "staff.added", person, nil)
}

// dropNameless removes names that no person in the vault bears: what a crash
// between the two left. Another AddStaff may be under way, so only old ones go.
func (a *Accounts) dropNameless(ctx context.Context, by by, of tenant.ID) error {
	people, err := a.Vault.Staff(ctx, by.token, string(of))
	if err != nil {
		return err
	}
	return a.DB.Update(ctx, func(tx *db.Tx) error {
		names, err := selectStaff(ctx, tx, of)
		for _, s := range names {
			if err != nil {
				break
			}
			known := slices.ContainsFunc(people, func(p vault.Person) bool { return p.ID == s.Person })
			if !known && !s.Disabled && tx.Now.Sub(s.Created) > time.Hour {
				err = deleteStaff(ctx, tx, of, s.Person)
			}
		}
		return err
	})
}

// record writes what was done to a person into the journal.
func (a *Accounts) record(ctx context.Context, by by, of tenant.ID, action, person string, detail map[string]string) error {
	return a.DB.Update(ctx, func(tx *db.Tx) error {
		return journal.Record(ctx, tx, journal.Entry{Tenant: string(of), Actor: by.actor, Action: action, Object: person, Detail: detail})
	})
}

func (a *Accounts) disable(ctx context.Context, by by, of tenant.ID, person string) error {
	if err := a.Vault.DisableStaff(ctx, by.token, string(of), person); err != nil {
		return fmt.Errorf("account: disable %s: %w", person, err)
	}
	err := a.DB.Update(ctx, func(tx *db.Tx) error {
		if err := disableStaff(ctx, tx, of, person); err != nil {
			return err
		}
		return journal.Record(ctx, tx, journal.Entry{Tenant: string(of), Actor: by.actor, Action: "staff.disabled", Object: person})
	})
	if err != nil {
		return fmt.Errorf("account: disable %s: %w", person, err)
	}
	return nil
}

func (a *Accounts) renewSecondFactor(ctx context.Context, by by, of tenant.ID, person string) (vault.Enrolment, error) {
	e, err := a.Vault.RenewSecondFactor(ctx, by.token, string(of), person)
	if err == nil {
		err = a.record(ctx, by, of, "staff.factor", person, nil)
	}
	if err != nil {
		return vault.Enrolment{}, fmt.Errorf("account: second factor of %s: %w", person, err)
	}
	return e, nil
}

func (a *Accounts) endSessions(ctx context.Context, by by, of tenant.ID, person string) error {
	err := a.Vault.EndStaffSessions(ctx, by.token, string(of), person)
	if err == nil {
		err = a.record(ctx, by, of, "staff.sessions", person, nil)
	}
	if err != nil {
		return fmt.Errorf("account: end sessions of %s: %w", person, err)
	}
	return nil
}

func (a *Accounts) join(ctx context.Context, by by, of tenant.ID, person string, box tenant.MailboxID) (active bool, err error) {
	active, err = a.Vault.Join(ctx, by.token, string(of), person, string(box))
	if err == nil {
		action := "staff.joined"
		if !active {
			action = "staff.proposed"
		}
		err = a.record(ctx, by, of, action, person, map[string]string{"mailbox": string(box)})
	}
	if err != nil {
		return false, fmt.Errorf("account: join %s to %s: %w", person, box, err)
	}
	return active, nil
}

func (a *Accounts) leave(ctx context.Context, by by, of tenant.ID, person string, box tenant.MailboxID) error {
	err := a.Vault.Leave(ctx, by.token, string(of), person, string(box))
	if err == nil {
		err = a.DB.Update(ctx, func(tx *db.Tx) error {
			if err := deleteNotice(ctx, tx, of, box, person); err != nil {
				return err
			}
			return journal.Record(ctx, tx, journal.Entry{
				Tenant: string(of), Actor: by.actor, Action: "staff.left", Object: person, Detail: map[string]string{"mailbox": string(box)},
			})
		})
	}
	if err != nil {
		return fmt.Errorf("account: %s leaves %s: %w", person, box, err)
	}
	return nil
}

// List returns the staff of a tenant by name.
func (a *Accounts) List(ctx context.Context, of tenant.ID) ([]Staff, error) {
	var list []Staff
	err := a.DB.View(ctx, func(tx *db.Tx) (err error) {
		list, err = selectStaff(ctx, tx, of)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("account: list: %w", err)
	}
	slices.SortFunc(list, func(x, y Staff) int { return strings.Compare(x.Name, y.Name) })
	return list, nil
}

// Names returns the names of a tenant's staff by person, those who left
// included: threads keep who worked on them.
func (a *Accounts) Names(ctx context.Context, of tenant.ID) (map[string]string, error) {
	list, err := a.List(ctx, of)
	if err != nil {
		return nil, err
	}
	names := make(map[string]string, len(list))
	for _, s := range list {
		names[s.Person] = s.Name
	}
	return names, nil
}

// WantsNotice reports whether anybody asked for a mail about new letters in a
// mailbox.
func (a *Accounts) WantsNotice(ctx context.Context, tx *db.Tx, of tenant.ID, box tenant.MailboxID) (bool, error) {
	people, err := selectNotices(ctx, tx, of, box, 1)
	return len(people) > 0, err
}

// NoticePeople returns who asked for a mail about new letters in a mailbox.
func (a *Accounts) NoticePeople(ctx context.Context, tx *db.Tx, of tenant.ID, box tenant.MailboxID) ([]string, error) {
	return selectNotices(ctx, tx, of, box, 200)
}

// noticesOf returns the mailboxes for which a person wants a mail.
func (a *Accounts) noticesOf(ctx context.Context, who Actor) (boxes []string, err error) {
	err = a.DB.View(ctx, func(tx *db.Tx) error {
		boxes, err = selectNoticesOf(ctx, tx, who.Tenant, who.Person)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("account: notices: %w", err)
	}
	return boxes, nil
}

// setNotices stores for which of their mailboxes a person wants a mail.
func (a *Accounts) setNotices(ctx context.Context, who Actor, boxes []tenant.MailboxID) error {
	err := a.DB.Update(ctx, func(tx *db.Tx) error {
		if err := deleteNotices(ctx, tx, who.Tenant, who.Person); err != nil {
			return err
		}
		for _, m := range boxes {
			if !slices.Contains(who.Mailboxes, m) {
				continue
			}
			if err := insertNotice(ctx, tx, who.Tenant, m, who.Person); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("account: set notices: %w", err)
	}
	return nil
}

// grantKey is the session value that holds the token of the grant.
const grantKey = "staff.grant"

// StaffHandler is a handler that knows who is acting.
type StaffHandler func(w http.ResponseWriter, r *http.Request, who Actor) error

// Staff guards a route: only a signed-in member of staff of the host's tenant
// gets through, everybody else is led to the sign-in page. A grant that has
// ended, or a person who was disabled, is signed out. Who signed in with a start
// password is led to the page that replaces it, and nowhere else.
func (a *Accounts) Staff(h StaffHandler) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		who, err := a.Actor(r)
		if errors.Is(err, fault.Denied) {
			if r.Method != http.MethodGet && r.Method != http.MethodHead {
				return web.RefuseSession(w, r)
			}
			return web.Redirect(w, r, signInPath(r))
		}
		if err != nil {
			return err
		}
		if !who.start.IsZero() && r.URL.Path != ownPassword {
			return web.Redirect(w, r, ownPassword)
		}
		return h(w, r, who)
	}
}

// Actor returns the signed-in member of staff of a request; fault.Denied when
// there is none.
func (a *Accounts) Actor(r *http.Request) (Actor, error) {
	if who, ok := r.Context().Value(actorKey{}).(Actor); ok {
		return who, nil // the route's rule has just asked
	}
	s := web.SessionOf(r)
	if s == nil {
		return Actor{}, fault.Denied
	}
	token, ok := s.Get(grantKey)
	if !ok {
		return Actor{}, fault.Denied
	}
	g, err := a.Vault.Check(r.Context(), string(token))
	if err != nil {
		if errors.Is(err, fault.Denied) {
			s.Delete(grantKey)
		}
		return Actor{}, fmt.Errorf("account: check grant: %w", away(err))
	}
	of := tenant.ID(web.SiteOf(r.Context()).ID)
	if tenant.ID(g.Tenant) != of {
		return Actor{}, fault.Denied
	}
	return a.actor(r.Context(), g)
}

func (a *Accounts) actor(ctx context.Context, g vault.Grant) (Actor, error) {
	who := Actor{Tenant: tenant.ID(g.Tenant), Person: g.Person, Role: Role(g.Role), Grant: g.Token, fresh: g.Fresh}
	for _, m := range g.Mailboxes {
		who.Mailboxes = append(who.Mailboxes, tenant.MailboxID(m))
	}
	err := a.DB.View(ctx, func(tx *db.Tx) error {
		k, err := selectKnown(ctx, tx, who.Tenant, who.Person)
		who.Name, who.start = k.Name, k.Start
		return err
	})
	if errors.Is(err, fault.NotFound) {
		who.Name, err = g.Login, nil // the name is shown only; the vault says what the person may do
	}
	if err != nil {
		return Actor{}, fmt.Errorf("account: name of %s: %w", g.Person, err)
	}
	return who, nil
}
