package blob

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"time"

	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/jobs"
)

//go:embed migrations/*.sql
var files embed.FS

// Migrations returns the schema of the references.
func Migrations() db.Migrations {
	dir, err := fs.Sub(files, "migrations")
	if err != nil {
		panic(err)
	}
	return db.Migrations{Name: "blob", FS: dir}
}

// reviewEvery is how often objects without a reference are looked for.
const reviewEvery = 24 * time.Hour

// deleteKind is the job that deletes an object; its reference is the id.
const deleteKind = "blob.delete"

// RefsConfig is what [NewRefs] needs. All fields but Log are required.
type RefsConfig struct {
	DB    *db.DB
	Queue *jobs.Queue
	Store Store
	Log   *slog.Logger
}

// Refs says which objects are in use, and deletes the others.
type Refs struct{ c RefsConfig }

// NewRefs returns the references and gives the queue its handler for
// deletions.
func NewRefs(c RefsConfig) *Refs {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	r := &Refs{c}
	c.Queue.Handle(deleteKind, r.remove)
	return r
}

// discarded is the owner of the row that stands for an object which was given
// up before anybody used it. The row goes through the same primary key as the
// one of Attach: whichever of the two is committed first wins.
const discarded = ""

// ErrDiscarded is returned by Attach for an object that was discarded before;
// it is a fault.Conflict.
var ErrDiscarded = fmt.Errorf("object was discarded: %w", fault.Conflict)

// Attach says that owner, a thing of tenant named by its id, uses the object.
// The object must have been put before. A second owner is fault.Conflict, an
// object that was discarded meanwhile [ErrDiscarded].
func (r *Refs) Attach(ctx context.Context, tx *db.Tx, tenant string, id ID, owner string, size int64) error {
	if !id.Valid() || owner == discarded {
		return fmt.Errorf("blob: attach: %w", fault.Invalid)
	}
	n, err := tx.Exec(ctx, `
		insert into blob_refs (id, tenant, owner, size, created_at)
		values ($1, $2, $3, $4, $5)
		on conflict (id) do nothing`,
		string(id), tenant, owner, size, db.Millis(tx.Now))
	if err == nil && n == 0 {
		err = occupied(ctx, tx, id)
	}
	if err != nil {
		return fmt.Errorf("blob: attach: %w", err)
	}
	return nil
}

// occupied says why an object cannot be attached.
func occupied(ctx context.Context, tx *db.Tx, id ID) error {
	var owner string
	err := tx.QueryRow(ctx, `
		select owner
		from blob_refs
		where id = $1`, string(id)).Scan(&owner)
	if err == nil && owner == discarded {
		return ErrDiscarded
	}
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return err
	}
	return fault.Conflict
}

// Discard deletes objects that were put and are not wanted any more, except
// those that are in use. It may run beside a transaction that attaches one of
// them: then either the object stays, or that Attach fails. An error leaves
// what is not deleted to the sweep.
func (r *Refs) Discard(ctx context.Context, ids ...ID) error {
	if len(ids) == 0 {
		return nil
	}
	ids = slices.Clone(ids)
	slices.Sort(ids) // two that discard the same do not wait for each other in a circle
	var free []ID
	err := r.c.DB.Update(ctx, func(tx *db.Tx) error {
		free = free[:0]
		for _, id := range ids {
			if !id.Valid() {
				return fault.Invalid
			}
			n, err := tx.Exec(ctx, `
				insert into blob_refs (id, tenant, owner, size, created_at)
				values ($1, '', $2, 0, $3)
				on conflict (id) do nothing`, string(id), discarded, db.Millis(tx.Now))
			if err != nil {
				return err
			}
			if n == 1 {
				free = append(free, id)
			}
		}
		return nil
	})
	for _, id := range free {
		if err != nil {
			break
		}
		err = r.c.Store.Delete(ctx, id)
	}
	if err != nil {
		return fmt.Errorf("blob: discard: %w", err)
	}
	return nil
}

// Release gives the object up: it is deleted after the commit. An object that
// the tenant does not use is left alone, without an error, so that an erasure
// can be repeated.
func (r *Refs) Release(ctx context.Context, tx *db.Tx, tenant string, id ID) error {
	n, err := tx.Exec(ctx, `
		delete from blob_refs
		where tenant = $1 and id = $2`, tenant, string(id))
	if err == nil && n > 0 {
		err = r.c.Queue.Enqueue(ctx, tx, deleteKind, string(id))
	}
	if err != nil {
		return fmt.Errorf("blob: release: %w", err)
	}
	return nil
}

