package blog

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"poststelle/internal/account"
	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/tenant"
	"poststelle/internal/vault"
)

var errNoEvidence = fmt.Errorf("blog: no evidence about the comment: %w", fault.NotFound)

// askEvidence asks the vault to open the address of a comment. The journal says
// who asked about which comment on which ground.
func (s *Service) askEvidence(ctx context.Context, who account.Actor, comment, ground, reason string) error {
	_, err := s.Vault.AskEvidence(ctx, who.Grant, string(who.Tenant), comment, ground, reason)
	if err == nil {
		err = s.journal(ctx, who, "evidence.asked", comment)
	}
	if err != nil {
		return fmt.Errorf("blog: ask evidence: %w", err)
	}
	return nil
}

// request finds a request among those that are open.
func (s *Service) request(ctx context.Context, who account.Actor, id string) (vault.EvidenceRequest, error) {
	all, err := s.Vault.EvidenceRequests(ctx, who.Grant, string(who.Tenant))
	if err != nil {
		return vault.EvidenceRequest{}, err
	}
	i := slices.IndexFunc(all, func(q vault.EvidenceRequest) bool { return q.ID == id })
	if i < 0 {
		return vault.EvidenceRequest{}, fmt.Errorf("blog: request %s: %w", id, fault.NotFound)
	}
	return all[i], nil
}

func (s *Service) refuseEvidence(ctx context.Context, who account.Actor, request string) error {
	q, err := s.request(ctx, who, request)
	if err != nil {
		return err
	}
	if err := s.Vault.RefuseEvidence(ctx, who.Grant, string(who.Tenant), request); err != nil {
		return fmt.Errorf("blog: refuse evidence: %w", err)
	}
	return s.journal(ctx, who, "evidence.refused", q.Object)
}

// grantEvidence opens the address of a comment for the second person. It is
// journalled first, so that an attempt that fails is on record too.
func (s *Service) grantEvidence(ctx context.Context, who account.Actor, request string) (comment string, at netip.Addr, err error) {
	q, err := s.request(ctx, who, request)
	if err == nil && !q.MayGrant {
		err = fmt.Errorf("blog: request %s: %w", request, fault.Denied)
	}
	if err != nil {
		return "", at, err
	}
	day, box, err := s.evidence(ctx, who.Tenant, q.Object)
	if err == nil {
		err = s.journal(ctx, who, "evidence.granted", q.Object)
	}
	if err != nil {
		return "", at, err
	}
	plain, err := s.Vault.GrantEvidence(ctx, who.Grant, string(who.Tenant), request, day, box)
	if err == nil {
		at, err = netip.ParseAddr(string(plain))
	}
	if err != nil {
		return "", at, fmt.Errorf("blog: grant evidence: %w", err)
	}
	return q.Object, at, nil
}

func (s *Service) evidence(ctx context.Context, of tenant.ID, comment string) (day string, box []byte, err error) {
	err = s.DB.View(ctx, func(tx *db.Tx) error {
		day, box, err = selectEvidence(ctx, tx, of, comment)
		return err
	})
	if err != nil {
		return "", nil, fmt.Errorf("blog: evidence about %s: %w", comment, err)
	}
	return day, box, nil
}

func (s *Service) journal(ctx context.Context, who account.Actor, action, object string) error {
	return s.DB.Update(ctx, func(tx *db.Tx) error { return record(ctx, tx, who, action, object) })
}
