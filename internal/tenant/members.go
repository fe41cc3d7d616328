package tenant

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"poststelle/internal/db"
	"poststelle/internal/fault"
)

// maxNetworks bounds the list of a tenant.
const maxNetworks = 200

// Inside reports whether an address may use the members' area: the module is on
// and the address lies in one of the networks. An IPv4 address that is mapped
// into IPv6 counts as the IPv4 address it is. No address and no network means
// outside. The address must be one that the caller trusts, such as
// web.ClientIP: no header is looked at here.
func (t *Tenant) Inside(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	return ip.IsValid() && t.Has(Members) && slices.ContainsFunc(t.Networks, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// SeenFrom returns the tenant as a visitor with the address may know it: outside
// the networks without the mailboxes of the members' area. Whoever takes letters
// in from visitors asks this tenant for its mailboxes.
func (t *Tenant) SeenFrom(ip netip.Addr) *Tenant {
	hidden := func(m Mailbox) bool { return m.MembersOnly }
	if t.Inside(ip) || !slices.ContainsFunc(t.Mailboxes, hidden) {
		return t
	}
	open := *t
	open.Mailboxes = slices.DeleteFunc(slices.Clone(t.Mailboxes), hidden)
	return &open
}

// MembersMailbox returns the mailbox to which requests from the members' area
// go, and whether the tenant has one.
func (t *Tenant) MembersMailbox() (Mailbox, bool) {
	i := slices.IndexFunc(t.Mailboxes, func(m Mailbox) bool { return m.MembersOnly })
	if i < 0 {
		return Mailbox{}, false
	}
	return t.Mailboxes[i], true
}

// ParseNetwork reads a network in CIDR notation, IPv4 or IPv6, and returns it
// with the bits behind its length cleared. A single address is a network of its
// own. What would let everybody in, length zero, is fault.Invalid.
func ParseNetwork(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		var a netip.Addr
		if a, err = netip.ParseAddr(s); err == nil && a.Zone() == "" {
			p = netip.PrefixFrom(a, a.BitLen())
		}
	}
	if err == nil && p.Addr().Is4In6() {
		if p.Bits() < 96 {
			p = netip.Prefix{}
		} else {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
	}
	if err != nil || p.Bits() < 1 {
		return netip.Prefix{}, fmt.Errorf("tenant: network: %w", fault.Fields(fault.Field{Name: "networks", Key: "tenant.error.network", Args: []any{"network", s}}))
	}
	return p.Masked(), nil
}

// SetNetworks replaces the networks from which the members' area of a tenant may
// be reached; none closes it to everybody. More than 200, and what ParseNetwork
// refuses, is fault.Invalid; an unknown tenant fault.NotFound.
func SetNetworks(ctx context.Context, d *db.DB, id ID, networks []netip.Prefix) error {
	err := d.Update(ctx, func(tx *db.Tx) error {
		var found string
		if err := tx.QueryRow(ctx, `select id from tenant_tenants where id = $1`, string(id)).Scan(&found); err != nil {
			return err
		}
		if err := putNetworks(ctx, tx, id, networks); err != nil {
			return err
		}
		if err := record(ctx, tx, id, "networks.set", string(id), map[string]string{"count": strconv.Itoa(len(networks))}); err != nil {
			return err
		}
		return touch(ctx, tx)
	})
	if err != nil {
		return fmt.Errorf("tenant: networks of %s: %w", id, err)
	}
	return nil
}

func putNetworks(ctx context.Context, tx *db.Tx, id ID, networks []netip.Prefix) error {
	if len(networks) > maxNetworks {
		return fault.Fields(fault.Field{Name: "networks", Key: "tenant.error.networks", Args: []any{"n", maxNetworks}})
	}
	if _, err := tx.Exec(ctx, `delete from tenant_networks where tenant_id = $1`, string(id)); err != nil {
		return err
	}
	for _, n := range networks {
		p, err := ParseNetwork(n.String())
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `
insert into tenant_networks (tenant_id, prefix)
values ($1, $2)
on conflict (tenant_id, prefix) do nothing`, string(id), p.String())
		if err != nil {
			return err
		}
	}
	return nil
}

// loadNetworks reads the networks. One that cannot be read is left out: it lets
// nobody in.
func loadNetworks(ctx context.Context, tx *db.Tx, s *snapshot) error {
	rows, err := db.Collect(ctx, tx, func(r db.Scanner) (x [2]string, err error) {
		err = r.Scan(&x[0], &x[1])
		return x, err
	}, `select tenant_id, prefix from tenant_networks order by tenant_id, prefix`)
	if err != nil {
		return err
	}
	for _, x := range rows {
		if p, err := ParseNetwork(x[1]); err == nil && s.byID[ID(x[0])] != nil {
			t := s.byID[ID(x[0])]
			t.Networks = append(t.Networks, p)
		}
	}
	return nil
}
