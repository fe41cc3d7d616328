package db

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"strings"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// Migrations are the numbered, append-only, forward-only changes of one
// domain: files NNNNN_name.sql in the form of goose ("-- +goose Up"). The same
// files serve both databases. Five words in braces stand for what differs:
//
//	{bool}    integer   boolean
//	{int}     integer   bigint
//	{blob}    blob      bytea
//	{json}    text      jsonb
//	{strict}  strict    (nothing)      after the closing parenthesis of a table
//
// Other words in braces are an error.
type Migrations struct {
	// Name is the name of the domain; its version table is goose_<name>.
	Name string
	// FS holds the files, at its root or in a directory "migrations".
	FS fs.FS
}

var (
	sqliteWords   = map[string]string{"bool": "integer", "int": "integer", "blob": "blob", "json": "text", "strict": "strict"}
	postgresWords = map[string]string{"bool": "boolean", "int": "bigint", "blob": "bytea", "json": "jsonb", "strict": ""}

	word       = regexp.MustCompile(`\{[a-z]+\}`)
	domainName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
)

// Migrate brings the tables of the given domains up to date, in order. It can
// be called at every start; on PostgreSQL also by several processes at once, who
// wait for each other. A migration that fails leaves nothing of itself.
func (d *DB) Migrate(ctx context.Context, all ...Migrations) error {
	if d.closed.Load() {
		return fmt.Errorf("db: migrate: %w", errClosed)
	}
	for _, m := range all {
		if err := d.migrate(ctx, m); err != nil {
			return fmt.Errorf("db: migrate %s: %w", m.Name, kinded(ctx, err))
		}
	}
	return nil
}

func (d *DB) migrate(ctx context.Context, m Migrations) (err error) {
	if !domainName.MatchString(m.Name) {
		return fmt.Errorf("%q is not a domain name", m.Name)
	}
	files, err := root(m.FS)
	if err != nil {
		return err
	}
	pool, err := d.engine.migrator(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	dialect, words := goose.DialectSQLite3, sqliteWords
	options := []goose.ProviderOption{
		goose.WithTableName("goose_" + m.Name),
		goose.WithDisableGlobalRegistry(true),
	}
	if d.Engine() == "postgres" {
		dialect, words = goose.DialectPostgres, postgresWords
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return err
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	p, err := goose.NewProvider(dialect, pool, rendered{files, words}, options...)
	if errors.Is(err, goose.ErrNoMigrations) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = p.Up(ctx)
	return err
}

// root finds the directory with the files.
func root(files fs.FS) (fs.FS, error) {
	if files == nil {
		return nil, errors.New("no files given")
	}
	here, err := fs.Glob(files, "*.sql")
	if err != nil || len(here) > 0 {
		return files, err
	}
	if info, err := fs.Stat(files, "migrations"); err == nil && info.IsDir() {
		return fs.Sub(files, "migrations")
	}
	return files, nil
}

// rendered is a file system whose SQL files have the words replaced.
type rendered struct {
	fs.FS
	words map[string]string
}

func (r rendered) Open(name string) (fs.File, error) {
	f, err := r.FS.Open(name)
	if err != nil || !strings.HasSuffix(name, ".sql") {
		return f, err
	}
	text, err := io.ReadAll(f)
	if err != nil {
		f.Close()
		return nil, err
	}
	var unknown string
	text = word.ReplaceAllFunc(text, func(w []byte) []byte {
		s, ok := r.words[string(w[1:len(w)-1])]
		if !ok {
			unknown = string(w)
		}
		return []byte(s)
	})
	if unknown != "" {
		f.Close()
		return nil, fmt.Errorf("%s: %s is not a word of migrations", name, unknown)
	}
	return &renderedFile{File: f, text: bytes.NewReader(text)}, nil
}

type renderedFile struct {
	fs.File
	text *bytes.Reader
}

func (f *renderedFile) Read(p []byte) (int, error) { return f.text.Read(p) }

// Column is one column of the live schema.
type Column struct {
	Table, Name string
	// Type is the type as the engine names it, in lower case.
	Type string
}

// Columns returns all columns of all tables, in order of table and position,
// without the version tables of the migrations. The census compares them with
// what the packages declare.
func (d *DB) Columns(ctx context.Context) ([]Column, error) {
	q := `
		select m.name, p.name, lower(p.type)
		from sqlite_schema m
		join pragma_table_xinfo(m.name) p
		where m.type = 'table'
		and substr(m.name, 1, 7) <> 'sqlite_'
		and substr(m.name, 1, 6) <> 'goose_'
		order by m.name, p.cid`
	if d.Engine() == "postgres" {
		q = `
		select c.table_name::text, c.column_name::text, lower(c.data_type::text)
		from information_schema.columns c
		join information_schema.tables t on t.table_schema = c.table_schema and t.table_name = c.table_name
		where c.table_schema = current_schema()
		and t.table_type = 'BASE TABLE'
		and substr(c.table_name, 1, 6) <> 'goose_'
		order by c.table_name, c.ordinal_position`
	}
	var columns []Column
	err := d.View(ctx, func(tx *Tx) (err error) {
		columns, err = Collect(ctx, tx, func(s Scanner) (c Column, err error) {
			return c, s.Scan(&c.Table, &c.Name, &c.Type)
		}, q)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("db: columns: %w", err)
	}
	return columns, nil
}
