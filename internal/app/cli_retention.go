package app

import (
	"context"
	"fmt"
	"net/netip"

	"poststelle/internal/tenant"
)

// mailboxSet changes the rule of a mailbox.
type mailboxSet struct {
	dataFlags
	Tenant          string `required:"" help:"The tenant's short name."`
	ID              string `arg:"" help:"Short name of the mailbox."`
	DeleteAfterDays int    `required:"" help:"Delete closed matters routinely after this many days; 0 never." placeholder:"DAYS"`
}

// Help shows examples below the flags.
func (*mailboxSet) Help() string {
	return "Pages and the privacy notice say the rule at once. Where there was none, the period of what is closed already counts from now. " +
		"An authority with the profile vorlage promises that nothing is deleted automatically; its mailboxes can have no rule.\n\n" +
		examples(`poststelle mailbox set kontakt --tenant betreiber --delete-after-days 90`)
}

func (c *mailboxSet) open(ctx context.Context, a *App, s Streams) error {
	err := tenant.SetRetention(ctx, a.DB, tenant.ID(c.Tenant), tenant.MailboxID(c.ID), c.DeleteAfterDays)
	if err != nil {
		return absent(err, "there is no mailbox %q of a tenant %q", c.ID, c.Tenant)
	}
	if err := a.Directory.Refresh(ctx); err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.Out, "closed matters of %s/%s are deleted: %s\n", c.Tenant, c.ID, retention(c.DeleteAfterDays))
	return err
}

// retention is the rule of a mailbox in a list.
func retention(days int) string {
	if days == 0 {
		return "never by itself"
	}
	return fmt.Sprintf("after %d days", days)
}

// networksSet replaces the networks of the members' area.
type networksSet struct {
	dataFlags
	Tenant string   `required:"" help:"The tenant's short name."`
	CIDR   []string `arg:"" optional:"" help:"Networks such as 10.20.0.0/16 or 2001:db8::/32. None closes the members' area."`
}

// Help shows examples below the flags.
func (*networksSet) Help() string {
	return "Only visitors from these networks see the members' area; without a network nobody does. Behind a proxy their addresses are known " +
		"only when serve trusts it (--trusted-proxy), and the list must not hold the address of the proxy itself.\n\n" +
		examples(`poststelle tenant networks set --tenant betreiber 10.20.0.0/16 2001:db8:7::/48`)
}

func (c *networksSet) open(ctx context.Context, a *App, s Streams) error {
	networks, err := parseNetworks(c.CIDR)
	if err != nil {
		return err
	}
	if err := a.SetNetworks(ctx, tenant.ID(c.Tenant), networks); err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.Out, "the members' area of %s is open to %d networks\n", c.Tenant, len(networks))
	return err
}

func parseNetworks(list []string) (out []netip.Prefix, err error) {
	for _, s := range list {
		p, err := tenant.ParseNetwork(s)
		if err != nil {
			return nil, usage("%q is no network such as 10.20.0.0/16 or 2001:db8::/32; one with all addresses is not allowed", s)
		}
		out = append(out, p)
	}
	return out, nil
}

// SetNetworks replaces the networks from which the members' area of a tenant may
// be reached.
func (a *App) SetNetworks(ctx context.Context, id tenant.ID, networks []netip.Prefix) error {
	err := tenant.SetNetworks(ctx, a.DB, id, networks)
	if err != nil {
		return absent(err, noTenant, id)
	}
	return a.Directory.Refresh(ctx)
}

// networksList prints the networks of the members' area.
type networksList struct {
	dataFlags
	Tenant string `required:"" help:"The tenant's short name."`
}

// Help shows examples below the flags.
func (*networksList) Help() string {
	return examples(`poststelle tenant networks list --tenant betreiber`)
}

func (c *networksList) open(_ context.Context, a *App, s Streams) error {
	t, err := a.tenant(c.Tenant)
	if err != nil {
		return err
	}
	for _, n := range t.Networks {
		if _, err := fmt.Fprintln(s.Out, n); err != nil {
			return err
		}
	}
	return nil
}

// contactMailboxes are those an operator begins with: its contact, and the
// requests of authorities from the members' area.
func contactMailboxes() []tenant.Mailbox {
	return []tenant.Mailbox{
		{
			ID: "kontakt", Name: "Kontakt zum Betreiber", NameEN: "Contact the operator", Fallback: true, Retention: tenant.ContactRetention,
			Duties: "Fragen zu dieser Website und zur Technik", DutiesEN: "Questions about this website and how it works", Position: 1,
		},
		{
			ID: "datenschutz-extern", Name: "Externer Datenschutzservice", NameEN: "External data protection service",
			Duties: "Anfragen von Behörden im Mitgliederbereich", DutiesEN: "Requests of authorities in the members' area",
			Retention: tenant.ContactRetention, MembersOnly: true, Position: 2,
		},
	}
}
