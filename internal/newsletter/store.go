package newsletter

import (
	"context"
	"strings"
	"time"

	"poststelle/internal/db"
	"poststelle/internal/tenant"
)

// subscriber is a row that can be sent to.
type subscriber struct {
	ID         string
	Key        []byte
	Address    []byte // sealed
	State      state
	Lang       string
	Categories []string
	Mailed     time.Time // the last mail that somebody could cause
	Ref        string    // of that mail's job
	Bounces    int
	Requested  time.Time
	Confirmed  time.Time
}

const selectSubscriber = `
select id, address_key, address, state, lang, categories, mailed_at, mailed_ref, bounces, requested_at, confirmed_at
from newsletter_subscribers`

func scanSubscriber(r db.Scanner) (s subscriber, err error) {
	var categories string
	var mailed, requested, confirmed int64
	err = r.Scan(&s.ID, &s.Key, &s.Address, &s.State, &s.Lang, &categories, &mailed, &s.Ref, &s.Bounces, &requested, &confirmed)
	s.Categories = strings.Fields(categories)
	s.Mailed, s.Requested, s.Confirmed = db.Time(mailed), db.Time(requested), db.Time(confirmed)
	return s, err
}

func subscriberByKey(ctx context.Context, tx *db.Tx, of tenant.ID, key []byte) (subscriber, error) {
	return scanSubscriber(tx.QueryRow(ctx, selectSubscriber+`
where tenant_id = $1 and address_key = $2`, string(of), key))
}

func subscriberByID(ctx context.Context, tx *db.Tx, of tenant.ID, id string) (subscriber, error) {
	return scanSubscriber(tx.QueryRow(ctx, selectSubscriber+`
where tenant_id = $1 and id = $2`, string(of), id))
}

// subscribersAfter reads a batch of those who have confirmed, in the order of
// their ids.
func subscribersAfter(ctx context.Context, tx *db.Tx, of tenant.ID, after string, limit int) ([]subscriber, error) {
	return db.Collect(ctx, tx, scanSubscriber, selectSubscriber+`
where tenant_id = $1 and state = 'active' and id > $2
order by id
limit $3`, string(of), after, limit)
}

// deferredSubscribers reads those whose turn has come again.
func deferredSubscribers(ctx context.Context, tx *db.Tx, of tenant.ID, issue string, limit int) (all []subscriber, attempts map[string]int, err error) {
	type again struct {
		id string
		n  int
	}
	list, err := db.Collect(ctx, tx, func(r db.Scanner) (a again, err error) {
		err = r.Scan(&a.id, &a.n)
		return a, err
	}, `
select subscriber_id, attempts
from newsletter_deferred
where tenant_id = $1 and issue_id = $2 and due_at <= $3
order by due_at, subscriber_id
limit $4`, string(of), issue, db.Millis(tx.Now), limit)
	if err != nil || len(list) == 0 {
		return nil, nil, err
	}
	attempts = map[string]int{}
	args := []any{string(of)}
	for _, a := range list {
		attempts[a.id] = a.n
		args = append(args, a.id)
	}
	all, err = db.Collect(ctx, tx, scanSubscriber, selectSubscriber+`
where tenant_id = $1 and state = 'active' and id in (`+db.In(2, len(list))+`)
order by id
limit 10000`, args...)
	return all, attempts, err
}

// activeAmong returns which of the ids can still be sent to.
func activeAmong(ctx context.Context, tx *db.Tx, of tenant.ID, ids []string) (map[string]bool, error) {
	out := map[string]bool{}
	if len(ids) == 0 {
		return out, nil
	}
	args := []any{string(of)}
	for _, id := range ids {
		args = append(args, id)
	}
	list, err := db.Collect(ctx, tx, scanText, `
select id
from newsletter_subscribers
where tenant_id = $1 and state = 'active' and id in (`+db.In(2, len(ids))+`)
order by id
limit 10000`, args...)
	for _, id := range list {
		out[id] = true
	}
	return out, err
}

func scanText(r db.Scanner) (s string, err error) {
	err = r.Scan(&s)
	return s, err
}

func putSubscriber(ctx context.Context, tx *db.Tx, of tenant.ID, s subscriber) error {
	_, err := tx.Exec(ctx, `
insert into newsletter_subscribers (tenant_id, id, address_key, address, state, lang, categories, mailed_at, mailed_ref, bounces,
  requested_at, confirmed_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
on conflict (tenant_id, id) do update
set address = excluded.address, state = excluded.state, lang = excluded.lang, categories = excluded.categories,
  mailed_at = excluded.mailed_at, mailed_ref = excluded.mailed_ref, bounces = excluded.bounces, requested_at = excluded.requested_at,
  confirmed_at = excluded.confirmed_at`,
		string(of), s.ID, s.Key, s.Address, string(s.State), s.Lang, words(s.Categories), db.Millis(s.Mailed), s.Ref, s.Bounces,
		db.Millis(s.Requested), db.Millis(s.Confirmed))
	return err
}

func deleteSubscriber(ctx context.Context, tx *db.Tx, of tenant.ID, id string) error {
	if _, err := tx.Exec(ctx, `delete from newsletter_deferred where tenant_id = $1 and subscriber_id = $2`, string(of), id); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `delete from newsletter_subscribers where tenant_id = $1 and id = $2`, string(of), id)
	return err
}

