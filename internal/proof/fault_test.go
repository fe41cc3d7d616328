package proof_test

import (
	"context"
	"database/sql"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"poststelle/internal/db/dbtest"
	"poststelle/internal/web/webtest"
)

func plainLetter(core string) letter {
	return letter{mailbox: "tiefbauamt", topic: "schaden", subject: "Betreff " + core, body: "Ein Text mit " + core + " und mehr."}
}

// notSent fails when a page says or suggests that a letter was sent.
func notSent(t *testing.T, p *webtest.Page) {
	t.Helper()
	if p.Status != http.StatusServiceUnavailable {
		t.Errorf("%s: status %d, want 503; page says %q", p.Path, p.Status, said(p))
	}
	if p.Text("#abholcode") != "" || strings.Contains(p.Path, "gesendet") {
		t.Errorf("%s: a letter that was not stored looks sent: %q", p.Path, said(p))
	}
}

func wantStatus(t *testing.T, status int, p *webtest.Page) {
	t.Helper()
	if p.Status != status {
		t.Errorf("%s: status %d, want %d; page says %q", p.Path, p.Status, status, said(p))
	}
}

// reader is a signed-in clerk and a thread to read.
func (h *house) ready() (citizen, office *webtest.Client, code, thread string) {
	h.t.Helper()
	who := h.hire("musterstadt", "clerk", false, "tiefbauamt")
	citizen = h.serve()
	office = citizen.Other()
	h.signIn(office, who)
	l := plainLetter("Erstwort")
	l.files = []file{textFile("eins.txt", "Erstwort", 90_000)}
	code = send(h.t, citizen, l)
	h.wantTaken()
	return citizen, office, code, h.threadOfNewest()
}

func TestFault_BlobsAway(t *testing.T) {
	h := newHouse(t)
	citizen, office, code, thread := h.ready()
	path := links(threadPage(office, thread).Want(http.StatusOK), "/datei/")[0]
	began := citizen.Other()
	l := plainLetter("Zweitwort")
	p := half(t, began, l).Submit("aktion=weiter").Want(http.StatusOK)

	blobs := filepath.Join(h.dir, "blobs")
	must(t, os.Rename(blobs, blobs+".away"))
	up := formTo(t, p, "/nachricht/4").File("files", "a.txt", "text/plain", []byte("Anhang"))
	notSent(t, up.Submit("aktion=weiter"))
	office.MayBreak = true
	if p := office.Get(path); p.Status != http.StatusServiceUnavailable && !strings.HasPrefix(p.Body, "Erstwort") {
		t.Errorf("a file that is away is answered with %d", p.Status)
	}
	office.MayBreak = false
	wantStatus(t, http.StatusServiceUnavailable, citizen.Get("/readyz"))
	if p := threadPage(office, thread); p.Status != http.StatusOK || !strings.Contains(p.Body, "Erstwort") {
		t.Errorf("the text of a letter cannot be read without the files: %d", p.Status)
	}
	text := send(t, citizen.Other(), plainLetter("Drittwort"))

	must(t, os.Rename(blobs+".away", blobs))
	p = up.Submit("aktion=weiter").Want(http.StatusOK)
	second := codeOf(t, press(t, p))
	h.wantTaken()
	for _, c := range []string{code, text, second} {
		if !opens(t, citizen.Other(), c) {
			t.Error("a letter does not open after the files are back")
		}
	}
	if got := office.Get(path).Want(http.StatusOK); !strings.HasPrefix(got.Body, "Erstwort") {
		t.Error("the file is another one after the files are back")
	}
	wantStatus(t, http.StatusOK, citizen.Get("/readyz"))
}

func TestFault_VaultAway(t *testing.T) {
	h := newHouse(t)
	citizen, office, code, thread := h.ready()
	store := filepath.Join(h.dir, "vault")
	must(t, os.Rename(store, store+".away"))

	sent := send(t, citizen.Other(), plainLetter("Zweitwort"))
	wantStatus(t, http.StatusServiceUnavailable, collect(t, citizen.Other(), code))
	wantStatus(t, http.StatusServiceUnavailable, threadPage(office, thread))
	wantStatus(t, http.StatusServiceUnavailable, office.Get("/amt/eingang"))
	fresh := citizen.Other()
	wantStatus(t, http.StatusServiceUnavailable, formTo(t, fresh.Get("/amt/anmelden").Want(http.StatusOK), "/amt/anmelden").
		Set("login", "clerk").Set("password", "Kennwort-clerk-2026").Submit())
	wantStatus(t, http.StatusServiceUnavailable, citizen.Get("/readyz"))
	if n := h.count(`select count(*) from mailbox_intake where state = 'queued'`); n != 1 {
		t.Errorf("%d letters wait for the vault, want 1", n)
	}

	must(t, os.Rename(store+".away", store))
	h.wantTaken()
	for _, c := range []string{code, sent} {
		if !opens(t, citizen.Other(), c) {
			t.Error("a letter does not open after the vault is back")
		}
	}
	if p := threadPage(office, thread); p.Status != http.StatusOK || !strings.Contains(p.Body, "Erstwort") {
		t.Errorf("the clerk does not read after the vault is back: %d %q", p.Status, said(p))
	}
	wantStatus(t, http.StatusOK, citizen.Get("/readyz"))
}

