package proof_test

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"poststelle/internal/db"
	"poststelle/internal/mailbox"
	"poststelle/internal/vault"
)

// backup copies database and blobs of a closed house, as a backup of them
// would; the vault is not part of it.
func (h *house) backup() (dir string) {
	h.t.Helper()
	dir = h.t.TempDir()
	must(h.t, os.CopyFS(filepath.Join(dir, "blobs"), os.DirFS(filepath.Join(h.dir, "blobs"))))
	if h.isPostgres() {
		u := h.cluster()
		name := filepath.Base(dir)
		name = "copy_" + strings.TrimPrefix(h.database(), "test_") + "_" + name
		ask(h.t, u, `create database "`+name+`" template "`+h.database()+`"`)
		must(h.t, os.WriteFile(filepath.Join(dir, "database"), []byte(name), 0o600))
		h.t.Cleanup(func() { ask(h.t, u, `drop database if exists "`+name+`" with (force)`) })
		return dir
	}
	for _, name := range databaseFiles() {
		copyFile(h.t, filepath.Join(h.dir, name), filepath.Join(dir, name))
	}
	return dir
}

// restore puts a backup in the place of database and blobs of a closed house.
func (h *house) restore(dir string) {
	h.t.Helper()
	blobs := filepath.Join(h.dir, "blobs")
	must(h.t, os.RemoveAll(blobs))
	must(h.t, os.CopyFS(blobs, os.DirFS(filepath.Join(dir, "blobs"))))
	if h.isPostgres() {
		name, err := os.ReadFile(filepath.Join(dir, "database"))
		must(h.t, err)
		u, err := url.Parse(h.url)
		must(h.t, err)
		u.Path = "/" + string(name)
		h.url = u.String()
		return
	}
	for _, name := range databaseFiles() {
		must(h.t, os.RemoveAll(filepath.Join(h.dir, name)))
		copyFile(h.t, filepath.Join(dir, name), filepath.Join(h.dir, name))
	}
}

func databaseFiles() []string {
	return []string{"poststelle.db", "poststelle.db-wal", "poststelle.db-shm"}
}

// copyFile copies a file that may be missing.
func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if os.IsNotExist(err) {
		return
	}
	must(t, err)
	must(t, os.WriteFile(to, data, 0o600))
}

// closedLetter asks every way in whether a letter opens, and returns those that
// show something of it. Core is a word of its subject, its text and its file.
func (h *house) waysIn(who clerk, thread, code, core string) (open []string) {
	h.t.Helper()
	office := h.clerkBrowser(who)
	for _, path := range []string{
		"/amt/eingang", "/amt/vorgang/" + thread, "/amt/vorgang/" + thread + "/druck", "/amt/vorgang/" + thread + "/weiterleiten",
		"/amt/vorgang/" + thread + "/loeschen",
	} {
		if p := office.Get(path); strings.Contains(p.Body, core) {
			open = append(open, "staff "+path)
		}
	}
	citizen := h.browser()
	if p := collect(h.t, citizen, code); p.Status == http.StatusOK || strings.Contains(p.Body, core) {
		open = append(open, "code")
	}
	return open
}

func (h *house) thread() string {
	h.t.Helper()
	return h.text(`select id from mailbox_threads order by received_at desc, id limit 1`)
}

func TestRestore_DeletedStaysClosed(t *testing.T) {
	const core = "Laternenmast"
	l := letter{
		mailbox: "tiefbauamt", topic: "schaden", subject: core + " am Markt", body: "Der " + core + " ist umgefallen und liegt quer.",
		files: []file{textFile("bericht.txt", core, 70_000)},
	}
	for _, c := range []struct {
		name   string
		taken  bool // the vault has taken the letter in before the copy
		delete bool
	}{
		{"copy before deletion", true, true},
		{"copy before intake", false, true},
		{"sabotage: not deleted, copy before deletion", true, false},
		{"sabotage: not deleted, copy before intake", false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t)
			who := h.hire("musterstadt", "clerk", false, "tiefbauamt")
			code := send(t, h.browser(), l)
			if c.taken {
				h.settle()
			}
			thread := h.thread()
			var copied string
			h.reopen(func() { copied = h.backup() })
			h.settle()
			if open := h.waysIn(who, thread, code, core); len(open) < 4 {
				t.Fatalf("before deletion the letter opens only by %v", open)
			}
			if c.delete {
				remove(t, h.clerkBrowser(who), thread).Want(http.StatusOK)
				h.settle()
			}
			h.reopen(func() { h.restore(copied) })
			if n := h.count(`select count(*) from mailbox_threads where id = $1`, thread); n != 1 {
				t.Fatalf("the copy holds %d rows of the letter", n)
			}
			if !c.delete {
				h.settle()
				if open := h.waysIn(who, thread, code, core); len(open) < 4 {
					t.Fatalf("a copy of a letter that was never deleted opens only by %v", open)
				}
				return
			}
			if open := h.waysIn(who, thread, code, core); len(open) > 0 {
				t.Errorf("a deleted letter opens from the copy: %v", open)
			}
			if got := h.takeInAgain(thread); got != vault.Deleted {
				t.Errorf("the vault answers %v to the restored box, want %v", got, vault.Deleted)
			}
			h.background()
			if open := h.waysIn(who, thread, code, core); len(open) > 0 {
				t.Errorf("a deleted letter opens after settling: %v", open)
			}
			for _, table := range []string{"mailbox_messages", "mailbox_files", "mailbox_intake"} {
				if n := h.count(`select count(*) from `+table+` where thread_id = $1`, thread); n != 0 {
					t.Errorf("%s keeps %d rows of the restored letter", table, n)
				}
			}
			if n := h.count(`select count(*) from mailbox_threads where id = $1`, thread); n != 0 {
				t.Error("the restored thread stays in the list")
			}
			if n := h.blobCount(); n != 0 {
				t.Errorf("%d files of the restored letter stay", n)
			}
		})
	}
}

