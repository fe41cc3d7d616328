package proof_test

import (
	"bytes"
	"context"
	"database/sql"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // to ask the cluster where its files are

	"poststelle/internal/db/dbtest"
)

// isPostgres reports whether the message database of this house is PostgreSQL.
func (h *house) isPostgres() bool { return h.url != "" }

// logStatements has the cluster log every statement on this database from now
// on, with all its parameters: what could be read over a server's shoulder.
func (h *house) logStatements() {
	h.t.Helper()
	if !h.isPostgres() {
		return
	}
	for _, set := range []string{"log_statement = 'all'", "log_min_error_statement = 'error'", "log_parameter_max_length = -1", "log_parameter_max_length_on_error = -1"} {
		ask(h.t, h.url, `alter database "`+h.database()+`" set `+set)
	}
	log, _ := clusterFiles(h.t, h.url)
	h.logFrom = len(log)
	h.reopen(nil) // connections made from now on are logged
}

// ask returns the first column of the first row of a query to the cluster.
func ask(t *testing.T, dsn, q string) (s string) {
	t.Helper()
	pool, err := sql.Open("pgx", dsn)
	must(t, err)
	defer pool.Close()
	if !strings.HasPrefix(q, "select ") {
		_, err = pool.ExecContext(context.Background(), q)
	} else {
		err = pool.QueryRowContext(context.Background(), q).Scan(&s)
	}
	must(t, err)
	return s
}

// dump is pg_dump of a database, as text.
func dump(t *testing.T, dsn string) []byte {
	t.Helper()
	bin := os.Getenv("POSTSTELLE_TEST_PG_BIN")
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "pg_dump"), "--dbname", dsn)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("pg_dump: %v: %s", err, errs.String())
	}
	if !bytes.Contains(out.Bytes(), []byte("mailbox_threads")) {
		t.Fatal("pg_dump: the dump has no table of letters")
	}
	return out.Bytes()
}

// clusterFiles returns the cluster's log and the files of the database itself.
func clusterFiles(t *testing.T, dsn string) (log []byte, files string) {
	t.Helper()
	top := ask(t, dsn, `select current_setting('data_directory')`)
	log, err := os.ReadFile(filepath.Join(top, "log"))
	must(t, err)
	ask(t, dsn, `select pg_switch_wal()::text`)
	return log, filepath.Join(top, "base", ask(t, dsn, `select oid::text from pg_database where datname = current_database()`))
}

// cluster is the address of the database that is always there.
func (h *house) cluster() string {
	h.t.Helper()
	return os.Getenv(dbtest.Env)
}

// database is the name of the message database.
func (h *house) database() string {
	h.t.Helper()
	u, err := url.Parse(h.url)
	must(h.t, err)
	return strings.TrimPrefix(u.Path, "/")
}