// TestFault_VaultAwayAtStart: a start without the vault's directory must not
// begin a new, empty vault under letters that only the old one opens.
func TestFault_VaultAwayAtStart(t *testing.T) {
	h := newHouse(t)
	code := send(t, h.browser(), plainLetter("Erstwort"))
	h.close()
	store := filepath.Join(h.dir, "vault")
	must(t, os.Rename(store, store+".away"))
	if a, err := openAgain(h); err == nil {
		must(t, a.Close())
		t.Error("the program starts with a new vault")
	}
	must(t, os.RemoveAll(store))
	must(t, os.Rename(store+".away", store))
	h.open()
	h.settle()
	if !opens(t, h.browser(), code) {
		t.Error("the letter does not open with the vault in its place again")
	}
}

// TestFault_OtherDatabaseAtStart: one start on an empty database must not take
// the files of all letters for some that nobody uses.
func TestFault_OtherDatabaseAtStart(t *testing.T) {
	h := newHouse(t)
	l := plainLetter("Erstwort")
	l.files = []file{textFile("eins.txt", "Erstwort", 9_000)}
	code := send(t, h.browser(), l)
	h.settle()
	blobs := h.blobCount()
	h.close()
	right := h.url
	h.url = dbtest.URL(t)
	if a, err := openAgain(h); err == nil {
		must(t, a.Close())
		t.Error("the program starts on an empty database")
	}
	h.url = right
	h.open()
	if n := h.blobCount(); n != blobs || blobs == 0 {
		t.Errorf("%d files are left of %d", n, blobs)
	}
	if !opens(t, h.browser(), code) {
		t.Error("the letter does not open with its database again")
	}
}

func TestFault_DatabaseAway(t *testing.T) {
	h := newHouse(t)
	citizen, office, code, thread := h.ready()
	began := citizen.Other()
	check := filed(t, began, plainLetter("Zweitwort"))

	back := h.takeDatabase()
	notSent(t, press(t, check))
	wantStatus(t, http.StatusServiceUnavailable, collect(t, citizen.Other(), code))
	wantStatus(t, http.StatusServiceUnavailable, threadPage(office, thread))
	wantStatus(t, http.StatusServiceUnavailable, citizen.Get("/readyz"))
	back()

	h.afterwards(citizen, office, check, code, thread)
}

func TestFault_DatabaseLocked(t *testing.T) {
	h := newHouse(t)
	citizen, office, code, thread := h.ready()
	began := citizen.Other()
	check := filed(t, began, plainLetter("Zweitwort"))

	release := h.lockDatabase()
	notSent(t, press(t, check))
	release()

	h.afterwards(citizen, office, check, code, thread)
}

// afterwards expects that everything works again by itself, and that the letter
// that could not be sent is sent by pressing again, once.
func (h *house) afterwards(citizen, office *webtest.Client, check *webtest.Page, code, thread string) {
	t := h.t
	t.Helper()
	eventually(t, "the program is ready again", func() bool { return citizen.Get("/readyz").Status == http.StatusOK })
	again := codeOf(t, press(t, check))
	if more := codeOf(t, press(t, check)); more != again {
		t.Error("pressing twice shows two codes")
	}
	h.wantTaken()
	for _, c := range []string{code, again} {
		if !opens(t, citizen.Other(), c) {
			t.Error("a letter does not open afterwards")
		}
	}
	if p := threadPage(office, thread); p.Status != http.StatusOK || !strings.Contains(p.Body, "Erstwort") {
		t.Errorf("the clerk does not read afterwards: %d %q", p.Status, said(p))
	}
	if n := h.count(`select count(*) from mailbox_threads`); n != 2 {
		t.Errorf("%d letters are stored, want 2", n)
	}
}

// takeDatabase takes the message database away while the program runs.
func (h *house) takeDatabase() (back func()) {
	h.t.Helper()
	if h.isPostgres() {
		name := h.database()
		ask(h.t, h.cluster(), `alter database "`+name+`" allow_connections false`)
		ask(h.t, h.cluster(), `select count(pg_terminate_backend(pid))::text from pg_stat_activity where datname = '`+name+`'`)
		return func() { ask(h.t, h.cluster(), `alter database "`+name+`" allow_connections true`) }
	}
	var moved []string
	for _, name := range databaseFiles() {
		path := filepath.Join(h.dir, name)
		if os.Rename(path, path+".away") == nil {
			moved = append(moved, path)
		}
	}
	return func() {
		for _, path := range moved {
			must(h.t, os.Rename(path+".away", path))
		}
	}
}

// lockDatabase has somebody else hold the lock that writers need.
func (h *house) lockDatabase() (release func()) {
	h.t.Helper()
	// The program's writer may be in a transaction of its own just now: wait for its end.
	driver, source, q := "sqlite", filepath.Join(h.dir, "poststelle.db")+"?_pragma=busy_timeout(10000)", `begin immediate`
	if h.isPostgres() {
		driver, source, q = "pgx", h.url, `begin; lock table mailbox_threads in access exclusive mode`
	}
	pool, err := sql.Open(driver, source)
	must(h.t, err)
	conn, err := pool.Conn(context.Background())
	must(h.t, err)
	_, err = conn.ExecContext(context.Background(), q)
	must(h.t, err)
	return func() {
		_, err := conn.ExecContext(context.Background(), `rollback`)
		must(h.t, err)
		must(h.t, conn.Close())
		must(h.t, pool.Close())
	}
}
