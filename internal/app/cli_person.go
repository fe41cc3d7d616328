package app

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"

	"poststelle/internal/fault"
	"poststelle/internal/tenant"
	"poststelle/internal/vault"
)

// person finds a member of staff by login, as the sign-in does without regard to
// case.
func (a *App) person(ctx context.Context, of, login string) (vault.Person, error) {
	if _, err := a.tenant(of); err != nil {
		return vault.Person{}, err
	}
	people, err := a.Vault.Staff(ctx, a.console, of)
	if err != nil {
		return vault.Person{}, err
	}
	for _, p := range people {
		if strings.EqualFold(p.Login, strings.TrimSpace(login)) {
			return p, nil
		}
	}
	return vault.Person{}, plain(fault.NotFound, "nobody signs in as %q at %q", login, of)
}

// box finds a mailbox of a tenant.
func (a *App) box(of, id string) (tenant.MailboxID, error) {
	t, err := a.tenant(of)
	if err != nil {
		return "", err
	}
	if _, ok := t.Mailbox(tenant.MailboxID(id)); !ok {
		return "", plain(fault.NotFound, "%q has no mailbox %q", of, id)
	}
	return tenant.MailboxID(id), nil
}

type staffPassword struct {
	dataFlags
	Tenant   string `required:"" help:"The tenant's short name."`
	Login    string `arg:"" help:"Name the person signs in with."`
	Password string `help:"Start password, good for seven days and until the person chooses another one; one is made and printed otherwise." env:"POSTSTELLE_PASSWORD"`
}

// Help shows examples below the flags.
func (*staffPassword) Help() string {
	return "The person's sessions and passkeys end. The second factor stays. Where two people could confirm it, what the\nperson may read waits for one of them, as after staff join.\n\n" + examples(`poststelle staff password m.weber --tenant musterstadt`)
}

func (c *staffPassword) open(ctx context.Context, a *App, s Streams) error {
	p, err := a.person(ctx, c.Tenant, c.Login)
	if err != nil {
		return err
	}
	password := c.Password
	if password == "" {
		password = rand.Text()
	}
	if err := a.Staff.SetPassword(ctx, tenant.ID(c.Tenant), p.ID, password); err != nil {
		return err
	}
	w := table(s.Out)
	fmt.Fprintf(w, "login\t%s\n", p.Login)
	if c.Password == "" {
		fmt.Fprintf(w, "password\t%s\n", password)
	}
	fmt.Fprintf(w, "good for\t%s\n", startWords)
	return w.Flush()
}

type staffSecondFactor struct {
	dataFlags
	Tenant string `required:"" help:"The tenant's short name."`
	Login  string `arg:"" help:"Name the person signs in with."`
}

// Help shows examples below the flags.
func (*staffSecondFactor) Help() string {
	return "For a lost device: the old set-up ends, and with it the person's sessions and passkeys. Where two people could\nconfirm it, what the person may read waits for one of them, as after staff join.\n\n" + examples(`poststelle staff second-factor m.weber --tenant musterstadt`)
}

func (c *staffSecondFactor) open(ctx context.Context, a *App, s Streams) error {
	p, err := a.person(ctx, c.Tenant, c.Login)
	if err != nil {
		return err
	}
	e, err := a.Staff.RenewSecondFactor(ctx, tenant.ID(c.Tenant), p.ID)
	if err != nil {
		return err
	}
	w := table(s.Out)
	fmt.Fprintf(w, "login\t%s\nsecond factor\t%s\nset-up address\t%s\n", p.Login, e.TOTPSecret, e.TOTPURL)
	fmt.Fprintln(w, "\nThe second factor is shown only now. Enter it into an authenticator app.")
	return w.Flush()
}

type staffJoin struct {
	dataFlags
	Tenant  string `required:"" help:"The tenant's short name."`
	Login   string `arg:"" help:"Name the person signs in with."`
	Mailbox string `arg:"" help:"Short name of the mailbox."`
}

// Help shows examples below the flags.
func (*staffJoin) Help() string {
	return "The person reads all letters of the mailbox from the next page on. Once two people of the authority could confirm it\n(administrators, leads of the mailbox), this only proposes the membership and one of them confirms.\n\n" + examples(`poststelle staff join m.weber bauamt --tenant musterstadt`)
}

func (c *staffJoin) open(ctx context.Context, a *App, s Streams) error {
	p, box, err := a.membership(ctx, c.Tenant, c.Login, c.Mailbox)
	if err != nil {
		return err
	}
	active, err := a.Staff.Join(ctx, tenant.ID(c.Tenant), p.ID, box)
	if err != nil {
		return err
	}
	said := "works in"
	if !active {
		said = "is proposed for"
	}
	if _, err = fmt.Fprintf(s.Out, "%s %s %s\n", p.Login, said, box); err == nil && !active {
		_, err = fmt.Fprintln(s.Out, "a second person has to confirm it")
	}
	return err
}

type staffLeave struct {
	dataFlags
	Tenant  string `required:"" help:"The tenant's short name."`
	Login   string `arg:"" help:"Name the person signs in with."`
	Mailbox string `arg:"" help:"Short name of the mailbox."`
}

// Help shows examples below the flags.
func (*staffLeave) Help() string {
	return "The person opens no letter of the mailbox any more and gets no notice about it.\n\n" + examples(`poststelle staff leave m.weber bauamt --tenant musterstadt`)
}

func (c *staffLeave) open(ctx context.Context, a *App, s Streams) error {
	p, box, err := a.membership(ctx, c.Tenant, c.Login, c.Mailbox)
	if err != nil {
		return err
	}
	if err := a.Staff.Leave(ctx, tenant.ID(c.Tenant), p.ID, box); err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.Out, "%s left %s\n", p.Login, box)
	return err
}

type staffSignOut struct {
	dataFlags
	Tenant string `required:"" help:"The tenant's short name."`
	Login  string `arg:"" help:"Name the person signs in with."`
}

// Help shows examples below the flags.
func (*staffSignOut) Help() string {
	return "For a device that somebody left signed in. Password, second factor and passkeys stay: if somebody else may know them,\ngive new ones instead, which ends the sessions too.\n\n" + examples(`poststelle staff sign-out m.weber --tenant musterstadt`)
}

func (c *staffSignOut) open(ctx context.Context, a *App, s Streams) error {
	p, err := a.person(ctx, c.Tenant, c.Login)
	if err != nil {
		return err
	}
	if err := a.Staff.EndSessions(ctx, tenant.ID(c.Tenant), p.ID); err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.Out, "%s signed out everywhere\n", p.Login)
	return err
}

func (a *App) membership(ctx context.Context, of, login, mailbox string) (vault.Person, tenant.MailboxID, error) {
	p, err := a.person(ctx, of, login)
	if err != nil {
		return p, "", err
	}
	box, err := a.box(of, mailbox)
	return p, box, err
}
