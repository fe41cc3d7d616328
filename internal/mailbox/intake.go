package mailbox

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/jobs"
	"poststelle/internal/vault"
)

// intakeRow is a box on its way to the vault: keys sealed to a day key, in the
// queue since the transaction that stored the message.
type intakeRow vault.Box

// requeueBatch is how many boxes are compared with the vault at once.
const requeueBatch = 200

// intakeBatch is how many boxes go to the vault at once.
const intakeBatch = 32

func (s *Service) wakeIntake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// runIntake hands waiting boxes to the vault, at once when a letter has been
// committed and every two seconds otherwise, for those of another node or of a
// time when the vault was away. It begins with the boxes that a restored vault
// has lost.
func (s *Service) runIntake(ctx context.Context) error {
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	compared := false
	for {
		if !compared {
			compared = s.requeue(ctx) == nil
		}
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
		marks := map[string][]string{}
		var deleted []vault.Box // brought back by an older copy of the database
		for i, a := range answers {
			mark := "taken"
			switch a {
			case vault.Deleted:
				mark = "deleted"
				deleted = append(deleted, boxes[i])
			case vault.Refused:
				mark = "refused"
				s.Log.Error("vault refused a box", "message", rows[i].Message, "thread", rows[i].Thread)
			}
			marks[mark] = append(marks[mark], rows[i].Message)
		}
		err = s.DB.Update(ctx, func(tx *db.Tx) error {
			for mark, messages := range marks {
				if err := markIntake(ctx, tx, mark, messages); err != nil {
					return err
				}
			}
			for _, b := range deleted {
				if err := s.Jobs.Enqueue(ctx, tx, jobSettle, b.Tenant+":"+b.Thread); err != nil {
					return err
				}
			}
			return nil
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

// requeue puts boxes back into the queue that the vault should have and does
// not: those that it had taken in after the backup from which it was restored.
// What was deleted stays deleted.
func (s *Service) requeue(ctx context.Context) error {
	for last := ""; ; {
		// Read in the order of an index, a page at a time, so that the cost is
		// that of one walk, however many letters are kept.
		var rows []takenRow
		err := s.DB.View(ctx, func(tx *db.Tx) (err error) {
			rows, err = selectTaken(ctx, tx, last, requeueBatch)
			return err
		})
		if err != nil || len(rows) == 0 {
			return err
		}
		missing, err := s.missing(ctx, rows)
		if err != nil {
			return fmt.Errorf("mailbox: compare boxes with the vault: %w", err)
		}
		if len(missing) > 0 {
			s.Log.Warn("vault lacks boxes that it had taken in", "boxes", len(missing))
			err := s.DB.Update(ctx, func(tx *db.Tx) error { return markIntake(ctx, tx, "queued", missing) })
			if err != nil {
				return fmt.Errorf("mailbox: queue boxes again: %w", err)
			}
		}
		last = rows[len(rows)-1].Message
	}
}

// missing returns the messages of taken boxes that the vault does not know.
func (s *Service) missing(ctx context.Context, rows []takenRow) ([]string, error) {
	threads := map[string][]string{}
	for _, r := range rows {
		threads[r.Tenant] = append(threads[r.Tenant], r.Thread)
	}
	known := map[string]vault.ThreadState{}
	for of, ids := range threads {
		slices.Sort(ids)
		states, err := s.Vault.State(ctx, of, slices.Compact(ids))
		if err != nil {
			return nil, err
		}
		maps.Copy(known, states)
	}
	var out []string
	for _, r := range rows {
		if st := known[r.Thread]; !st.Gone && !slices.Contains(st.Messages, r.Message) {
			out = append(out, r.Message)
		}
	}
	return out, nil
}

// Stuck returns how many acknowledged letters the vault has refused. They are
// offered to it every hour and their day keys are kept, but somebody must look
// why: until then nobody can read them.
func (s *Service) Stuck(ctx context.Context) (n int, err error) {
	err = s.DB.View(ctx, func(tx *db.Tx) error {
		n, err = countRefused(ctx, tx)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("mailbox: refused boxes: %w", err)
	}
	return n, nil
}

// tidyIntake is the hourly work on the queue: what the vault lacks or has
// refused is offered again before the days are reported.
func (s *Service) tidyIntake(ctx context.Context, _ jobs.Job) error {
	if err := s.requeue(ctx); err != nil {
		return err
	}
	err := s.DB.Update(ctx, func(tx *db.Tx) error {
		_, err := requeueRefused(ctx, tx)
		return err
	})
	if err != nil {
		return fmt.Errorf("mailbox: queue refused boxes again: %w", err)
	}
	if _, err := s.takeIn(ctx); err != nil {
		return err
	}
	return s.drain(ctx)
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