// takeInAgain hands the restored box of a thread to the vault.
func (h *house) takeInAgain(thread string) vault.Taken {
	h.t.Helper()
	var b vault.Box
	must(h.t, h.DB.View(h.t.Context(), func(tx *db.Tx) error {
		return tx.QueryRow(h.t.Context(), `
select tenant_id, mailbox_id, thread_id, message_id, day, box
from mailbox_intake
where thread_id = $1`, thread).Scan(&b.Tenant, &b.Mailbox, &b.Thread, &b.Message, &b.Day, &b.Sealed)
	}))
	got, err := h.Vault.TakeIn(h.t.Context(), []vault.Box{b})
	must(h.t, err)
	return got[0]
}

// TestRestore_LongAfter puts a copy back when the day key of the letter and the
// tombstone of its deletion are destroyed as well: nothing is left that could
// open it, or say that it was deleted.
func TestRestore_LongAfter(t *testing.T) {
	const core = "Laternenmast"
	for name, taken := range map[string]bool{"copy before deletion": true, "copy before intake": false} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			who := h.hire("musterstadt", "clerk", false, "tiefbauamt")
			code := send(t, h.browser(), letter{
				mailbox: "tiefbauamt", topic: "schaden", subject: core, body: "Der " + core + " ist umgefallen und liegt quer.",
			})
			if taken {
				h.settle()
			}
			thread := h.thread()
			var copied string
			h.reopen(func() { copied = h.backup() })
			h.settle()
			remove(t, h.clerkBrowser(who), thread).Want(http.StatusOK)
			for range 10 {
				h.clock.advance(24 * time.Hour)
				h.settle()
				must(t, h.Vault.Housekeep(t.Context()))
			}
			states, err := h.Vault.State(t.Context(), "musterstadt", []string{thread})
			must(t, err)
			if len(states) != 0 {
				t.Fatalf("the tombstone still stands after ten days: %v", states)
			}
			h.reopen(func() { h.restore(copied) })
			if got := h.takeInAgain(thread); got != vault.Refused {
				t.Errorf("the vault answers %v to a box whose day key is destroyed, want %v", got, vault.Refused)
			}
			h.settle()
			if open := h.waysIn(who, thread, code, core); len(open) > 0 {
				t.Errorf("a deleted letter opens from the copy: %v", open)
			}
			remove(t, h.clerkBrowser(who), thread).Want(http.StatusOK)
			if n := h.count(`select count(*) from mailbox_threads`); n != 0 {
				t.Error("the clerk cannot remove the empty shell of the letter")
			}
		})
	}
}

// A vault restored from a backup of the same hour takes in again what came
// after the backup: the boxes are kept until their day key goes.
func TestRestore_VaultTakesInAgain(t *testing.T) {
	h := newHouse(t)
	tn, _ := h.Directory.ByID("musterstadt")
	backup := t.TempDir() + "/vault"
	h.reopen(func() { must(t, copyTree(h.dir+"/vault", backup)) })
	d, err := h.Mailboxes.Deliver(t.Context(), tn, mailbox.Letter{Mailbox: tn.Mailboxes[0].ID, Subject: "Plan", Body: "Bitte prüfen Sie den Plan."})
	must(t, err)
	h.settle()
	h.reopen(func() {
		must(t, os.RemoveAll(h.dir+"/vault"))
		must(t, copyTree(backup, h.dir+"/vault"))
	})
	h.serve()
	eventually(t, "the vault has the letter again", func() bool {
		st, err := h.Vault.State(t.Context(), "musterstadt", []string{d.Thread})
		must(t, err)
		return len(st) == 1
	})
}
