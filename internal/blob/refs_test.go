package blob_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"poststelle/internal/blob"
	"poststelle/internal/db"
	"poststelle/internal/db/dbtest"
	"poststelle/internal/fault"
	"poststelle/internal/jobs"
)

type world struct {
	db    *db.DB
	queue *jobs.Queue
	store *blob.Dir
	refs  *blob.Refs
	path  string
}

func newWorld(t *testing.T) world {
	t.Helper()
	w := world{db: dbtest.New(t, jobs.Migrations(), blob.Migrations()), path: t.TempDir()}
	w.queue = jobs.New(jobs.Config{DB: w.db})
	w.store = newDir(t, w.path)
	w.refs = blob.NewRefs(blob.RefsConfig{DB: w.db, Queue: w.queue, Store: w.store})
	return w
}

func (w world) put(t *testing.T) blob.ID {
	t.Helper()
	id := blob.NewID()
	if _, err := w.store.Put(t.Context(), id, strings.NewReader("sealed")); err != nil {
		t.Fatal(err)
	}
	return id
}

func (w world) attach(t *testing.T, id blob.ID) {
	t.Helper()
	if err := w.db.Update(t.Context(), func(tx *db.Tx) error {
		return w.refs.Attach(t.Context(), tx, "musterstadt", id, "message-1", 6)
	}); err != nil {
		t.Fatal(err)
	}
}

