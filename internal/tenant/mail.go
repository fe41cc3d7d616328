package tenant

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"poststelle/internal/db"
	"poststelle/internal/fault"
)

// maxMailAddress is the longest mail address, in bytes (RFC 5321, 4.5.3.1.3).
const maxMailAddress = 254

// NormalMail returns a published mail address in the form in which it is stored
// and looked up: lower case, without a sub-address ("info+neu@…" is
// "info@…"). The sub-address is returned apart, as it was written. What is no
// plain address of ASCII characters is "".
func NormalMail(address string) (normal, sub string) {
	at := strings.LastIndexByte(address, '@')
	if at < 1 || len(address) > maxMailAddress || strings.ContainsAny(address, " \t\r\n") {
		return "", ""
	}
	local, domain := address[:at], NormalHost(address[at+1:])
	if i := strings.IndexByte(local, '+'); i >= 0 {
		local, sub = local[:i], local[i+1:]
	}
	if local == "" || !hostForm.MatchString(domain) {
		return "", ""
	}
	for _, b := range []byte(local) {
		switch {
		case 'a' <= b && b <= 'z', 'A' <= b && b <= 'Z', '0' <= b && b <= '9', strings.IndexByte(".-_=&'/#$*?^`{|}~!%", b) >= 0:
		default:
			return "", ""
		}
	}
	return strings.ToLower(local) + "@" + domain, sub
}

// Published returns the addresses to which mail for the tenant is taken in: its
// contact address and those added with AddMail.
func (t *Tenant) Published() []string {
	out := slices.Clone(t.Mail)
	if own, _ := NormalMail(t.Address.Email); own != "" && !slices.Contains(out, own) {
		out = append([]string{own}, out...)
	}
	return out
}

// AddMail publishes an address of a tenant: from then on mail to it is taken in.
// It may be repeated. What is no address, or has a sub-address, is
// fault.Invalid; an address of another tenant fault.Conflict; an unknown tenant
// fault.NotFound.
func AddMail(ctx context.Context, d *db.DB, id ID, address string) error {
	normal, sub := NormalMail(address)
	if normal == "" || sub != "" {
		return fmt.Errorf("tenant: publish address: %w", fault.Fields(fault.Field{Name: "mail", Key: "tenant.error.mail"}))
	}
	err := d.Update(ctx, func(tx *db.Tx) error {
		var owner string
		err := tx.QueryRow(ctx, `select id from tenant_tenants where id = $1`, string(id)).Scan(&owner)
		if err != nil {
			return err
		}
		n, err := tx.Exec(ctx, `
insert into tenant_mail (address, tenant_id)
values ($1, $2)
on conflict (address) do nothing`, normal, string(id))
		if err != nil {
			return err
		}
		if n == 0 {
			if err := tx.QueryRow(ctx, `select tenant_id from tenant_mail where address = $1`, normal).Scan(&owner); err != nil {
				return err
			}
			if owner != string(id) {
				return fault.Conflict
			}
			return nil
		}
		if err := record(ctx, tx, id, "mail.added", string(id), nil); err != nil {
			return err
		}
		return touch(ctx, tx)
	})
	if err != nil {
		return fmt.Errorf("tenant: publish address of %s: %w", id, err)
	}
	return nil
}

// RemoveMail takes an address back: mail to it is refused from then on. An
// address that was not added is fault.NotFound; the contact address of a tenant
// is published as long as it is the contact address.
func RemoveMail(ctx context.Context, d *db.DB, id ID, address string) error {
	normal, _ := NormalMail(address)
	err := d.Update(ctx, func(tx *db.Tx) error {
		n, err := tx.Exec(ctx, `delete from tenant_mail where address = $1 and tenant_id = $2`, normal, string(id))
		if err != nil {
			return err
		}
		if n == 0 {
			return fault.NotFound
		}
		if err := record(ctx, tx, id, "mail.removed", string(id), nil); err != nil {
			return err
		}
		return touch(ctx, tx)
	})
	if err != nil {
		return fmt.Errorf("tenant: take back address of %s: %w", id, err)
	}
	return nil
}

// ByMail returns the tenant that publishes an address, and the sub-address
// behind a plus sign, if there is one. An address that two tenants name as their
// contact address and neither has added belongs to none.
func (d *Directory) ByMail(address string) (t *Tenant, sub string, ok bool) {
	normal, sub := NormalMail(address)
	t, ok = d.snap.Load().byMail[normal]
	return t, sub, ok
}

// loadMail reads the published addresses into the snapshot.
func loadMail(ctx context.Context, tx *db.Tx, s *snapshot) error {
	added, err := db.Collect(ctx, tx, func(r db.Scanner) (a [2]string, err error) {
		err = r.Scan(&a[0], &a[1])
		return a, err
	}, `select address, tenant_id from tenant_mail order by tenant_id, address`)
	if err != nil {
		return err
	}
	s.byMail = map[string]*Tenant{}
	for _, a := range added {
		if t := s.byID[ID(a[1])]; t != nil {
			t.Mail = append(t.Mail, a[0])
			s.byMail[a[0]] = t
		}
	}
	contacts, shared := map[string]*Tenant{}, map[string]bool{}
	for _, t := range s.tenants {
		if own, _ := NormalMail(t.Address.Email); own != "" {
			shared[own] = contacts[own] != nil
			contacts[own] = t
		}
	}
	for own, t := range contacts {
		if _, taken := s.byMail[own]; !taken && !shared[own] {
			s.byMail[own] = t
		}
	}
	return nil
}
