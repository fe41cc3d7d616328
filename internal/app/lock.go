package app

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// errRunning says that another process has the data directory open.
var errRunning = errors.New("the data directory is in use by another poststelle; stop it first")

// lockDir takes the data directory for this process. The lock goes with the
// process, also when it is killed.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("app: lock data directory: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("app: lock data directory: %w", err)
		}
		return nil, fmt.Errorf("%s: %w", dir, errRunning)
	}
	return f, nil
}

// demoMark is the name of the file that tells the demonstration's data from an
// installation.
const demoMark = "demo"

// errDemo says that a real server must not show the demonstration's data.
var errDemo = errors.New("the demonstration was here: its staff sign in without a second factor; serve an installation of its own")

// markDemo makes dir a directory of the demonstration. One that holds an
// installation is refused: its staff and letters are no sample content.
func markDemo(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, demoMark)); err == nil {
		return nil
	}
	files, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("app: demonstration: %w", err)
	}
	if len(files) > 0 {
		return fmt.Errorf("%s is not empty and not the demonstration's; name another directory", dir)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("app: demonstration: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, demoMark), nil, 0o600); err != nil {
		return fmt.Errorf("app: demonstration: %w", err)
	}
	return nil
}
