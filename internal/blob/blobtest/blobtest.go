// Package blobtest is the conformance suite of blob.Store: what every place
// for objects must do. Each implementer runs it.
package blobtest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"poststelle/internal/blob"
	"poststelle/internal/fault"
)

// Run runs the suite; newStore returns an empty store that is released at the
// end of its test.
func Run(t *testing.T, newStore func(t *testing.T) blob.Store) {
	for _, c := range []struct {
		name string
		test func(*testing.T, blob.Store)
	}{
		{"PutGet", putGet},
		{"Sizes", sizes},
		{"CreateOnly", createOnly},
		{"CreateOnlyConcurrent", createOnlyConcurrent},
		{"Missing", missing},
		{"DeleteIsIdempotent", deleteIsIdempotent},
		{"MalformedID", malformedID},
		{"BrokenUpload", brokenUpload},
		{"CancelledUpload", cancelledUpload},
		{"InvisibleUntilComplete", invisibleUntilComplete},
		{"List", list},
		{"Streams", streams},
		{"Check", check},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, newStore(t)) })
	}
}

func put(t *testing.T, s blob.Store, content string) blob.ID {
	t.Helper()
	id := blob.NewID()
	n, err := s.Put(t.Context(), id, strings.NewReader(content))
	if err != nil || n != int64(len(content)) {
		t.Fatalf("Put() = %d, %v, want %d bytes", n, err, len(content))
	}
	return id
}

