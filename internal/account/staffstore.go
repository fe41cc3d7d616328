package account

import (
	"context"
	"time"

	"poststelle/internal/db"
	"poststelle/internal/tenant"
)

// known is what this package keeps of a person: the name, and until when a start
// password is good, zero for who chose their own.
type known struct {
	Name  string
	Start time.Time
}

func selectKnown(ctx context.Context, tx *db.Tx, of tenant.ID, person string) (known, error) {
	var k known
	var start int64
	err := tx.QueryRow(ctx, `select name, start_until from account_staff where tenant_id = $1 and id = $2`, string(of), person).Scan(&k.Name, &start)
	if start > 0 {
		k.Start = db.Time(start)
	}
	return k, err
}

// startUntil is until when the password of a new person is good, 0 for ever.
func startUntil(n NewStaff, now time.Time) int64 {
	if !n.Start {
		return 0
	}
	return db.Millis(now.Add(startFor))
}

// updateStart sets until when a start password is good; the zero time says that
// the person has one of their own.
func updateStart(ctx context.Context, tx *db.Tx, of tenant.ID, person string, until time.Time) error {
	var at int64
	if !until.IsZero() {
		at = db.Millis(until)
	}
	_, err := tx.Exec(ctx, `update account_staff set start_until = $3 where tenant_id = $1 and id = $2`, string(of), person, at)
	return err
}

func updateStaffRole(ctx context.Context, tx *db.Tx, of tenant.ID, person string, role Role) error {
	_, err := tx.Exec(ctx, `update account_staff set role = $3 where tenant_id = $1 and id = $2`, string(of), person, string(role))
	return err
}

// Count returns how many people of each tenant have access: figures only, for the
// operator.
func (a *Accounts) Count(ctx context.Context) (n map[tenant.ID]int, err error) {
	err = a.DB.View(ctx, func(tx *db.Tx) error {
		n, err = countStaff(ctx, tx)
		return err
	})
	return n, err
}

// countStaff counts the people of each tenant who have access.
func countStaff(ctx context.Context, tx *db.Tx) (map[tenant.ID]int, error) {
	out := map[tenant.ID]int{}
	_, err := db.Collect(ctx, tx, func(r db.Scanner) (struct{}, error) {
		var id string
		var n int
		err := r.Scan(&id, &n)
		out[tenant.ID(id)] = n
		return struct{}{}, err
	}, `
select tenant_id, count(*)
from account_staff
where disabled_at = 0
group by tenant_id
order by tenant_id
limit 5000`)
	return out, err
}
