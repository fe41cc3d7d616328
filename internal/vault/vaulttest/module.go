package vaulttest

import (
	"context"

	"poststelle/internal/seal"
)

// ModuleKey is that of the wrapped service.
func (s *Switch) ModuleKey(ctx context.Context, token, tenant, module string) (seal.Key, error) {
	if err := s.err(); err != nil {
		return seal.Key{}, err
	}
	return s.inner.ModuleKey(ctx, token, tenant, module)
}
