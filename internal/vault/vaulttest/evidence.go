package vaulttest

import (
	"context"

	"poststelle/internal/vault"
)

// AskEvidence is that of the wrapped service.
func (s *Switch) AskEvidence(ctx context.Context, token, tenant, object, ground, reason string) (string, error) {
	if err := s.err(); err != nil {
		return "", err
	}
	return s.inner.AskEvidence(ctx, token, tenant, object, ground, reason)
}

// EvidenceRequests is that of the wrapped service.
func (s *Switch) EvidenceRequests(ctx context.Context, token, tenant string) ([]vault.EvidenceRequest, error) {
	if err := s.err(); err != nil {
		return nil, err
	}
	return s.inner.EvidenceRequests(ctx, token, tenant)
}

// GrantEvidence is that of the wrapped service.
func (s *Switch) GrantEvidence(ctx context.Context, token, tenant, request, day string, box []byte) ([]byte, error) {
	if err := s.err(); err != nil {
		return nil, err
	}
	return s.inner.GrantEvidence(ctx, token, tenant, request, day, box)
}

// RefuseEvidence is that of the wrapped service.
func (s *Switch) RefuseEvidence(ctx context.Context, token, tenant, request string) error {
	if err := s.err(); err != nil {
		return err
	}
	return s.inner.RefuseEvidence(ctx, token, tenant, request)
}

// EvidenceAsked is that of the wrapped service.
func (s *Switch) EvidenceAsked(ctx context.Context, token, tenant, object string) (bool, error) {
	if err := s.err(); err != nil {
		return false, err
	}
	return s.inner.EvidenceAsked(ctx, token, tenant, object)
}