func countBounce(ctx context.Context, tx *db.Tx, of tenant.ID, id string) error {
	_, err := tx.Exec(ctx, `
update newsletter_subscribers
set bounces = bounces + 1
where tenant_id = $1 and id = $2`, string(of), id)
	return err
}

// counts are how many subscriptions there are.
type counts struct{ Active, Pending, Ended int64 }

func countSubscribers(ctx context.Context, tx *db.Tx, of tenant.ID) (c counts, err error) {
	err = tx.QueryRow(ctx, `
select coalesce(sum(case when state = 'active' then 1 else 0 end), 0), coalesce(sum(case when state = 'pending' then 1 else 0 end), 0)
from newsletter_subscribers
where tenant_id = $1`, string(of)).Scan(&c.Active, &c.Pending)
	if err != nil {
		return c, err
	}
	err = tx.QueryRow(ctx, `
select count(*)
from newsletter_evidence
where tenant_id = $1 and ended_at >= $2`, string(of), db.Millis(tx.Now.AddDate(0, 0, -30))).Scan(&c.Ended)
	return c, err
}

// named is a row of any tenant.
type named struct {
	of tenant.ID
	id string
}

// stale lists subscriptions that nobody has confirmed since before.
func stale(ctx context.Context, tx *db.Tx, before time.Time) ([]named, error) {
	return db.Collect(ctx, tx, func(r db.Scanner) (n named, err error) {
		err = r.Scan(&n.of, &n.id)
		return n, err
	}, `
select tenant_id, id
from newsletter_subscribers
where state = 'pending' and requested_at <= $1
order by requested_at, id
limit 500`, db.Millis(before))
}

func putEvidence(ctx context.Context, tx *db.Tx, of tenant.ID, s subscriber, record []byte) error {
	_, err := tx.Exec(ctx, `
insert into newsletter_evidence (tenant_id, id, address_key, record, created_at, ended_at)
values ($1, $2, $3, $4, $5, 0)
on conflict (tenant_id, id) do update
set record = excluded.record`, string(of), s.ID, s.Key, record, db.Millis(tx.Now))
	return err
}

func evidenceOf(ctx context.Context, tx *db.Tx, of tenant.ID, id string) (record []byte, err error) {
	err = tx.QueryRow(ctx, `
select record
from newsletter_evidence
where tenant_id = $1 and id = $2`, string(of), id).Scan(&record)
	return record, err
}

// evidenceAmong returns the sealed records of several subscriptions by their ids.
func evidenceAmong(ctx context.Context, tx *db.Tx, of tenant.ID, ids []string) (map[string][]byte, error) {
	args := []any{string(of)}
	for _, id := range ids {
		args = append(args, id)
	}
	type record struct {
		id  string
		raw []byte
	}
	list, err := db.Collect(ctx, tx, func(r db.Scanner) (x record, err error) {
		err = r.Scan(&x.id, &x.raw)
		return x, err
	}, `
select id, record
from newsletter_evidence
where tenant_id = $1 and id in (`+db.In(2, len(ids))+`)
order by id
limit 10000`, args...)
	out := make(map[string][]byte, len(list))
	for _, x := range list {
		out[x.id] = x.raw
	}
	return out, err
}

// hasLeft reports whether a consent of an address has ended here.
func hasLeft(ctx context.Context, tx *db.Tx, of tenant.ID, key []byte) (bool, error) {
	var n int
	err := tx.QueryRow(ctx, `
select count(*)
from newsletter_evidence
where tenant_id = $1 and address_key = $2 and ended_at > 0`, string(of), key).Scan(&n)
	return n > 0, err
}

func endEvidence(ctx context.Context, tx *db.Tx, of tenant.ID, id string) error {
	_, err := tx.Exec(ctx, `
update newsletter_evidence
set ended_at = $3
where tenant_id = $1 and id = $2`, string(of), id, db.Millis(tx.Now))
	return err
}

func deleteEvidence(ctx context.Context, tx *db.Tx, of tenant.ID, id string) error {
	_, err := tx.Exec(ctx, `delete from newsletter_evidence where tenant_id = $1 and id = $2`, string(of), id)
	return err
}

func deleteOldEvidence(ctx context.Context, tx *db.Tx, before time.Time) error {
	_, err := tx.Exec(ctx, `delete from newsletter_evidence where ended_at > 0 and ended_at < $1`, db.Millis(before))
	return err
}

// suppressedBounce is why an address is not written to: it does not exist. A
// confirmed sign-up lifts it.
const suppressedBounce = "bounce"

func suppress(ctx context.Context, tx *db.Tx, of tenant.ID, key []byte, reason string) error {
	_, err := tx.Exec(ctx, `
insert into newsletter_suppressed (tenant_id, address_key, reason, created_at)
values ($1, $2, $3, $4)
on conflict (tenant_id, address_key) do nothing`,
		string(of), key, reason, db.Millis(tx.Now))
	return err
}

func isSuppressed(ctx context.Context, tx *db.Tx, of tenant.ID, key []byte) (bool, error) {
	var n int
	err := tx.QueryRow(ctx, `
select count(*)
from newsletter_suppressed
where tenant_id = $1 and address_key = $2`, string(of), key).Scan(&n)
	return n > 0, err
}

func deleteSuppressed(ctx context.Context, tx *db.Tx, of tenant.ID, key []byte, reason string) error {
	_, err := tx.Exec(ctx, `delete from newsletter_suppressed where tenant_id = $1 and address_key = $2 and reason = $3`, string(of), key, reason)
	return err
}
