package blob_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"poststelle/internal/blob"
	"poststelle/internal/blob/blobtest"
	"poststelle/internal/fault"
)

func newDir(t *testing.T, path string) *blob.Dir {
	t.Helper()
	d, err := blob.NewDir(path)
	if err != nil {
		t.Fatalf("NewDir() = %v", err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestDir_Conformance(t *testing.T) {
	blobtest.Run(t, func(t *testing.T) blob.Store { return newDir(t, filepath.Join(t.TempDir(), "new", "blobs")) })
}

// files returns all regular files below path.
func files(t *testing.T, path string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(path, func(p string, e os.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			all = append(all, p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestDir_BrokenUploadLeavesNoFile(t *testing.T) {
	path := t.TempDir()
	d := newDir(t, path)
	boom := errors.New("connection lost")
	r := io.MultiReader(strings.NewReader(strings.Repeat("x", 300_000)), &failing{boom})
	if _, err := d.Put(t.Context(), blob.NewID(), r); !errors.Is(err, boom) {
		t.Errorf("Put() = %v, want the reader's error", err)
	}
	if got := files(t, path); len(got) != 0 {
		t.Errorf("left over: %v", got)
	}
}

type failing struct{ err error }

func (f *failing) Read([]byte) (int, error) { return 0, f.err }

func TestNewDir_RemovesLeftovers(t *testing.T) {
	path := t.TempDir()
	d := newDir(t, path)
	id := blob.NewID()
	if _, err := d.Put(t.Context(), id, strings.NewReader("whole")); err != nil {
		t.Fatal(err)
	}
	// What a crash leaves: half an upload, and an object with two names.
	whole := filepath.Join(path, string(id[:2]), string(id))
	if err := os.WriteFile(filepath.Join(path, "incoming", "HALF"), []byte("ha"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(whole, filepath.Join(path, "incoming", "SECOND")); err != nil {
		t.Fatal(err)
	}
	again := newDir(t, path)
	if got := files(t, path); len(got) != 1 || got[0] != whole {
		t.Errorf("files = %v, want the object only", got)
	}
	if i, err := again.Stat(t.Context(), id); err != nil || i.Size != 5 {
		t.Errorf("Stat() = %+v, %v", i, err)
	}
}

func TestDir_StoreGone(t *testing.T) {
	for name, sabotage := range map[string]func(path string) error{
		"removed": os.RemoveAll,
		"replaced": func(path string) error {
			return errors.Join(os.Rename(path, path+".old"), os.Mkdir(path, 0o700))
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "blobs")
			d := newDir(t, path)
			id := blob.NewID()
			if _, err := d.Put(t.Context(), id, strings.NewReader("x")); err != nil {
				t.Fatal(err)
			}
			if _, err := d.Get(t.Context(), blob.NewID()); fault.KindOf(err) != fault.NotFound {
				t.Errorf("before: Get() = %v, want NotFound", err)
			}
			if err := sabotage(path); err != nil {
				t.Fatal(err)
			}
			if err := d.Check(t.Context()); fault.KindOf(err) != fault.Unavailable {
				t.Errorf("Check() = %v, want Unavailable", err)
			}
			if _, err := d.Get(t.Context(), blob.NewID()); fault.KindOf(err) != fault.Unavailable {
				t.Errorf("Get() = %v, want Unavailable", err)
			}
			if _, err := d.Stat(t.Context(), blob.NewID()); fault.KindOf(err) != fault.Unavailable {
				t.Errorf("Stat() = %v, want Unavailable", err)
			}
			if err := d.Delete(t.Context(), blob.NewID()); fault.KindOf(err) != fault.Unavailable {
				t.Errorf("Delete() = %v, want Unavailable", err)
			}
			if err := d.List(t.Context(), func(blob.ID, blob.Info) error { return nil }); fault.KindOf(err) != fault.Unavailable {
				t.Errorf("List() = %v, want Unavailable", err)
			}
			if _, err := d.Put(t.Context(), blob.NewID(), strings.NewReader("x")); fault.KindOf(err) != fault.Unavailable {
				t.Errorf("Put() = %v, want Unavailable", err)
			}
		})
	}
}

// smallDisk returns a directory on a file system of one megabyte, or, where
// none may be mounted, the reason.
func smallDisk(t *testing.T) (string, error) {
	path := t.TempDir()
	if err := syscall.Mount("tmpfs", path, "tmpfs", 0, "size=1m"); err != nil {
		return "", err
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(path, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return path, nil
}

func TestDir_Full(t *testing.T) {
	path, err := smallDisk(t)
	if err != nil {
		// Without the right to mount, an upload that fails half way with the
		// same error shows at least that nothing of it stays.
		t.Logf("no small disk (%v): a faulty reader stands in", err)
		path = t.TempDir()
		d := newDir(t, path)
		full := &fault.Error{Kind: fault.Unavailable, Key: blob.KeyFull, Err: syscall.ENOSPC}
		_, err := d.Put(t.Context(), blob.NewID(), io.MultiReader(strings.NewReader("half"), &failing{full}))
		wantFull(t, err)
		if got := files(t, path); len(got) != 0 {
			t.Errorf("left over: %v", got)
		}
		return
	}
	d := newDir(t, path)
	kept := blob.NewID()
	if _, err := d.Put(t.Context(), kept, bytes.NewReader(make([]byte, 100<<10))); err != nil {
		t.Fatal(err)
	}
	_, err = d.Put(t.Context(), blob.NewID(), io.LimitReader(rand.Reader, 2<<20))
	wantFull(t, err)
	if got := files(t, path); len(got) != 1 {
		t.Errorf("files = %v, want the one that was there", got)
	}
	if _, err := d.Put(t.Context(), blob.NewID(), bytes.NewReader(make([]byte, 500<<10))); err != nil {
		t.Errorf("the room of the broken upload is not free again: %v", err)
	}
}

func wantFull(t *testing.T, err error) {
	t.Helper()
	e, ok := errors.AsType[*fault.Error](err)
	if !ok || e.Kind != fault.Unavailable || e.Key != blob.KeyFull {
		t.Errorf("Put() = %v, want Unavailable with %s", err, blob.KeyFull)
	}
	if strings.Contains(err.Error(), "/") {
		t.Errorf("the error names a path: %v", err)
	}
}

func TestDir_LinkOutOfTheStore(t *testing.T) {
	path, outside := t.TempDir(), t.TempDir()
	d := newDir(t, path)
	id := blob.NewID()
	if err := os.Symlink(outside, filepath.Join(path, string(id[:2]))); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Put(t.Context(), id, strings.NewReader("x")); err == nil {
		t.Error("Put() followed a link out of the store")
	}
	if got := files(t, outside); len(got) != 0 {
		t.Errorf("outside: %v", got)
	}
}

func BenchmarkDir_Put1MB(b *testing.B) {
	d, err := blob.NewDir(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	content := make([]byte, 1<<20)
	b.SetBytes(int64(len(content)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Put(b.Context(), blob.NewID(), bytes.NewReader(content)); err != nil {
			b.Fatal(err)
		}
	}
}
