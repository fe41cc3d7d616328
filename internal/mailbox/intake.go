package mailbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/vault"
)

// intakeRow is a box on its way to the vault: keys sealed to a day key, in the
// queue since the transaction that stored the message.
type intakeRow vault.Box

// intakeBatch is how many boxes go to the vault at once.
const intakeBatch = 256

func (s *Service) wakeIntake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// runIntake hands waiting boxes to the vault, at once when a letter has been
// committed and every two seconds otherwise, for those of another node or of a
// time when the vault was away.
func (s *Service) runIntake(ctx context.Context) error {
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	for {
		if _, err := s.takeIn(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, fault.Unavailable) {
			s.Log.Error("intake queue", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.wake:
		case <-tick.C:
		}
	}
}

// takeIn empties the queue and returns how many boxes the vault has answered
// for. A row stays until its day key is destroyed, so that a vault restored
// from a backup can take it in again (SECURITY 3.3, point 3).
func (s *Service) takeIn(ctx context.Context) (int, error) {
	total := 0
	for {
		var rows []intakeRow
		err := s.DB.View(ctx, func(tx *db.Tx) (err error) {
			rows, err = selectQueued(ctx, tx, intakeBatch)
			return err
		})
		if err != nil || len(rows) == 0 {
			return total, err
		}
		boxes := make([]vault.Box, len(rows))
		for i, r := range rows {
			boxes[i] = vault.Box(r)
		}
		answers, err := s.Vault.TakeIn(ctx, boxes)
		if err != nil {
			return total, fmt.Errorf("mailbox: hand boxes to the vault: %w", err)
		}
		var taken, refused []string
		for i, a := range answers {
			if a == vault.Refused {
				refused = append(refused, rows[i].Message)
				s.Log.Error("vault refused a box", "message", rows[i].Message, "thread", rows[i].Thread)
				continue
			}
			taken = append(taken, rows[i].Message)
		}
		err = s.DB.Update(ctx, func(tx *db.Tx) error {
			if err := markIntake(ctx, tx, "taken", taken); err != nil {
				return err
			}
			return markIntake(ctx, tx, "refused", refused)
		})
		if err != nil {
			return total, fmt.Errorf("mailbox: mark boxes: %w", err)
		}
		total += len(rows)
		if len(rows) < intakeBatch {
			return total, nil
		}
	}
}

// drain tells the vault which past days have an empty queue, so that it may
// destroy their keys, and drops the rows of days whose key is gone.
func (s *Service) drain(ctx context.Context) error {
	now := s.Now().UTC()
	var days []string
	err := s.DB.View(ctx, func(tx *db.Tx) (err error) {
		days, err = drainedDays(ctx, tx, now.Format(time.DateOnly))
		return err
	})
	if err != nil {
		return fmt.Errorf("mailbox: drained days: %w", err)
	}
	for _, day := range days {
		if err := s.Vault.Drained(ctx, day); err != nil && !errors.Is(err, fault.NotFound) {
			return fmt.Errorf("mailbox: report day %s drained: %w", day, err)
		}
	}
	// A day key lives at least 48 hours after its day; four days later its
	// boxes can no longer be opened by anybody.
	return s.DB.Update(ctx, func(tx *db.Tx) error {
		_, err := dropIntake(ctx, tx, now.AddDate(0, 0, -4).Format(time.DateOnly))
		return err
	})
}
