package newsletter

import (
	"context"
	"time"

	"poststelle/internal/db"
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

// Plant stores a confirmed subscription.
func (s *Service) Plant(ctx context.Context, of tenant.ID, address mail.Address, at time.Time) error {
	k, err := s.keysOf(ctx, of)
	if err != nil {
		return err
	}
	row := subscriber{ID: newID(), Key: k.hash(address), State: active, Lang: "de", Requested: at, Confirmed: at}
	row.Address = k.seal(string(of), row.ID, "address", []byte(address))
	return s.DB.Update(ctx, func(tx *db.Tx) error {
		if err := putSubscriber(ctx, tx, of, row); err != nil {
			return err
		}
		return putEvidence(ctx, tx, of, row, k.seal(string(of), row.ID, "evidence", encode(Evidence{Address: string(address), Way: WayImport, Confirmed: at})))
	})
}

// ReadWish tells what a mail says about leaving the newsletter.
func ReadWish(subject, text string) (wants, more bool) {
	w := readWish(subject, text)
	return w.wants, w.more
}
