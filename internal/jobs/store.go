package jobs

import (
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"poststelle/internal/db"
	"poststelle/internal/fault"
)

//go:embed migrations/*.sql
var files embed.FS

// Migrations returns the schema of the queue.
func Migrations() db.Migrations {
	dir, err := fs.Sub(files, "migrations")
	if err != nil {
		panic(err)
	}
	return db.Migrations{Name: "jobs", FS: dir}
}

type row struct {
	id, kind, ref, slot string
	runAt, expires      time.Time
}

// insert adds a job unless its slot is taken, and reports which.
func insert(ctx context.Context, tx *db.Tx, r row) (bool, error) {
	n, err := tx.Exec(ctx, `
		insert into jobs (id, kind, ref, slot, state, attempt, spared, run_at, created_at,
			finished_at, expires_at, error_code, error_class)
		values ($1, $2, $3, $4, 'ready', 0, 0, $5, $6, 0, $7, '', '')
		on conflict (kind, slot) where slot <> '' do nothing`,
		r.id, r.kind, r.ref, r.slot, db.Millis(r.runAt), db.Millis(tx.Now), millis(r.expires))
	return n == 1, err
}

// millis is db.Millis with 0 for no time.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return db.Millis(t)
}

// claimed is a job together with the token that proves the claim.
type claimed struct {
	Job
	slot  string
	token int64
}

