package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// What the server enforces on every session, so that no mistake of ours can
// hold a lock for long.
const (
	statementTimeout = 30 * time.Second
	lockTimeout      = 10 * time.Second
	idleInTxTimeout  = 60 * time.Second
	connectTimeout   = 5 * time.Second
	longestTx        = 5 * time.Minute
)

// Retries after a serialisation failure or a deadlock.
const (
	maxAttempts  = 10
	firstPause   = 2 * time.Millisecond
	longestPause = 250 * time.Millisecond
)

type postgresDB struct {
	config *pgx.ConnConfig
	pool   *sql.DB
}

func openPostgres(ctx context.Context, url string, conns int) (*postgresDB, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		// The error of the parser repeats parts of the URL.
		return nil, errors.New("postgres: the URL cannot be read")
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	for name, value := range map[string]string{
		"application_name":                    "poststelle",
		"TimeZone":                            "UTC",
		"statement_timeout":                   millis(statementTimeout),
		"lock_timeout":                        millis(lockTimeout),
		"idle_in_transaction_session_timeout": millis(idleInTxTimeout),
	} {
		if _, given := config.RuntimeParams[name]; !given {
			config.RuntimeParams[name] = value
		}
	}
	if conns <= 0 {
		conns = 16
	}
	p := &postgresDB{config: config, pool: stdlib.OpenDB(*config)}
	p.pool.SetMaxOpenConns(conns)
	p.pool.SetMaxIdleConns(conns)
	p.pool.SetConnMaxIdleTime(5 * time.Minute)
	p.pool.SetConnMaxLifetime(time.Hour)
	if err := p.pool.PingContext(ctx); err != nil {
		p.pool.Close()
		return nil, err
	}
	return p, nil
}

func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

func (p *postgresDB) name() string { return "postgres" }

// view reads at REPEATABLE READ, which is one snapshot for all statements, as
// on SQLite. A transaction that only reads cannot lose a race there.
func (p *postgresDB) view(ctx context.Context, fn func(runner) error) error {
	return p.attempt(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}, fn)
}

func (p *postgresDB) update(ctx context.Context, fn func(runner) error) error {
	pause := firstPause
	for attempt := 1; ; attempt++ {
		err := p.attempt(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted}, fn)
		if err == nil || attempt == maxAttempts || !lostRace(err) {
			return err
		}
		select {
		case <-time.After(pause/2 + rand.N(pause)):
		case <-ctx.Done():
			return fmt.Errorf("%w (%w)", ctx.Err(), err)
		}
		pause = min(2*pause, longestPause)
	}
}

// lostRace reports whether the server asks to try the transaction again.
func lostRace(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (e.Code == "40001" || e.Code == "40P01")
}

// attempt runs fn once. The context of the caller ends waiting and statements,
// but not the commit: interrupted there, nobody would know the outcome.
func (p *postgresDB) attempt(ctx context.Context, o *sql.TxOptions, fn func(runner) error) error {
	conn, err := p.pool.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	whole, cancel := context.WithTimeout(context.WithoutCancel(ctx), longestTx)
	defer cancel()
	tx, err := conn.BeginTx(whole, o)
	if err != nil {
		return err
	}
	committed := false
	defer func() {
		if !committed { // an error, a panic, a goroutine that ended
			_ = tx.Rollback()
		}
	}()
	if err := fn(pgTx{tx}); err != nil {
		return err
	}
	committed = true
	return tx.Commit()
}

func (p *postgresDB) migrator(ctx context.Context) (*sql.DB, error) {
	config := p.config.Copy()
	config.RuntimeParams["statement_timeout"] = "0"
	config.RuntimeParams["lock_timeout"] = "60000"
	return stdlib.OpenDB(*config), nil
}

func (p *postgresDB) scrub(ctx context.Context) error {
	pool, err := p.migrator(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	_, err = pool.ExecContext(ctx, "vacuum")
	return err
}

func (p *postgresDB) close() error { return p.pool.Close() }

// pgTx is a transaction; pgx keeps the prepared statements of each connection.
type pgTx struct{ tx *sql.Tx }

func (t pgTx) exec(ctx context.Context, q string, args []any) (int64, error) {
	res, err := t.tx.ExecContext(ctx, q, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (t pgTx) query(ctx context.Context, q string, args []any) (*sql.Rows, func(), error) {
	rows, err := t.tx.QueryContext(ctx, q, args...)
	return rows, nil, err
}
