package app

import (
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"poststelle/internal/blob"
	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/personal"
	"poststelle/internal/tenant"
	"poststelle/internal/vault"
	"poststelle/internal/web"
)

// An installation is a database, a vault and a directory of files that belong
// together. Each carries the same mark, drawn when the first is made; a start
// that finds different marks, or none beside others, ends. Otherwise one start
// on a wrong or empty database would take every file for one that nobody uses.

//go:embed migrations/*.sql
var migrations embed.FS

func ownMigrations() db.Migrations {
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the directory is embedded
	}
	return db.Migrations{Name: "app", FS: dir}
}

func ownData() personal.Declaration {
	return personal.Declaration{Domain: "app", Stores: []personal.Store{{
		Kind: personal.Table, Name: "app_installation", Activity: "app.privacy.activity", Purpose: "app.privacy.installation",
		Neutral: []string{"id", "created_at"},
	}}}
}

// markName is the file in the directory of blobs that holds the mark.
const markName = "installation"

// store is one of the parts that carry the mark.
type store struct {
	name string
	mark string // "" for none
	used bool   // holds something of an authority or a letter
}

// checkNew refuses to make an empty database beside a vault or files.
func (a *App) checkNew() error {
	if a.Database != "" {
		return nil
	}
	database := filepath.Join(a.Data, "poststelle.db")
	if _, err := os.Stat(database); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, name := range []string{filepath.Join("vault", "vault.db"), filepath.Join("blobs", markName)} {
		path := filepath.Join(a.Data, name)
		if _, err := os.Stat(path); err == nil {
			return &vault.Refusal{Reason: "there is " + path + " and no " + database + ": give --database if the letters are on PostgreSQL, or put the file back"}
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// join compares the marks of the opened stores. In a new installation it writes
// them; what a crash left out is written by the next start, as long as all are
// empty.
func (a *App) join(ctx context.Context) error {
	directory, err := tenant.NewDirectory(ctx, a.DB, a.Log)
	if err != nil {
		return err
	}
	stores, err := a.stores(ctx, directory)
	if err != nil {
		return fmt.Errorf("app: marks of the installation: %w", err)
	}
	mark, complete, err := agree(stores)
	if err != nil || complete {
		return err
	}
	if mark == "" {
		mark = rand.Text()
	}
	err = a.DB.Update(ctx, func(tx *db.Tx) error { return insertMark(ctx, tx, mark) })
	if err == nil {
		err = a.Vault.SetInstallation(ctx, mark)
	}
	if err == nil {
		err = writeMark(a.blobDir(), mark)
	}
	if err != nil {
		return fmt.Errorf("app: mark the installation: %w", err)
	}
	return nil
}

// agree returns the mark that the stores carry, and whether all of them do. When
// one does not, it is refused unless all are empty: nothing can be lost then.
func agree(stores []store) (mark string, complete bool, err error) {
	var with, without, used *store
	for i := range stores {
		s := &stores[i]
		switch {
		case s.mark == "":
			without = s
		case with == nil:
			with = s
		case with.mark != s.mark:
			return "", false, &vault.Refusal{Reason: fmt.Sprintf("%s and %s belong to different installations; put back what belongs together", with.name, s.name)}
		}
		if s.used {
			used = s
		}
	}
	switch {
	case with == nil && used != nil:
		return "", false, &vault.Refusal{Reason: used.name + " carry no mark of an installation; put back what belongs together"}
	case with != nil && without != nil && used != nil:
		return "", false, &vault.Refusal{Reason: fmt.Sprintf("%s belong to an installation, but %s do not (empty, or the wrong ones); put back what belongs together", with.name, without.name)}
	case with == nil:
		return "", false, nil
	}
	return with.mark, without == nil, nil
}

// stores reads the mark of each part.
func (a *App) stores(ctx context.Context, directory *tenant.Directory) ([]store, error) {
	all := []store{{name: "the tables of the database"}, {name: "the keys in " + filepath.Join(a.Data, "vault")}, {name: "the files in " + a.blobDir()}}
	err := a.DB.View(ctx, func(tx *db.Tx) (err error) {
		all[0].mark, err = selectMark(ctx, tx)
		return err
	})
	if err != nil {
		return nil, err
	}
	all[0].used = len(directory.All()) > 0
	if all[1].mark, all[1].used, err = a.Vault.Installation(ctx); err != nil {
		return nil, err
	}
	if all[2].mark, err = readMark(a.blobDir()); err != nil {
		return nil, err
	}
	found := errors.New("found")
	err = a.Blobs.List(ctx, func(blob.ID, blob.Info) error { return found })
	if all[2].used = errors.Is(err, found); all[2].used {
		err = nil
	}
	return all, err
}

func (a *App) blobDir() string { return filepath.Join(a.Data, "blobs") }

func readMark(dir string) (string, error) {
	raw, err := os.ReadFile(filepath.Join(dir, markName))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return strings.TrimSpace(string(raw)), err
}

// writeMark writes the mark of the files; a crash leaves a whole one or none.
func writeMark(dir, mark string) error {
	path := filepath.Join(dir, markName)
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(mark + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// selectMark returns the mark of the database, "" for none.
func selectMark(ctx context.Context, tx *db.Tx) (mark string, err error) {
	err = tx.QueryRow(ctx, `
select id
from app_installation
order by created_at, id
limit 1`).Scan(&mark)
	if errors.Is(err, fault.NotFound) {
		err = nil
	}
	return mark, err
}

func insertMark(ctx context.Context, tx *db.Tx, mark string) error {
	_, err := tx.Exec(ctx, `
insert into app_installation (id, created_at)
values ($1, $2)
on conflict (id) do nothing`, mark, db.Millis(tx.Now))
	return err
}

// uploadAge is when a file without a letter is removed: no session lives so
// long, so no letter can still take it.
const uploadAge = web.SessionMax + time.Hour

// SweepUploads removes the files of letters that were never sent, once they are
// older than the longest session. Those of a process that ended before are
// unreadable already: their keys went with it. It removes nothing when the
// stores do not belong together, or when the database knows no authority while
// the vault does.
func (a *App) SweepUploads(ctx context.Context) error {
	stores, err := a.stores(ctx, a.Directory)
	if err != nil {
		return fmt.Errorf("app: sweep uploads: %w", err)
	}
	_, complete, err := agree(stores)
	if err == nil && !complete || stores[1].used && !stores[0].used {
		err = errors.New("the stores do not belong together")
	}
	if err != nil {
		return fmt.Errorf("app: sweep uploads: nothing is removed: %w", err)
	}
	_, err = a.Refs.Sweep(ctx, uploadAge)
	a.Mailboxes.ForgetUploads(a.Now().Add(-uploadAge))
	return err
}
