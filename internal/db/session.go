package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"

	"poststelle/internal/fault"
)

// maxStatements bounds the prepared statements per connection. Only texts of
// varying length (In) could exceed it.
const maxStatements = 256

// boundLimit is a bare parameter after LIMIT. SQLite looks at its value when it
// plans a statement, so it plans anew each time that one is bound, which costs
// more than most of our queries; behind a sum it does not look.
var boundLimit = regexp.MustCompile(`\blimit \$\d+`)

// session is one SQLite connection with its prepared statements. One goroutine
// uses it at a time.
type session struct {
	conn *sql.Conn
	// ready holds the statements not in use; one is taken out while it runs
	// and while rows are read from it.
	ready map[string]*sql.Stmt
	// shield keeps the context of a caller away from statements: SQLite
	// answers an interrupted write by rolling back the whole transaction,
	// which on the writer belongs to many callers.
	shield bool
}

func newSession(ctx context.Context, pool *sql.DB) (*session, error) {
	conn, err := pool.Conn(ctx)
	if err != nil {
		return nil, err
	}
	return &session{conn: conn, ready: map[string]*sql.Stmt{}}, nil
}

func (s *session) close() {
	for _, st := range s.ready {
		st.Close()
	}
	s.conn.Close()
}

func (s *session) take(q string) (*sql.Stmt, error) {
	if st, ok := s.ready[q]; ok {
		delete(s.ready, q)
		return st, nil
	}
	return s.conn.PrepareContext(context.Background(), boundLimit.ReplaceAllString(q, "${0} + 0"))
}

func (s *session) give(q string, st *sql.Stmt) {
	if _, taken := s.ready[q]; taken {
		st.Close()
		return
	}
	if len(s.ready) >= maxStatements {
		for other, old := range s.ready { // any; the map's order will do
			old.Close()
			delete(s.ready, other)
			break
		}
	}
	s.ready[q] = st
}

// do runs a statement without arguments.
func (s *session) do(q string) error {
	_, err := s.exec(context.Background(), q, nil)
	return err
}

// checkpoint moves the write-ahead log into the file and empties it.
func (s *session) checkpoint(ctx context.Context) error {
	// The first round makes the connection look at the log as it is now.
	// Without it, one that has not read since somebody else wrote finds
	// itself busy until the time-out.
	for _, mode := range []string{"passive", "truncate"} {
		rows, release, err := s.query(ctx, "pragma wal_checkpoint("+mode+")", nil)
		if err != nil {
			return err
		}
		var busy, pages, moved int
		if rows.Next() {
			err = rows.Scan(&busy, &pages, &moved)
		}
		err = errors.Join(err, rows.Err(), rows.Close())
		release()
		if err != nil {
			return err
		}
		if mode == "truncate" && busy != 0 {
			return fmt.Errorf("the write-ahead log is in use: %w", fault.Unavailable)
		}
	}
	return nil
}

func (s *session) exec(ctx context.Context, q string, args []any) (int64, error) {
	if s.shield {
		ctx = context.Background()
	}
	st, err := s.take(q)
	if err != nil {
		return 0, err
	}
	res, err := st.ExecContext(ctx, args...)
	s.give(q, st)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (s *session) query(ctx context.Context, q string, args []any) (*sql.Rows, func(), error) {
	if s.shield {
		ctx = context.Background()
	}
	st, err := s.take(q)
	if err != nil {
		return nil, nil, err
	}
	rows, err := st.QueryContext(ctx, args...)
	if err != nil {
		s.give(q, st)
		return nil, nil, err
	}
	return rows, func() { s.give(q, st) }, nil
}
