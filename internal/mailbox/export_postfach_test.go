package mailbox

import (
	"context"

	"poststelle/internal/account"
	"poststelle/internal/db"
	"poststelle/internal/tenant"
)

// SettleHolding stores the job that an operation on a mailbox begins with.
func (s *Service) SettleHolding(ctx context.Context, of tenant.ID, thread, accountID string) error {
	return s.settleHolding(ctx, of, thread, accountID)
}

// ForgetAccount drops what an account has, in a transaction.
func (s *Service) ForgetAccount(ctx context.Context, accountID string) error {
	return s.DB.Update(ctx, func(tx *db.Tx) error { return s.forgetAccount(ctx, tx, accountID) })
}

// LetGo takes a thread out of a mailbox.
func (s *Service) LetGo(ctx context.Context, who account.Citizen, of tenant.ID, thread string) error {
	return s.letGo(ctx, who, of, thread)
}
