package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"poststelle/internal/fault"
)

// kinded gives err the kind by which callers decide. Text is never looked at.
func kinded(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[fault.Kind](err); ok {
		return err
	}
	if ctx.Err() != nil {
		// Whatever the driver made of it, the caller went away.
		if errors.Is(err, ctx.Err()) {
			return err
		}
		return fmt.Errorf("%w (%w)", ctx.Err(), err)
	}
	if k := kindOf(err); k != fault.Internal {
		return fmt.Errorf("%w: %w", k, err)
	}
	return err
}

func kindOf(err error) fault.Kind {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return sqliteKind(e.Code())
	}
	// Before the code: whatever the reason, there is no connection. A database
	// that takes none at the moment says so with a code of its own (55000).
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return fault.Unavailable
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return postgresKind(e.Code)
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return fault.Unavailable
	}
	for _, gone := range []error{driver.ErrBadConn, sql.ErrConnDone, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed} {
		if errors.Is(err, gone) {
			return fault.Unavailable
		}
	}
	return fault.Internal
}

// sqliteKind sorts the extended result codes of SQLite.
func sqliteKind(code int) fault.Kind {
	switch code {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY,
		sqlite3.SQLITE_CONSTRAINT_ROWID, sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
		return fault.Conflict
	}
	switch code & 0xff { // the primary code
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR,
		sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_NOMEM,
		sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_ABORT, sqlite3.SQLITE_PERM:
		return fault.Unavailable
	}
	return fault.Internal
}

// postgresKind sorts SQLSTATE codes, most of them by class.
func postgresKind(code string) fault.Kind {
	switch code {
	case "23505", "23503", "23P01": // unique, foreign key, exclusion
		return fault.Conflict
	case "40001", "40P01": // still losing after all retries
		return fault.Unavailable
	case "25P03", // idle in transaction for too long
		"55000", // the database accepts no connections
		"55P03", // lock not available
		"57014": // statement time-out
		return fault.Unavailable
	}
	if len(code) < 2 {
		return fault.Internal
	}
	switch code[:2] {
	case "08", // connection
		"53", // disk full, out of memory, too many connections
		"57", // shut-down, crash, cannot connect now
		"58", // I/O
		"28", // sign-in to the server refused
		"XX": // data corrupted
		return fault.Unavailable
	case "3D": // the database does not exist
		return fault.Unavailable
	}
	return fault.Internal
}
