package blob

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"poststelle/internal/fault"
)

const (
	bufferSize = 64 << 10
	incoming   = "incoming" // lower case: never a fan-out directory
)

// Dir is a store in a directory of the local file system. It works through
// [os.Root], so that no id and no symbolic link leads outside.
//
// An object lies at AB/ABCDEF…, below 1,024 directories named after the first
// two characters. It is written to a file in incoming/, synced, linked to its
// place (which fails when the place is taken, as a rename would not), and the
// directory is synced. One process owns a directory at a time: opening it
// clears incoming/.
type Dir struct {
	path string
	root *os.Root
	buf  sync.Pool
	mk   sync.Mutex // held while a fan-out directory is made and synced
}

var _ Store = (*Dir)(nil)

// NewDir opens the store at path, which it creates when missing, and removes
// what uploads have left there that never finished.
func NewDir(path string) (*Dir, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("blob: open directory: %w", err)
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("blob: open directory: %w", storeError(err))
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("blob: open directory: %w", storeError(err))
	}
	d := &Dir{path: path, root: root}
	d.buf.New = func() any { return new([bufferSize]byte) }
	if err := d.prepare(); err != nil {
		root.Close()
		return nil, fmt.Errorf("blob: open directory: %w", storeError(err))
	}
	return d, nil
}

func (d *Dir) prepare() error {
	if err := d.root.RemoveAll(incoming); err != nil {
		return err
	}
	if err := d.root.Mkdir(incoming, 0o700); err != nil {
		return err
	}
	if err := d.sync("."); err != nil {
		return err
	}
	// The directory itself may be new.
	parent, err := os.Open(filepath.Dir(d.path))
	if err != nil {
		return err
	}
	defer parent.Close()
	return parent.Sync()
}

// Close releases the directory. Transfers under way are not interrupted.
func (d *Dir) Close() error { return d.root.Close() }

// place returns the fan-out directory and the path of an object.
func place(id ID) (dir, file string, err error) {
	if !id.Valid() {
		return "", "", fault.Invalid
	}
	dir = string(id[:2])
	return dir, dir + "/" + string(id), nil
}

// Put implements [Store].
func (d *Dir) Put(ctx context.Context, id ID, r io.Reader) (n int64, err error) {
	defer func() {
		if err != nil {
			n, err = 0, fmt.Errorf("blob: put: %w", err)
		}
	}()
	dir, file, err := place(id)
	if err != nil {
		return 0, err
	}
	// Known before the first byte is read, or found by the link below.
	switch _, err := d.root.Lstat(file); {
	case err == nil:
		return 0, fault.Conflict
	case !errors.Is(err, fs.ErrNotExist):
		return 0, storeError(err)
	}
	temp := incoming + "/" + rand.Text()
	f, err := d.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, d.missing(err, fault.Unavailable)
	}
	defer func() {
		// After the link this takes away the second name only.
		if gone := d.root.Remove(temp); gone != nil && err == nil && !errors.Is(gone, fs.ErrNotExist) {
			err = storeError(gone)
		}
	}()
	n, err = d.copy(ctx, f, r)
	if err == nil {
		err = storeError(f.Sync())
	}
	if closed := f.Close(); err == nil {
		err = storeError(closed)
	}
	if err != nil {
		return 0, err
	}
	if err := d.fan(dir); err != nil {
		return 0, d.missing(err, fault.Unavailable)
	}
	if err := d.publish(temp, file); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return 0, fault.Conflict
		}
		return 0, d.missing(err, fault.Unavailable)
	}
	if err := d.sync(dir); err != nil {
		// Not known to be durable, so it must not stay either.
		return 0, errors.Join(storeError(err), d.root.Remove(file))
	}
	// What was just written to a directory that nobody will find again is
	// lost, however well it was synced.
	if err := d.alive(); err != nil {
		return 0, err
	}
	return n, nil
}

// publish gives a complete file its place, or returns fs.ErrExist.
func (d *Dir) publish(temp, file string) error {
	err := d.root.Link(temp, file)
	if !errors.Is(err, syscall.EPERM) && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	// A file system without hard links: look, then rename, one at a time.
	d.mk.Lock()
	defer d.mk.Unlock()
	if _, err := d.root.Lstat(file); err == nil {
		return fs.ErrExist
	}
	return d.root.Rename(temp, file)
}

// copy streams r into f. An error of r is not one of the store.
func (d *Dir) copy(ctx context.Context, f *os.File, r io.Reader) (n int64, err error) {
	buf := d.buf.Get().(*[bufferSize]byte)
	defer d.buf.Put(buf)
	for {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		k, readErr := r.Read(buf[:])
		if _, err := f.Write(buf[:k]); err != nil {
			return 0, storeError(err)
		}
		n += int64(k)
		if readErr == io.EOF {
			return n, nil
		}
		if readErr != nil {
			return 0, readErr
		}
	}
}

// fan makes sure that a fan-out directory exists durably.
func (d *Dir) fan(dir string) error {
	d.mk.Lock()
	defer d.mk.Unlock()
	err := d.root.Mkdir(dir, 0o700)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return d.sync(".")
}

