package blog

import (
	"context"
	"fmt"

	"poststelle/internal/seal"
	"poststelle/internal/tenant"
)

// What people write who report something or complain is for the editors alone. It
// is sealed under the key of the module, so that the database, its backups and its
// dumps do not tell it; what is public, as a comment, is not sealed.

const casePart = "case"

// Prepare makes the keys of all tenants that have a blog, so that no reading of a
// page has to: at start, and when a tenant gets one.
func (s *Service) Prepare(ctx context.Context) error {
	for _, t := range s.Directory.All() {
		if !s.On(t) {
			continue
		}
		if _, err := s.caseKey(ctx, t.ID); err != nil {
			return err
		}
	}
	return nil
}

// caseKey is the key of the cases of a tenant. It asks the vault once, and never
// inside of a transaction.
func (s *Service) caseKey(ctx context.Context, of tenant.ID) (seal.Key, error) {
	if k, ok := s.keys.Load(of); ok {
		return k.(seal.Key), nil
	}
	root, err := s.Vault.ModuleKey(ctx, s.Website, string(of), module)
	if err != nil {
		return seal.Key{}, fmt.Errorf("blog: key of %s: %w", of, err)
	}
	k := root.Derive("cases")
	s.keys.Store(of, k)
	return k, nil
}

func casePlace(of tenant.ID, id string) seal.Place {
	return seal.Place{Tenant: string(of), Message: id, Part: casePart}
}

// sealCase seals what was written, in place.
func (s *Service) sealCase(ctx context.Context, of tenant.ID, n *inquiry) error {
	k, err := s.caseKey(ctx, of)
	if err != nil {
		return err
	}
	n.sealed, n.Body = seal.Seal(k.Derive(n.ID), casePlace(of, n.ID), []byte(n.Body)), ""
	return nil
}

// openCases opens what was written in those that there are.
func (s *Service) openCases(ctx context.Context, of tenant.ID, list ...*inquiry) error {
	for _, n := range list {
		if n.ID == "" {
			continue
		}
		k, err := s.caseKey(ctx, of)
		if err != nil {
			return err
		}
		plain, err := seal.Open(k.Derive(n.ID), casePlace(of, n.ID), n.sealed)
		if err != nil {
			return fmt.Errorf("blog: case %s: %w", n.ID, err)
		}
		n.Body = string(plain)
	}
	return nil
}