// claim takes up to limit due jobs of the given kinds. The select stands in a
// materialised part of the statement: as a sub-select of the update
// PostgreSQL may run it more than once and take more than it was asked to.
func claim(ctx context.Context, d *db.DB, kinds []string, limit int, lease time.Duration) ([]claimed, error) {
	args := []any{0, 0, limit}
	for _, k := range kinds {
		args = append(args, k)
	}
	var got []claimed
	err := d.Update(ctx, func(tx *db.Tx) (err error) {
		args[0], args[1] = db.Millis(tx.Now), db.Millis(tx.Now.Add(lease))
		got, err = db.Collect(ctx, tx, scanClaimed, `
			with due as materialized (
				select id
				from jobs
				where state = 'ready' and run_at <= $1 and kind in (`+db.In(4, len(kinds))+`)
				order by run_at, id
				limit $3
				`+tx.SkipLocked()+`
			)
			update jobs
			set attempt = attempt + 1, run_at = $2
			where id in (select id from due)
			returning id, kind, ref, slot, attempt, spared`, args...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("jobs: claim: %w", err)
	}
	return got, nil
}

func scanClaimed(s db.Scanner) (c claimed, err error) {
	var spared int64
	err = s.Scan(&c.ID, &c.Kind, &c.Ref, &c.slot, &c.token, &spared)
	c.Attempt = int(c.token - spared)
	return c, err
}

// due reports whether anything is due, without taking the writer.
func due(ctx context.Context, d *db.DB) (bool, error) {
	var found bool
	err := d.View(ctx, func(tx *db.Tx) error {
		var one int
		err := tx.QueryRow(ctx, `
			select 1
			from jobs
			where state = 'ready' and run_at <= $1
			limit 1`, db.Millis(tx.Now)).Scan(&one)
		if errors.Is(err, fault.NotFound) {
			return nil
		}
		found = err == nil
		return err
	})
	if err != nil {
		return false, fmt.Errorf("jobs: look for work: %w", err)
	}
	return found, nil
}

// renew moves the lease of c, and reports whether c still holds it.
func renew(ctx context.Context, tx *db.Tx, c claimed, lease time.Duration) (bool, error) {
	n, err := tx.Exec(ctx, `
		update jobs
		set run_at = $3
		where id = $1 and attempt = $2 and state = 'ready'`,
		c.ID, c.token, db.Millis(tx.Now.Add(lease)))
	return n == 1, err
}

// succeed ends a job; a job with a slot stays as done.
func succeed(ctx context.Context, tx *db.Tx, c claimed, keep time.Duration) (int64, error) {
	if c.slot == "" {
		return tx.Exec(ctx, `
			delete from jobs
			where id = $1 and attempt = $2 and state = 'ready'`, c.ID, c.token)
	}
	return tx.Exec(ctx, `
		update jobs
		set state = 'done', finished_at = $3, error_code = '', error_class = '',
			expires_at = case when expires_at < $4 then $4 else expires_at end
		where id = $1 and attempt = $2 and state = 'ready'`,
		c.ID, c.token, db.Millis(tx.Now), db.Millis(tx.Now.Add(keep)))
}

// postpone gives a failed job back, to run after wait.
func postpone(ctx context.Context, tx *db.Tx, c claimed, wait time.Duration, code, class string) (int64, error) {
	return tx.Exec(ctx, `
		update jobs
		set run_at = $3, error_code = $4, error_class = $5
		where id = $1 and attempt = $2 and state = 'ready'`,
		c.ID, c.token, db.Millis(tx.Now.Add(wait)), code, class)
}

// bury makes a dead letter.
func bury(ctx context.Context, tx *db.Tx, c claimed, code, class string) (int64, error) {
	return tx.Exec(ctx, `
		update jobs
		set state = 'dead', finished_at = $3, error_code = $4, error_class = $5,
			expires_at = case when expires_at < $6 then $6 else expires_at end
		where id = $1 and attempt = $2 and state = 'ready'`,
		c.ID, c.token, db.Millis(tx.Now), code, class, db.Millis(tx.Now.Add(DeadFor)))
}

// Dead is a job that was given up.
type Dead struct {
	ID, Kind, Ref string
	Attempt       int
	// Code is the kind of the last error, such as "unavailable" or "timeout".
	Code string
	// Class is an i18n key or the Go type of the last error; may be empty.
	Class string
	At    time.Time
}

// Dead returns the dead letters, newest first, at most 500.
func (q *Queue) Dead(ctx context.Context) ([]Dead, error) {
	var all []Dead
	err := q.c.DB.View(ctx, func(tx *db.Tx) (err error) {
		all, err = db.Collect(ctx, tx, func(s db.Scanner) (d Dead, err error) {
			var at, spared int64
			err = s.Scan(&d.ID, &d.Kind, &d.Ref, &d.Attempt, &spared, &d.Code, &d.Class, &at)
			d.Attempt -= int(spared)
			d.At = db.Time(at)
			return d, err
		}, `
			select id, kind, ref, attempt, spared, error_code, error_class, finished_at
			from jobs
			where state = 'dead'
			order by finished_at desc, id desc
			limit 500`)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("jobs: dead letters: %w", err)
	}
	return all, nil
}

// Retry makes a dead letter due again, with all its attempts; fault.NotFound
// when there is no such dead letter. The fencing token goes on counting, so
// that a worker from before cannot meddle.
func (q *Queue) Retry(ctx context.Context, id string) error {
	err := q.c.DB.Update(ctx, func(tx *db.Tx) error {
		n, err := tx.Exec(ctx, `
			update jobs
			set state = 'ready', spared = attempt, run_at = $2, finished_at = 0
			where id = $1 and state = 'dead'`, id, db.Millis(tx.Now))
		if err == nil && n == 0 {
			return fault.NotFound
		}
		tx.AfterCommit(q.nudge)
		return err
	})
	if err != nil {
		return fmt.Errorf("jobs: retry: %w", err)
	}
	return nil
}

// Backlog is the state of the queue, for health and metrics.
type Backlog struct {
	// Due jobs could run now, Later ones wait or are being worked on.
	Due, Later, Dead int
	// Oldest is for how long the oldest due job has been due.
	Oldest time.Duration
}

// Backlog counts the jobs of all nodes.
func (q *Queue) Backlog(ctx context.Context) (Backlog, error) {
	var b Backlog
	err := q.c.DB.View(ctx, func(tx *db.Tx) error {
		now := db.Millis(tx.Now)
		var oldest int64
		if err := tx.QueryRow(ctx, `
			select count(*), coalesce(sum(case when run_at <= $1 then 1 else 0 end), 0), coalesce(min(run_at), $1)
			from jobs
			where state = 'ready'`, now).Scan(&b.Later, &b.Due, &oldest); err != nil {
			return err
		}
		b.Later -= b.Due
		b.Oldest = time.Duration(max(0, now-oldest)) * time.Millisecond
		return tx.QueryRow(ctx, `
			select count(*)
			from jobs
			where state = 'dead'`).Scan(&b.Dead)
	})
	if err != nil {
		return Backlog{}, fmt.Errorf("jobs: backlog: %w", err)
	}
	return b, nil
}

// Tidy deletes finished slots and dead letters whose time is over, in batches,
// and returns how many. Run does so every hour.
func (q *Queue) Tidy(ctx context.Context) (int, error) {
	const batch = 500
	total := 0
	for {
		var n int64
		err := q.c.DB.Update(ctx, func(tx *db.Tx) (err error) {
			n, err = tx.Exec(ctx, `
				delete from jobs
				where id in (
					select id
					from jobs
					where state <> 'ready' and expires_at <= $1
					order by expires_at, id
					limit $2
				)`, db.Millis(tx.Now), batch)
			return err
		})
		if err != nil {
			return total, fmt.Errorf("jobs: tidy: %w", err)
		}
		total += int(n)
		if n < batch {
			return total, nil
		}
	}
}

// offer enqueues the current slot of each periodic kind that this process has
// not offered yet.
func (q *Queue) offer(ctx context.Context) error {
	now := q.c.Now()
	for _, k := range q.all() {
		if k.every == 0 {
			continue
		}
		start := now.UnixMilli() - now.UnixMilli()%k.every.Milliseconds()
		q.mu.Lock()
		last, known := q.slots[k.name]
		q.mu.Unlock()
		if known && last == start {
			continue
		}
		r := row{
			kind: k.name, slot: fmt.Sprintf("slot:%d", start),
			expires: db.Time(start).Add(k.every + keep(k.every)),
		}
		err := q.c.DB.Update(ctx, func(tx *db.Tx) error {
			r.id, r.runAt = rand.Text(), tx.Now
			_, err := insert(ctx, tx, r)
			return err
		})
		if err != nil {
			return fmt.Errorf("jobs: slot of %s: %w", k.name, err)
		}
		q.mu.Lock()
		q.slots[k.name] = start
		q.mu.Unlock()
	}
	return nil
}

// all returns the kinds of this queue in the order of their names.
func (q *Queue) all() []*kind {
	q.mu.Lock()
	defer q.mu.Unlock()
	all := make([]*kind, 0, len(q.kinds))
	for _, k := range q.kinds {
		all = append(all, k)
	}
	slices.SortFunc(all, func(a, b *kind) int {
		if a.name < b.name {
			return -1
		}
		return 1
	})
	return all
}

func (q *Queue) names() []string {
	var names []string
	for _, k := range q.all() {
		names = append(names, k.name)
	}
	return names
}