func content(t *testing.T, s blob.Store, id blob.ID) string {
	t.Helper()
	r, err := s.Get(t.Context(), id)
	if err != nil {
		t.Fatalf("Get() = %v", err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	return string(b)
}

func ids(t *testing.T, s blob.Store) []blob.ID {
	t.Helper()
	var all []blob.ID
	if err := s.List(t.Context(), func(id blob.ID, _ blob.Info) error {
		all = append(all, id)
		return nil
	}); err != nil {
		t.Fatalf("List() = %v", err)
	}
	slices.Sort(all)
	return all
}

func putGet(t *testing.T, s blob.Store) {
	before := time.Now().Add(-time.Minute)
	a, b := put(t, s, "first"), put(t, s, "second object")
	if got := content(t, s, a); got != "first" {
		t.Errorf("content = %q", got)
	}
	if got := content(t, s, b); got != "second object" {
		t.Errorf("content = %q", got)
	}
	i, err := s.Stat(t.Context(), b)
	if err != nil || i.Size != 13 || i.ModTime.Before(before) {
		t.Errorf("Stat() = %+v, %v", i, err)
	}
}

func sizes(t *testing.T, s blob.Store) {
	for _, n := range []int{0, 1, 64<<10 - 1, 64 << 10, 64<<10 + 1, 3<<20 + 7} {
		want := strings.Repeat("0123456789abcdef", n/16+1)[:n]
		if got := content(t, s, put(t, s, want)); got != want {
			t.Errorf("object of %d bytes came back as %d bytes", n, len(got))
		}
	}
}

func createOnly(t *testing.T, s blob.Store) {
	id := put(t, s, "mine")
	_, err := s.Put(t.Context(), id, strings.NewReader("theirs"))
	if !errors.Is(err, fault.Conflict) {
		t.Errorf("second Put() = %v, want Conflict", err)
	}
	if got := content(t, s, id); got != "mine" {
		t.Errorf("content = %q after a refused Put", got)
	}
	if got := ids(t, s); len(got) != 1 {
		t.Errorf("%d objects after a refused Put", len(got))
	}
}

func createOnlyConcurrent(t *testing.T, s blob.Store) {
	id := blob.NewID()
	var won, lost atomic.Int32
	var ready, done sync.WaitGroup
	ready.Add(8)
	for i := range 8 {
		done.Go(func() {
			// Nobody ends before everybody has begun.
			r := io.MultiReader(strings.NewReader(strings.Repeat(string(rune('a'+i)), 1000)), readerFunc(func([]byte) (int, error) {
				ready.Done()
				ready.Wait()
				return 0, io.EOF
			}))
			switch _, err := s.Put(t.Context(), id, r); {
			case err == nil:
				won.Add(1)
			case errors.Is(err, fault.Conflict):
				lost.Add(1)
			default:
				t.Errorf("Put() = %v", err)
			}
		})
	}
	done.Wait()
	if won.Load() != 1 || lost.Load() != 7 {
		t.Errorf("%d uploads won and %d lost, want 1 and 7", won.Load(), lost.Load())
	}
	if got := content(t, s, id); len(got) != 1000 || strings.Trim(got, got[:1]) != "" {
		t.Errorf("the object is a mixture")
	}
}

func missing(t *testing.T, s blob.Store) {
	id := blob.NewID()
	if _, err := s.Get(t.Context(), id); !errors.Is(err, fault.NotFound) {
		t.Errorf("Get() = %v, want NotFound", err)
	}
	if _, err := s.Stat(t.Context(), id); !errors.Is(err, fault.NotFound) {
		t.Errorf("Stat() = %v, want NotFound", err)
	}
}

func deleteIsIdempotent(t *testing.T, s blob.Store) {
	id, other := put(t, s, "gone"), put(t, s, "stays")
	for range 2 {
		if err := s.Delete(t.Context(), id); err != nil {
			t.Errorf("Delete() = %v", err)
		}
	}
	if err := s.Delete(t.Context(), blob.NewID()); err != nil {
		t.Errorf("Delete() of what never was = %v", err)
	}
	if _, err := s.Get(t.Context(), id); !errors.Is(err, fault.NotFound) {
		t.Errorf("Get() after Delete() = %v, want NotFound", err)
	}
	if got := ids(t, s); !slices.Equal(got, []blob.ID{other}) {
		t.Errorf("List() after Delete() = %v, want %v", got, other)
	}
}

func malformedID(t *testing.T, s blob.Store) {
	good := string(blob.NewID())
	for _, id := range []blob.ID{
		"", "A", ".", "..", "../../etc/passwd", blob.ID(good[:25]), blob.ID(strings.ToLower(good)),
		blob.ID(good + "/X"), blob.ID(good[:13] + "/" + good[14:]), blob.ID(good + "\x00"), blob.ID("1" + good[1:]),
		blob.ID(strings.Repeat("A", 65)),
	} {
		_, putErr := s.Put(t.Context(), id, strings.NewReader("x"))
		_, getErr := s.Get(t.Context(), id)
		_, statErr := s.Stat(t.Context(), id)
		for _, err := range []error{putErr, getErr, statErr, s.Delete(t.Context(), id)} {
			if !errors.Is(err, fault.Invalid) {
				t.Errorf("id %q: error %v, want Invalid", id, err)
			}
		}
	}
	if got := ids(t, s); len(got) != 0 {
		t.Errorf("List() = %v after refused ids", got)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func brokenUpload(t *testing.T, s blob.Store) {
	broken := fault.With(fault.TooLarge, "error.upload.too-large")
	id := blob.NewID()
	r := io.MultiReader(bytes.NewReader(make([]byte, 200<<10)), readerFunc(func([]byte) (int, error) { return 0, broken }))
	n, err := s.Put(t.Context(), id, r)
	if n != 0 || !errors.Is(err, fault.TooLarge) || fault.KindOf(err) != fault.TooLarge {
		t.Errorf("Put() = %d, %v, want the error of the reader", n, err)
	}
	gone(t, s, id)
}

func cancelledUpload(t *testing.T, s blob.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	id := blob.NewID()
	chunks := 0
	_, err := s.Put(ctx, id, readerFunc(func(p []byte) (int, error) {
		if chunks++; chunks == 3 {
			cancel()
		}
		if chunks > 100 {
			return 0, io.EOF
		}
		return len(p), nil
	}))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Put() = %v, want Canceled", err)
	}
	gone(t, s, id)
}

// gone asserts that an upload left nothing, and that its id is free.
func gone(t *testing.T, s blob.Store, id blob.ID) {
	t.Helper()
	if _, err := s.Get(t.Context(), id); !errors.Is(err, fault.NotFound) {
		t.Errorf("Get() = %v, want NotFound", err)
	}
	if got := ids(t, s); len(got) != 0 {
		t.Errorf("List() = %v, want nothing", got)
	}
	if _, err := s.Put(t.Context(), id, strings.NewReader("again")); err != nil {
		t.Errorf("Put() again = %v", err)
	}
}

func invisibleUntilComplete(t *testing.T, s blob.Store) {
	id := blob.NewID()
	looked := false
	_, err := s.Put(t.Context(), id, io.MultiReader(bytes.NewReader(make([]byte, 100<<10)), readerFunc(func([]byte) (int, error) {
		looked = true
		if _, err := s.Stat(t.Context(), id); !errors.Is(err, fault.NotFound) {
			t.Errorf("Stat() during the upload = %v, want NotFound", err)
		}
		if got := ids(t, s); len(got) != 0 {
			t.Errorf("List() during the upload = %v", got)
		}
		return 0, io.EOF
	})))
	if err != nil || !looked {
		t.Errorf("Put() = %v, looked: %v", err, looked)
	}
}

func list(t *testing.T, s blob.Store) {
	var want []blob.ID
	for range 40 {
		want = append(want, put(t, s, "four"))
	}
	slices.Sort(want)
	if got := ids(t, s); !slices.Equal(got, want) {
		t.Errorf("List() = %v, want %v", got, want)
	}
	stop := errors.New("stop")
	calls := 0
	if err := s.List(t.Context(), func(blob.ID, blob.Info) error { calls++; return stop }); !errors.Is(err, stop) || calls != 1 {
		t.Errorf("List() = %v after %d calls, want stop after 1", err, calls)
	}
	if err := s.List(t.Context(), func(id blob.ID, i blob.Info) error {
		if i.Size != 4 {
			t.Errorf("size %d, want 4", i.Size)
		}
		return s.Delete(t.Context(), id)
	}); err != nil {
		t.Errorf("List() with Delete() = %v", err)
	}
	if got := ids(t, s); len(got) != 0 {
		t.Errorf("%d objects left", len(got))
	}
}

func streams(t *testing.T, s blob.Store) {
	// The store asks for the next piece only when it has dealt with the last;
	// a store that collects an object first would need all of it at once.
	const size = 32 << 20
	var most, left = 0, size
	id := blob.NewID()
	n, err := s.Put(t.Context(), id, readerFunc(func(p []byte) (int, error) {
		most = max(most, len(p))
		if left == 0 {
			return 0, io.EOF
		}
		k := min(len(p), left)
		left -= k
		return k, nil
	}))
	if err != nil || n != size {
		t.Fatalf("Put() = %d, %v", n, err)
	}
	if most > 1<<20 {
		t.Errorf("the store reads %d bytes at once", most)
	}
	r, err := s.Get(t.Context(), id)
	if err != nil {
		t.Fatalf("Get() = %v", err)
	}
	defer r.Close()
	if n, err := io.Copy(io.Discard, r); n != size || err != nil {
		t.Errorf("read %d bytes, %v", n, err)
	}
}

func check(t *testing.T, s blob.Store) {
	if err := s.Check(t.Context()); err != nil {
		t.Errorf("Check() = %v", err)
	}
	if got := ids(t, s); len(got) != 0 {
		t.Errorf("Check() left %v", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Get(ctx, blob.NewID()); !errors.Is(err, context.Canceled) {
		t.Errorf("Get() with an ended context = %v", err)
	}
}
