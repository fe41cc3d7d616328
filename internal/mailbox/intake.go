package mailbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
		var deleted []vault.Box // brought back by an older copy of the database
		for i, a := range answers {
			if a == vault.Deleted {
				deleted = append(deleted, boxes[i])
			}
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
			for _, b := range deleted {
				if err := s.Jobs.Enqueue(ctx, tx, jobSettle, b.Tenant+":"+b.Thread); err != nil {
					return err
				}
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

// keptDays is how many past days drain reports on; what is older only comes up
// when the vault complains (Overdue).
const keptDays = 10

// drain tells the vault which past days have an empty queue, so that it may
// destroy their keys, and drops the rows of days whose key is gone. A day
// without a letter counts as drained; one with a box that the vault has not
// taken in keeps its key and raises the vault's alarm.
func (s *Service) drain(ctx context.Context) error {
	now := s.Now().UTC()
	var waiting []string
	err := s.DB.View(ctx, func(tx *db.Tx) (err error) {
		waiting, err = waitingDays(ctx, tx, now.Format(time.DateOnly))
		return err
	})
	if err != nil {
		return fmt.Errorf("mailbox: days with waiting boxes: %w", err)
	}
	days, err := s.Vault.Overdue(ctx)
	if err != nil {
		return fmt.Errorf("mailbox: overdue days: %w", err)
	}
	for n := 1; n <= keptDays; n++ {
		days = append(days, now.AddDate(0, 0, -n).Format(time.DateOnly))
	}
	for _, day := range days {
		if slices.Contains(waiting, day) {
			continue
		}
		if err := s.Vault.Drained(ctx, day); err != nil {
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
