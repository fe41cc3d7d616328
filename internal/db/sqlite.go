package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"poststelle/internal/fault"
)

// sqliteDB is one file with a pool of readers and one writer.
type sqliteDB struct {
	path    string
	file    fs.FileInfo // identity of the file that was opened
	readers *sql.DB
	writes  *sql.DB
	idle    chan *session // reader sessions not in use
	closing chan struct{}
	w       *writer
}

func openSQLite(ctx context.Context, path string, readConns int, log *slog.Logger) (_ *sqliteDB, err error) {
	path = strings.TrimPrefix(path, "//")
	if path == "" || strings.HasPrefix(path, ":memory:") {
		return nil, errors.New("sqlite: the URL must name a file")
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil, err
	}
	// The file is made here, so that it is private whatever the umask says;
	// SQLite gives the write-ahead log the same mode.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", fault.Unavailable, err)
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	if readConns <= 0 {
		readConns = 8
	}
	s := &sqliteDB{path: path, idle: make(chan *session, readConns), closing: make(chan struct{})}
	defer func() {
		if err != nil {
			s.release()
		}
	}()
	if s.writes, err = sql.Open("sqlite", sqliteDSN(path, false)); err != nil {
		return nil, err
	}
	s.writes.SetMaxOpenConns(1)
	wconn, err := newSession(ctx, s.writes)
	if err != nil {
		return nil, err
	}
	if s.readers, err = sql.Open("sqlite", sqliteDSN(path, true)); err != nil {
		return nil, err
	}
	s.readers.SetMaxOpenConns(readConns)
	s.readers.SetMaxIdleConns(readConns)
	for range readConns {
		r, err := newSession(ctx, s.readers)
		if err != nil {
			return nil, err
		}
		s.idle <- r
	}
	if s.file, err = os.Stat(path); err != nil {
		return nil, err
	}
	s.w = startWriter(wconn, s.present, log)
	return s, nil
}

// sqliteDSN returns the data source name with all settings, so that no
// connection can be without them.
func sqliteDSN(path string, readOnly bool) string {
	q := url.Values{}
	// Connections keep little: there are many of them, the system's own cache
	// holds the file for all, and what is kept takes about twice the size in
	// memory, because the allocator rounds a page and its header up to a power
	// of two.
	cache := "cache_size(-8192)" // KiB
	if readOnly {
		cache = "cache_size(-2048)"
	}
	for _, p := range []string{
		"busy_timeout(5000)",
		"journal_mode(wal)",
		"synchronous(full)",           // an acknowledged row survives a power cut
		"foreign_keys(on)",            //
		"secure_delete(on)",           // deleted content is overwritten with zeros
		"wal_autocheckpoint(2000)",    // pages
		"journal_size_limit(8388608)", // the log shrinks again after a peak
		"temp_store(memory)",          // no content in temporary files
		cache,
		"trusted_schema(off)",
	} {
		q.Add("_pragma", p)
	}
	if readOnly {
		q.Set("_query_only", "1")
	}
	q.Set("_dqs", "0")
	q.Set("_defensive", "1")
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}).String()
}

func (s *sqliteDB) name() string { return "sqlite" }

// present checks that the file is still the one that was opened. SQLite goes
// on writing into a deleted file, and what it acknowledges then is lost.
func (s *sqliteDB) present() error {
	now, err := os.Stat(s.path)
	if err != nil {
		return fmt.Errorf("the database file is gone: %w: %w", fault.Unavailable, err)
	}
	if !os.SameFile(s.file, now) {
		return fmt.Errorf("the database file was replaced: %w", fault.Unavailable)
	}
	return nil
}

func (s *sqliteDB) view(ctx context.Context, fn func(runner) error) (err error) {
	var r *session
	select {
	case r = <-s.idle:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closing:
		return errClosed
	}
	defer func() { s.idle <- r }()
	if err := s.present(); err != nil {
		return err
	}
	if err := r.do("begin"); err != nil {
		return err
	}
	// Also after a panic; nothing was written, so the end is always the same.
	defer func() {
		if e := r.do("rollback"); e != nil && err == nil {
			err = e
		}
	}()
	return fn(r)
}

func (s *sqliteDB) update(ctx context.Context, fn func(runner) error) error {
	return s.w.do(ctx, fn)
}

func (s *sqliteDB) migrator(ctx context.Context) (*sql.DB, error) {
	pool, err := sql.Open("sqlite", sqliteDSN(s.path, false)+"&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(1)
	return pool, nil
}

func (s *sqliteDB) scrub(ctx context.Context) error {
	pool, err := sql.Open("sqlite", sqliteDSN(s.path, false))
	if err != nil {
		return err
	}
	defer pool.Close()
	c, err := newSession(ctx, pool)
	if err != nil {
		return err
	}
	defer c.close()
	return c.checkpoint(ctx)
}

func (s *sqliteDB) close() error {
	close(s.closing)
	s.w.stop()
	for range cap(s.idle) {
		r := <-s.idle // waits for the running views
		r.close()
	}
	var err error
	if s.present() == nil {
		err = s.w.s.checkpoint(context.Background())
	}
	s.w.s.close()
	return errors.Join(err, s.readers.Close(), s.writes.Close())
}

// release gives back what a failed open holds.
func (s *sqliteDB) release() {
	for {
		select {
		case r := <-s.idle:
			r.close()
			continue
		default:
		}
		break
	}
	for _, pool := range []*sql.DB{s.readers, s.writes} {
		if pool != nil {
			pool.Close()
		}
	}
}