// sync makes the entries of a directory durable.
func (d *Dir) sync(dir string) error {
	f, err := d.root.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// Get implements [Store].
func (d *Dir) Get(ctx context.Context, id ID) (io.ReadCloser, error) {
	_, file, err := place(id)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("blob: get: %w", err)
	}
	f, err := d.root.Open(file)
	if err != nil {
		return nil, fmt.Errorf("blob: get: %w", d.missing(err, fault.NotFound))
	}
	return &reader{ctx, f}, nil
}

// reader turns the errors of a failing disk into those of this package.
type reader struct {
	ctx context.Context
	f   *os.File
}

func (r *reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, fmt.Errorf("blob: read: %w", err)
	}
	n, err := r.f.Read(p)
	if err != nil && err != io.EOF {
		err = fmt.Errorf("blob: read: %w", storeError(err))
	}
	return n, err
}

func (r *reader) Close() error { return r.f.Close() }

// Delete implements [Store].
func (d *Dir) Delete(ctx context.Context, id ID) error {
	dir, file, err := place(id)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("blob: delete: %w", err)
	}
	err = d.root.Remove(file)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		// Synced also when the file is gone already: the attempt that removed
		// it may have died before its sync.
		err = d.sync(dir)
	}
	if errors.Is(err, fs.ErrNotExist) && d.alive() == nil {
		return nil
	}
	if err != nil {
		return fmt.Errorf("blob: delete: %w", d.missing(err, fault.Unavailable))
	}
	return nil
}

// Stat implements [Store].
func (d *Dir) Stat(ctx context.Context, id ID) (Info, error) {
	_, file, err := place(id)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return Info{}, fmt.Errorf("blob: stat: %w", err)
	}
	fi, err := d.root.Lstat(file)
	if err != nil {
		return Info{}, fmt.Errorf("blob: stat: %w", d.missing(err, fault.NotFound))
	}
	return Info{Size: fi.Size(), ModTime: fi.ModTime()}, nil
}

// List implements [Store].
func (d *Dir) List(ctx context.Context, f func(ID, Info) error) error {
	if err := d.alive(); err != nil {
		return fmt.Errorf("blob: list: %w", err)
	}
	return d.each(".", func(dir fs.DirEntry) error {
		if !dir.IsDir() || len(dir.Name()) != 2 {
			return nil
		}
		return d.each(dir.Name(), func(e fs.DirEntry) error {
			id := ID(e.Name())
			if !id.Valid() || string(id[:2]) != dir.Name() || !e.Type().IsRegular() {
				return nil
			}
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("blob: list: %w", err)
			}
			fi, err := d.root.Lstat(dir.Name() + "/" + e.Name())
			if errors.Is(err, fs.ErrNotExist) {
				return nil // deleted meanwhile
			}
			if err != nil {
				return fmt.Errorf("blob: list: %w", storeError(err))
			}
			return f(id, Info{Size: fi.Size(), ModTime: fi.ModTime()})
		})
	})
}

// each calls f for the entries of a directory, of which it holds 256 at a
// time.
func (d *Dir) each(dir string, f func(fs.DirEntry) error) error {
	h, err := d.root.Open(dir)
	if errors.Is(err, fs.ErrNotExist) && dir != "." {
		return nil
	}
	if err != nil {
		return fmt.Errorf("blob: list: %w", d.missing(err, fault.Unavailable))
	}
	defer h.Close()
	for {
		some, err := h.ReadDir(256)
		for _, e := range some {
			if err := f(e); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("blob: list: %w", storeError(err))
		}
	}
}

// Check implements [Store]: it writes a byte and takes it away.
func (d *Dir) Check(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("blob: check: %w", err)
	}
	if err := d.alive(); err != nil {
		return fmt.Errorf("blob: check: %w", err)
	}
	temp := incoming + "/" + rand.Text()
	err := d.root.WriteFile(temp, []byte{0}, 0o600)
	if gone := d.root.Remove(temp); err == nil {
		err = gone
	}
	if err != nil {
		return fmt.Errorf("blob: check: %w", d.missing(err, fault.Unavailable))
	}
	return nil
}

// alive reports fault.Unavailable when the directory this store was opened
// with is no longer at its path: removed, or another one mounted over it.
func (d *Dir) alive() error {
	there, err := os.Stat(d.path)
	if err != nil {
		return storeError(err)
	}
	ours, err := d.root.Stat(".")
	if err != nil {
		return storeError(err)
	}
	if !os.SameFile(there, ours) {
		return &fault.Error{Kind: fault.Unavailable, Err: errors.New("the directory of the store was replaced")}
	}
	return nil
}

// missing returns the error for err: kind when it says "no such file" and the
// store is there.
func (d *Dir) missing(err error, kind fault.Kind) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return storeError(err)
	}
	if gone := d.alive(); gone != nil {
		return gone
	}
	if kind == fault.NotFound {
		return kind
	}
	return &fault.Error{Kind: kind, Err: cause(err)}
}

// storeError makes an error of the file system fault.Unavailable, and a full
// disk one that says so.
func storeError(err error) error {
	if err == nil {
		return nil
	}
	e := &fault.Error{Kind: fault.Unavailable, Err: cause(err)}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		e.Key = KeyFull
	}
	return e
}

// cause drops the path from an error: the log names no path of the machine.
func cause(err error) error {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return errno
	}
	return err
}
