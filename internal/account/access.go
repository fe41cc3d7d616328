package account

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"poststelle/internal/fault"
	"poststelle/internal/web"
)

// Roles returns all roles in the order in which pages list them.
func Roles() []Role { return []Role{Clerk, Lead, Admin, Editor, DPO, Auditor, Operator} }

// Readers are the roles that work with letters. Who has another one sees no
// content at all.
func Readers() []Role { return []Role{Clerk, Lead, Admin} }

// May reports whether the person has one of the roles.
func (who Actor) May(roles ...Role) bool { return slices.Contains(roles, who.Role) }

// actorKey is where a guard leaves whom it let through.
type actorKey struct{}

// StaffRule is the rule of a route for the staff of the host's tenant who have
// one of the roles; without roles, for all staff. Who is not signed in is led to
// the sign-in page, who has another role is refused (fault.Denied, 403),
// whatever the address names.
func (a *Accounts) StaffRule(roles ...Role) web.Rule {
	return web.Rule{Name: ruleName("staff", roles), Guard: func(h web.Handler) web.Handler {
		return a.Staff(func(w http.ResponseWriter, r *http.Request, who Actor) error {
			if err := permit(who, roles); err != nil {
				return err
			}
			return h(w, r.WithContext(context.WithValue(r.Context(), actorKey{}, who)))
		})
	}}
}

// StaffFormRule is StaffRule for a form whose handler shows again what was typed
// when the session has ended or the vault is away: the handler asks Actor itself,
// and the rule refuses only who is signed in with another role, and leads who has
// a start password to the page that replaces it.
func (a *Accounts) StaffFormRule(roles ...Role) web.Rule {
	return web.Rule{Name: ruleName("staff", roles) + " (keeps what was typed)", Guard: func(h web.Handler) web.Handler {
		return func(w http.ResponseWriter, r *http.Request) error {
			who, err := a.Actor(r)
			if err == nil {
				if !who.start.IsZero() {
					return web.Redirect(w, r, ownPassword)
				}
				if err = permit(who, roles); err != nil {
					return err
				}
			}
			return h(w, r)
		}
	}}
}

// CitizenRule is the rule of a route for registered people who are signed in.
// Everybody else is led to the sign-in page.
func (a *Accounts) CitizenRule() web.Rule {
	return web.Rule{Name: "citizen", Guard: a.SignedIn}
}

// CitizenFormRule is CitizenRule for a form whose handler shows again what was
// typed when the session has ended: the handler asks Citizen itself. It refuses
// nobody, so its handler is in the tests by name.
func (a *Accounts) CitizenFormRule() web.Rule {
	return web.Rule{Name: "citizen (keeps what was typed)"}
}

func ruleName(who string, roles []Role) string {
	if len(roles) == 0 {
		return who
	}
	names := make([]string, len(roles))
	for i, r := range roles {
		names[i] = string(r)
	}
	return who + ": " + strings.Join(names, ", ")
}

// permit refuses who has none of the roles.
func permit(who Actor, roles []Role) error {
	if len(roles) == 0 || who.May(roles...) {
		return nil
	}
	return &fault.Error{Kind: fault.Denied, Key: "account.error.role", Err: errors.New("account: role " + string(who.Role))}
}

// Landing is where a person with that role begins.
func Landing(who Actor) string {
	switch {
	case who.Role == Admin && len(who.Mailboxes) == 0:
		return "/amt/personal"
	case who.May(Readers()...):
		return "/amt/eingang"
	case who.Role == Editor:
		return "/amt/redaktion"
	case who.Role == Operator:
		return "/amt/betrieb"
	}
	return "/amt/protokoll"
}
