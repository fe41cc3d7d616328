package mailbox

import (
	"context"

	"poststelle/internal/account"
	"poststelle/internal/db"
	"poststelle/internal/jobs"
	"poststelle/internal/tenant"
)

// EnqueueSettle stores the job that an operation on vault and database begins
// with, for tests of its interruption.
func (s *Service) EnqueueSettle(ctx context.Context, of tenant.ID, id string) error {
	return s.DB.Update(ctx, func(tx *db.Tx) error {
		return s.Jobs.Enqueue(ctx, tx, jobSettle, string(of)+":"+id, jobs.At(tx.Now.Add(settleSoon)))
	})
}

// Remove deletes a thread for good.
func (s *Service) Remove(ctx context.Context, who account.Actor, id, ground string) error {
	t, err := s.head(ctx, who, id)
	if err != nil {
		return err
	}
	return s.remove(ctx, who, id, t.Version, ground)
}

// BeginAnswer draws the key of an answer, and returns what sends it.
func (s *Service) BeginAnswer(ctx context.Context, who account.Actor, id string) (send func(account.Actor) error, err error) {
	t, err := s.head(ctx, who, id)
	if err != nil {
		return nil, err
	}
	d, err := s.prepareAnswer(ctx, who, id, false)
	return func(who account.Actor) error {
		return s.answer(ctx, who, answerInput{Thread: id, Version: t.Version, Draft: d, Body: "Guten Tag"})
	}, err
}