// Detach takes an object away from its owner and keeps it, for a new owner that
// is attached in the same transaction. An object that the owner does not use is
// left alone.
func (r *Refs) Detach(ctx context.Context, tx *db.Tx, tenant string, id ID, owner string) error {
	_, err := tx.Exec(ctx, `
		delete from blob_refs
		where tenant = $1 and id = $2 and owner = $3`, tenant, string(id), owner)
	if err != nil {
		return fmt.Errorf("blob: detach: %w", err)
	}
	return nil
}

// Used returns how many objects a tenant uses, and their bytes.
func (r *Refs) Used(ctx context.Context, tx *db.Tx, tenant string) (objects, bytes int64, err error) {
	err = tx.QueryRow(ctx, `
		select count(*), coalesce(sum(size), 0)
		from blob_refs
		where tenant = $1`, tenant).Scan(&objects, &bytes)
	if err != nil {
		return 0, 0, fmt.Errorf("blob: used: %w", err)
	}
	return objects, bytes, nil
}

// remove is the job behind Release.
func (r *Refs) remove(ctx context.Context, j jobs.Job) error {
	id := ID(j.Ref)
	if !id.Valid() {
		return jobs.Fatal(fmt.Errorf("blob: delete job: %w", fault.Invalid))
	}
	used, err := r.used(ctx, []ID{id})
	if err != nil {
		return err
	}
	if used[id] {
		return jobs.Fatal(fmt.Errorf("blob: delete job: object is in use: %w", fault.Conflict))
	}
	return r.c.Store.Delete(ctx, id)
}

// used returns which of the ids have a row.
func (r *Refs) used(ctx context.Context, ids []ID) (map[ID]bool, error) {
	args := make([]any, len(ids))
	for i, id := range ids {
		args[i] = string(id)
	}
	used := make(map[ID]bool, len(ids))
	err := r.c.DB.View(ctx, func(tx *db.Tx) error {
		// The one statement without a tenant: an object is swept only when
		// nobody at all uses it.
		all, err := db.Collect(ctx, tx, func(s db.Scanner) (id string, err error) {
			return id, s.Scan(&id)
		}, `
			select id
			from blob_refs
			where owner <> '' and id in (`+db.In(1, len(ids))+`)`, args...)
		for _, id := range all {
			used[ID(id)] = true
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("blob: look up references: %w", err)
	}
	return used, nil
}

// Sweep deletes objects that nobody uses and that are older than the given
// age by the clock of DB; it returns how many. The age must exceed the longest
// time between Put and the commit of Attach, that is the longest session. Never
// sweep with 0, not even at start: on a database that is not the right one no
// object has a reference, and all of them would go.
func (r *Refs) Sweep(ctx context.Context, olderThan time.Duration) (n int, err error) {
	cutoff := r.c.DB.Now().Add(-olderThan)
	var batch []ID
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		used, err := r.used(ctx, batch)
		if err != nil {
			return err
		}
		for _, id := range batch {
			if used[id] {
				continue
			}
			if err := r.c.Store.Delete(ctx, id); err != nil {
				return err
			}
			n++
		}
		batch = batch[:0]
		return nil
	}
	err = r.c.Store.List(ctx, func(id ID, i Info) error {
		if olderThan > 0 && i.ModTime.After(cutoff) {
			return nil
		}
		if batch = append(batch, id); len(batch) == 200 {
			return flush()
		}
		return nil
	})
	err = errors.Join(err, flush())
	if err == nil {
		err = r.forgetDiscarded(ctx, cutoff)
	}
	if n > 0 {
		r.c.Log.InfoContext(ctx, "blobs without a reference deleted", "count", n)
	}
	if err != nil {
		return n, fmt.Errorf("blob: sweep: %w", err)
	}
	return n, nil
}

// forgetDiscarded removes the rows of objects that were discarded so long ago
// that no draft can name them any more.
func (r *Refs) forgetDiscarded(ctx context.Context, before time.Time) error {
	return r.c.DB.Update(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `
			delete from blob_refs
			where owner = $1 and created_at <= $2`, discarded, db.Millis(before))
		return err
	})
}
