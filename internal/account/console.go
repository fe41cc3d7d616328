package account

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"

	"poststelle/internal/fault"
	"poststelle/internal/tenant"
	"poststelle/internal/vault"
)

// Console changes staff from the server's command line, with the vault's token
// of that service. The pages have none: there an administrator acts with their
// own grant.
type Console struct {
	accounts *Accounts
	token    string
}

// Console returns the accounts for who holds the token of the vault's service
// "console".
func (a *Accounts) Console(token string) Console { return Console{a, token} }

func (c Console) by() by { return by{c.token, "cli"} }

// AddStaff keeps the name, stores the verifiers in the vault and joins the
// mailboxes. The enrolment holds the secret of the second factor: it is shown
// once.
//
// The name comes first, so that nobody can sign in without one. What a crash
// leaves in between can be mended: a name without a login goes with the next
// AddStaff; a person without mailboxes, or whose secrets nobody saw, gets them
// by Join, SetPassword and RenewSecondFactor. Their login is taken
// (fault.Conflict), and the vault's audit says since when.
func (c Console) AddStaff(ctx context.Context, n NewStaff) (vault.Enrolment, error) {
	n.Name = strings.TrimSpace(n.Name)
	if n.Name == "" || len(n.Name) > 120 {
		return vault.Enrolment{}, fault.Fields(fault.Field{Name: "name", Key: "account.error.name"})
	}
	t, ok := c.accounts.Directory.ByID(n.Tenant)
	if !ok {
		return vault.Enrolment{}, fmt.Errorf("account: add staff: tenant %s: %w", n.Tenant, fault.NotFound)
	}
	for _, m := range n.Mailboxes {
		if _, ok := t.Mailbox(m); !ok {
			return vault.Enrolment{}, fmt.Errorf("account: add staff: mailbox %s/%s: %w", n.Tenant, m, fault.NotFound)
		}
	}
	e, err := c.accounts.addStaff(ctx, c.by(), n, rand.Text())
	if err != nil {
		return vault.Enrolment{}, fmt.Errorf("account: add staff: %w", err)
	}
	return e, nil
}

// Disable ends a person's access at once, running sessions included: the vault
// refuses every further key. The person's name stays for the threads they
// worked on.
func (c Console) Disable(ctx context.Context, of tenant.ID, person string) error {
	return c.accounts.disable(ctx, c.by(), of, person)
}

// EndSessions ends all sessions of a person at once; they may sign in again with
// what they have. It may be repeated.
func (c Console) EndSessions(ctx context.Context, of tenant.ID, person string) error {
	return c.accounts.endSessions(ctx, c.by(), of, person)
}

// SetPassword gives a person a start password, which is good for seven days and
// only to choose another one, and ends their sessions.
func (c Console) SetPassword(ctx context.Context, of tenant.ID, person, password string) error {
	err := c.accounts.Vault.SetPassword(ctx, c.token, string(of), person, password)
	if err == nil {
		err = c.accounts.begins(ctx, of, person)
	}
	if err == nil {
		err = c.accounts.record(ctx, c.by(), of, "staff.password", person, nil)
	}
	if err != nil {
		return fmt.Errorf("account: password of %s: %w", person, err)
	}
	return nil
}

// RenewSecondFactor draws a new second factor for a person, which is shown once,
// demands it from now on and ends their sessions.
func (c Console) RenewSecondFactor(ctx context.Context, of tenant.ID, person string) (vault.Enrolment, error) {
	return c.accounts.renewSecondFactor(ctx, c.by(), of, person)
}

// Join makes a person a member of a mailbox; active is false while a second
// administrator has to confirm it. It may be repeated.
func (c Console) Join(ctx context.Context, of tenant.ID, person string, box tenant.MailboxID) (active bool, err error) {
	return c.accounts.join(ctx, c.by(), of, person, box)
}

// Leave ends a membership at once, and the notices about the mailbox. It may be
// repeated.
func (c Console) Leave(ctx context.Context, of tenant.ID, person string, box tenant.MailboxID) error {
	return c.accounts.leave(ctx, c.by(), of, person, box)
}
