package vault

import (
	"context"

	"poststelle/internal/db"
)

// renewed follows a password or a second factor that somebody else gave a person: that somebody could now sign in as them. Their passkeys
// go, since the device may be lost or in wrong hands. With Config.FourEyes what they may read falls back to proposals by the giver, so
// that a second person decides again before anybody reads with the new access. The console is bound as in Join: not while an authority
// has fewer than two persons who could confirm.
func (v *Vault) renewed(ctx context.Context, tx *db.Tx, g *grant, tenant, person string) error {
	if g.person == person {
		return nil
	}
	if err := dropPasskeys(ctx, tx, staffOwner(tenant, person)); err != nil || !v.cfg.FourEyes {
		return err
	}
	if err := v.reopenMembers(ctx, tx, g, tenant, person); err != nil {
		return err
	}
	return v.reopenSubstitutions(ctx, tx, g, tenant, person)
}

// reopenMembers makes all memberships of a person proposals by who renewed their access; those that were proposals already too, lest the
// giver confirms what somebody else proposed.
func (v *Vault) reopenMembers(ctx context.Context, tx *db.Tx, g *grant, tenant, person string) error {
	boxes, err := selectAllOf(ctx, tx, tenant, person)
	if err != nil {
		return err
	}
	for _, box := range boxes {
		keeps, err := begins(ctx, tx, g, tenant, person, box)
		if err != nil {
			return err
		}
		if keeps {
			continue
		}
		if err := reopenMember(ctx, tx, tenant, person, box, g.actor()); err != nil {
			return err
		}
		e := entry{tenant: tenant, person: g.actor(), action: actionPropose, object: person, purpose: box, items: 1}
		if err := v.audit(ctx, tx, e); err != nil {
			return err
		}
	}
	return nil
}

// reopenSubstitutions is reopenMembers for the substitutions by and of a person.
func (v *Vault) reopenSubstitutions(ctx context.Context, tx *db.Tx, g *grant, tenant, person string) error {
	if keeps, err := begins(ctx, tx, g, tenant, person, ""); err != nil || keeps {
		return err
	}
	rows, err := selectSubstitutions(ctx, tx, tenant)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if r.Person != person && r.Deputy != person {
			continue
		}
		if err := putSubstitution(ctx, tx, tenant, r.Substitution, g.actor(), ""); err != nil {
			return err
		}
		e := entry{tenant: tenant, person: g.actor(), action: actionStandInAsk, object: r.Person, purpose: r.Deputy, items: 1}
		if err := v.audit(ctx, tx, e); err != nil {
			return err
		}
	}
	return nil
}

// begins reports whether the console acts at an authority that has too few persons to confirm anything.
func begins(ctx context.Context, tx *db.Tx, g *grant, tenant, person, mailbox string) (bool, error) {
	if g.service == "" {
		return false, nil
	}
	n, err := countConfirmers(ctx, tx, tenant, person, mailbox)
	return n < 2, err
}
