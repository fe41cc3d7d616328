package tenant

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"poststelle/internal/db"
	"poststelle/internal/fault"
)

const (
	// MaxRetention bounds the rule of a mailbox, in days.
	MaxRetention = 3650
	// ContactRetention is the rule that a mailbox of the operator begins with,
	// in days (B70, B74).
	ContactRetention = 90
)

// Due returns the day (its start in local time) on which a matter that was
// closed at the instant is deleted routinely, and false where the mailbox has
// no rule. The day of closing does not count, and the whole last day does
// (§§ 187, 188 BGB).
func (m Mailbox) Due(closed time.Time) (time.Time, bool) {
	if m.Retention <= 0 || closed.IsZero() {
		return time.Time{}, false
	}
	if closed.Before(m.RetentionSince) {
		closed = m.RetentionSince
	}
	return StartOfDay(closed).AddDate(0, 0, m.Retention+1), true
}

// checkRule refuses a rule where the notice excludes it: an authority with the
// profile vorlage promises that nothing is deleted by itself (A47).
func checkRule(k Kind, p Profile, days int) error {
	if days != 0 && k == Authority && p == Vorlage {
		return fault.Fields(fault.Field{Name: "delete-after-days", Key: "tenant.error.retention_a47"})
	}
	return nil
}

func ruleAllowed(ctx context.Context, tx *db.Tx, of ID, days int) error {
	if days == 0 {
		return nil
	}
	var k Kind
	var p Profile
	if err := tx.QueryRow(ctx, `select kind, profile from tenant_tenants where id = $1`, string(of)).Scan(&k, &p); err != nil {
		return err
	}
	return checkRule(k, p, days)
}

// SetRetention gives a mailbox its rule: matters are deleted routinely that many
// days after they were closed, 0 never. Where there was no rule, the period of
// what is closed already counts from now; a changed rule holds for it as well.
// It may be repeated. An unknown mailbox is fault.NotFound; a
// number outside 0 to MaxRetention, and any rule for an authority with the
// profile vorlage (A47), fault.Invalid.
func SetRetention(ctx context.Context, d *db.DB, of ID, box MailboxID, days int) error {
	err := d.Update(ctx, func(tx *db.Tx) error {
		var old int
		err := tx.QueryRow(ctx, `select retention_days from tenant_mailboxes where tenant_id = $1 and id = $2`, string(of), string(box)).Scan(&old)
		if err != nil || old == days {
			return err
		}
		if days < 0 || days > MaxRetention {
			return fault.Fields(fault.Field{Name: "delete-after-days", Key: "tenant.error.retention", Args: []any{"n", MaxRetention}})
		}
		if err := ruleAllowed(ctx, tx, of, days); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `
update tenant_mailboxes
set retention_days = $3, retention_since = case when retention_days = 0 then $4 else retention_since end
where tenant_id = $1 and id = $2`, string(of), string(box), days, db.Millis(tx.Now))
		if err != nil {
			return err
		}
		rule := map[string]string{"rule": strconv.Itoa(days)}
		if err := record(ctx, tx, of, "mailbox.retention", string(box), rule); err != nil {
			return err
		}
		return touch(ctx, tx)
	})
	if err != nil {
		return fmt.Errorf("tenant: retention of %s/%s: %w", of, box, err)
	}
	return nil
}
