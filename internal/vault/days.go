package vault

import (
	"context"
	"fmt"
	"time"

	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/seal"
)

// A day is a UTC date. Three key pairs belong to each: "intake" for letters, "log" for segments of the access log and "evidence" for
// addresses of those who publish something.
const (
	purposeIntake   = "intake"
	purposeLog      = "log"
	purposeEvidence = "evidence"

	daysAhead      = 7              // published today and for seven days more
	dayGrace       = 48 * time.Hour // a day key lives at least this long after its day
	tombstoneFloor = 72 * time.Hour // every tombstone stays this long, those of answers only so long
	dayFormat      = "2006-01-02"
)

func dayOf(t time.Time) string { return t.UTC().Format(dayFormat) }

func validDay(day string) bool {
	t, err := time.Parse(dayFormat, day)
	return err == nil && t.Format(dayFormat) == day
}

// dayEnd is the first instant after the day.
func dayEnd(day string) (time.Time, error) {
	t, err := time.Parse(dayFormat, day)
	if err != nil {
		return t, fmt.Errorf("vault: day: %w", fault.Invalid)
	}
	return t.AddDate(0, 0, 1), nil
}

func (v *Vault) publishDays(ctx context.Context, tx *db.Tx) error {
	have, err := selectDays(ctx, tx, dayOf(tx.Now))
	if err != nil {
		return err
	}
	known := make(map[[2]string]bool, len(have))
	for _, d := range have {
		known[[2]string{d.purpose, d.day}] = true
	}
	for _, purpose := range []string{purposeIntake, purposeLog, purposeEvidence} {
		for n := range daysAhead + 1 {
			day := dayOf(tx.Now.AddDate(0, 0, n))
			if known[[2]string{purpose, day}] {
				continue
			}
			pair, err := seal.NewPair()
			if err != nil {
				return fmt.Errorf("day key: %w", err)
			}
			private := pair.Bytes()
			sealed := v.keys.seal(private, "day", purpose, day)
			clear(private)
			if err := insertDay(ctx, tx, purpose, day, pair.Public().Bytes(), sealed); err != nil {
				return err
			}
		}
	}
	return nil
}

// expireDays destroys what is due and returns the destroyed intake days.
func (v *Vault) expireDays(ctx context.Context, tx *db.Tx) ([]string, error) {
	days, err := selectPastDays(ctx, tx, dayOf(tx.Now))
	if err != nil {
		return nil, err
	}
	var destroyed []string
	for _, d := range days {
		end, err := dayEnd(d.day)
		if err != nil {
			return nil, err
		}
		switch {
		case d.purpose == purposeLog && !tx.Now.Before(end.AddDate(0, 0, v.cfg.LogDays)):
		case d.purpose == purposeEvidence && !tx.Now.Before(end.AddDate(0, 0, v.cfg.EvidenceDays)):
		case d.purpose == purposeIntake && d.drained && !tx.Now.Before(end.Add(dayGrace)):
			destroyed = append(destroyed, d.day)
		default:
			continue
		}
		if err := deleteDay(ctx, tx, d.purpose, d.day); err != nil {
			return nil, err
		}
	}
	return destroyed, nil
}

func overdueDays(ctx context.Context, tx *db.Tx) ([]string, error) {
	days, err := selectPastDays(ctx, tx, dayOf(tx.Now))
	if err != nil {
		return nil, err
	}
	var out []string
	for _, d := range days {
		end, err := dayEnd(d.day)
		if err != nil {
			return nil, err
		}
		if d.purpose == purposeIntake && !d.drained && tx.Now.After(end.Add(dayGrace)) {
			out = append(out, d.day)
		}
	}
	return out, nil
}

// Drained reports that web's queue holds no box of the day any more. The day must be over (fault.Conflict), because boxes may
// still be sealed to it. A box of that day taken in later withdraws the report. Unknown and destroyed days are fine.
func (v *Vault) Drained(ctx context.Context, day string) error {
	end, err := dayEnd(day)
	if err != nil {
		return err
	}
	return v.update(ctx, "drained", func(tx *db.Tx) error {
		if tx.Now.Before(end) {
			return fmt.Errorf("day %s is not over: %w", day, fault.Conflict)
		}
		return markDrained(ctx, tx, day, tx.Now)
	})
}

// Overdue lists days whose private key is older than 48 h and cannot be destroyed, because nobody said that the queue is drained.
// It is an alarm: boxes may be stuck.
func (v *Vault) Overdue(ctx context.Context) ([]string, error) {
	var out []string
	err := v.view(ctx, "overdue", func(tx *db.Tx) error {
		var err error
		out, err = overdueDays(ctx, tx)
		return err
	})
	return out, err
}

// dayKey opens the private intake key of a day, fault.NotFound if it is destroyed or was never published.
func (v *Vault) dayKey(ctx context.Context, day string) (seal.Private, error) {
	v.dayMu.Lock()
	defer v.dayMu.Unlock()
	if p, ok := v.days[day]; ok {
		return p, nil
	}
	p, err := v.openDay(ctx, purposeIntake, day)
	if err != nil {
		return seal.Private{}, err
	}
	v.days[day] = p
	return p, nil
}

func (v *Vault) openDay(ctx context.Context, purpose, day string) (seal.Private, error) {
	var sealed []byte
	err := v.view(ctx, "day key", func(tx *db.Tx) error {
		var err error
		sealed, err = selectDayPrivate(ctx, tx, purpose, day)
		return err
	})
	if err != nil {
		return seal.Private{}, err
	}
	raw, err := v.keys.open(sealed, "day", purpose, day)
	if err != nil {
		return seal.Private{}, err
	}
	defer clear(raw)
	p, err := seal.ParsePrivate(raw)
	if err != nil {
		return seal.Private{}, fmt.Errorf("vault: day key: %w", err)
	}
	return p, nil
}

func (v *Vault) forgetDays(days []string) {
	v.dayMu.Lock()
	defer v.dayMu.Unlock()
	for _, d := range days {
		delete(v.days, d)
	}
}
