package mailbox

import (
	"context"
	"time"

	"poststelle/internal/tenant"
)

// AcceptedKind is the check of an upload's kind.
func AcceptedKind(name string, head []byte, accepted []string) (string, bool) {
	return acceptedKind(name, head, accepted)
}

// NextNumber draws a case number.
func (s *Service) NextNumber(ctx context.Context, of tenant.ID, now time.Time) (string, error) {
	return s.numbers.next(ctx, s.DB, of, now)
}
