package newsletter

import (
	"context"

	"poststelle/internal/mail"
	"poststelle/internal/tenant"
)

// Tamper breaks every issue before it is looked at, as a fault of the program
// would.
func (s *Service) Tamper(f func(*mail.Series)) { s.tampering = f }

// EvidenceOf opens the evidence of a subscription.
func (s *Service) EvidenceOf(ctx context.Context, of tenant.ID, record []byte, id string) (Evidence, error) {
	k, err := s.keysOf(ctx, of)
	if err != nil {
		return Evidence{}, err
	}
	return k.evidence(of, id, record)
}