func (w world) runDue(t *testing.T) int {
	t.Helper()
	n, err := w.queue.RunDue(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestRefs_Attach(t *testing.T) {
	w := newWorld(t)
	id := w.put(t)
	w.attach(t, id)
	err := w.db.Update(t.Context(), func(tx *db.Tx) error {
		return w.refs.Attach(t.Context(), tx, "beispielingen", id, "message-2", 6)
	})
	if !errors.Is(err, fault.Conflict) {
		t.Errorf("second Attach() = %v, want Conflict", err)
	}
	err = w.db.Update(t.Context(), func(tx *db.Tx) error {
		return w.refs.Attach(t.Context(), tx, "musterstadt", "../x", "message-2", 6)
	})
	if !errors.Is(err, fault.Invalid) {
		t.Errorf("Attach() of a malformed id = %v, want Invalid", err)
	}
	if err := w.db.View(t.Context(), func(tx *db.Tx) error {
		n, size, err := w.refs.Used(t.Context(), tx, "musterstadt")
		if n != 1 || size != 6 {
			t.Errorf("Used() = %d, %d", n, size)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
}

func TestRefs_Release(t *testing.T) {
	w := newWorld(t)
	id, other := w.put(t), w.put(t)
	w.attach(t, id)
	w.attach(t, other)
	release := func(tenant string, end error) error {
		return w.db.Update(t.Context(), func(tx *db.Tx) error {
			return errors.Join(w.refs.Release(t.Context(), tx, tenant, id), end)
		})
	}
	if err := release("beispielingen", nil); err != nil {
		t.Error(err)
	}
	if n := w.runDue(t); n != 0 {
		t.Errorf("another tenant's Release enqueued %d jobs", n)
	}
	if err := release("musterstadt", fault.Conflict); !errors.Is(err, fault.Conflict) {
		t.Error(err)
	}
	if n := w.runDue(t); n != 0 {
		t.Errorf("a Release that was rolled back enqueued %d jobs", n)
	}
	if err := release("musterstadt", nil); err != nil {
		t.Error(err)
	}
	if err := release("musterstadt", nil); err != nil {
		t.Errorf("Release() again = %v", err)
	}
	if _, err := w.store.Stat(t.Context(), id); err != nil {
		t.Errorf("the object was gone before the job: %v", err)
	}
	if n := w.runDue(t); n != 1 {
		t.Errorf("%d jobs, want 1", n)
	}
	for _, f := range files(t, w.path) {
		if strings.Contains(f, string(id)) {
			t.Errorf("the file is still there: %s", f)
		}
	}
	if _, err := w.store.Stat(t.Context(), other); err != nil {
		t.Errorf("the other object: %v", err)
	}
}

func TestRefs_DeleteJobSparesWhatIsInUse(t *testing.T) {
	w := newWorld(t)
	id := w.put(t)
	w.attach(t, id)
	if err := w.db.Update(t.Context(), func(tx *db.Tx) error {
		return w.queue.Enqueue(t.Context(), tx, "blob.delete", string(id))
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.queue.RunDue(t.Context()); !errors.Is(err, fault.Conflict) {
		t.Errorf("RunDue() = %v, want Conflict", err)
	}
	if _, err := w.store.Stat(t.Context(), id); err != nil {
		t.Errorf("an object in use was deleted: %v", err)
	}
}

func TestRefs_Sweep(t *testing.T) {
	w := newWorld(t)
	used := w.put(t)
	w.attach(t, used)
	for range 5 {
		w.put(t)
	}
	if n, err := w.refs.Sweep(t.Context(), 24*time.Hour); n != 0 || err != nil {
		t.Errorf("Sweep(a day) = %d, %v, want 0", n, err)
	}
	if n, err := w.refs.Sweep(t.Context(), 0); n != 5 || err != nil {
		t.Errorf("Sweep(0) = %d, %v, want 5", n, err)
	}
	var left []blob.ID
	if err := w.store.List(t.Context(), func(id blob.ID, _ blob.Info) error {
		left = append(left, id)
		return nil
	}); err != nil || !slices.Equal(left, []blob.ID{used}) {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestRefs_SweepOld(t *testing.T) {
	later := time.Now().Add(48 * time.Hour)
	w := newWorld(t)
	w.db = dbtest.NewAt(t, func() time.Time { return later }, jobs.Migrations(), blob.Migrations())
	w.refs = blob.NewRefs(blob.RefsConfig{DB: w.db, Queue: jobs.New(jobs.Config{DB: w.db}), Store: w.store})
	w.put(t)
	if n, err := w.refs.Sweep(t.Context(), 24*time.Hour); n != 1 || err != nil {
		t.Errorf("Sweep() two days later = %d, %v, want 1", n, err)
	}
}

func TestPersonal(t *testing.T) {
	if err := blob.Personal().Validate(); err != nil {
		t.Error(err)
	}
	census(t, dbtest.New(t, jobs.Migrations(), blob.Migrations()), append(blob.Personal().Stores, jobs.Personal().Stores...))
}

func TestRefs_Discard(t *testing.T) {
	w := newWorld(t)
	used, free := w.put(t), w.put(t)
	w.attach(t, used)
	if err := w.refs.Discard(t.Context(), used, free); err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.Stat(t.Context(), used); err != nil {
		t.Errorf("an object in use: %v", err)
	}
	if _, err := w.store.Stat(t.Context(), free); !errors.Is(err, fault.NotFound) {
		t.Errorf("a discarded object: %v, want NotFound", err)
	}
	attach := func() error {
		return w.db.Update(t.Context(), func(tx *db.Tx) error {
			return w.refs.Attach(t.Context(), tx, "musterstadt", free, "message-2", 6)
		})
	}
	if err := attach(); !errors.Is(err, blob.ErrDiscarded) {
		t.Errorf("Attach() of a discarded object = %v, want ErrDiscarded", err)
	}
	if err := w.refs.Discard(t.Context(), free); err != nil {
		t.Errorf("Discard() again = %v", err)
	}
	if _, err := w.refs.Sweep(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if err := attach(); err != nil {
		t.Errorf("the sweep leaves the row of a discarded object: %v", err)
	}
}

// TestRefs_DiscardDuringAttach lets a transaction that attaches an object stay
// open while the object is discarded.
func TestRefs_DiscardDuringAttach(t *testing.T) {
	w := newWorld(t)
	for _, commits := range []bool{true, false} {
		id := w.put(t)
		attached, done := make(chan struct{}), make(chan error, 1)
		var once sync.Once
		err := w.db.Update(t.Context(), func(tx *db.Tx) error {
			if err := w.refs.Attach(t.Context(), tx, "musterstadt", id, "message-1", 6); err != nil {
				return err
			}
			once.Do(func() {
				go func() { <-attached; done <- w.refs.Discard(t.Context(), id) }()
				close(attached)
			})
			if !commits {
				return fault.Denied
			}
			return nil
		})
		if commits != (err == nil) {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if _, err := w.store.Stat(t.Context(), id); commits != (err == nil) {
			t.Errorf("commits %v: the object: %v", commits, err)
		}
	}
}
