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
