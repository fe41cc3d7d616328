package proof_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"poststelle/internal/account"
	"poststelle/internal/app"
	"poststelle/internal/blob"
	"poststelle/internal/db"
	"poststelle/internal/db/dbtest"
	"poststelle/internal/mail"
	"poststelle/internal/mail/mailtest"
	"poststelle/internal/tenant"
	"poststelle/internal/web/webtest"
)

// Hosts of the two authorities.
const (
	musterstadt   = "musterstadt.example"
	beispielingen = "beispielingen.example"
)

// house is an installation as "serve" opens it, on a data directory and a
// database of its own. By hand it is a router whose background work the test
// runs (settle); serve makes it the whole program on a port.
type house struct {
	*app.App
	t       *testing.T
	dir     string // of the installation
	url     string // of the database
	clock   *clock
	logs    *buffer
	mail    *outbox
	logFrom int // where this test begins in the cluster's log
	stop    func()
}

// clerk is a member of staff of one authority.
type clerk struct {
	host, login, password, person string
	secret                        string // of the second factor, "" without one
}

// newHouse opens an installation with two authorities, at ten in the morning, so
// that no test runs over midnight.
func newHouse(t *testing.T) *house {
	t.Helper()
	h := newHouseNow(t)
	now := time.Now()
	h.clock.advance(now.UTC().Truncate(24 * time.Hour).Add(34 * time.Hour).Sub(now))
	must(t, h.Vault.Housekeep(t.Context()))
	must(t, h.Deputy.Renew(t.Context()))
	return h
}

// newHouseNow is newHouse in the present, for tests with a second process.
func newHouseNow(t *testing.T) *house {
	t.Helper()
	h := &house{
		t: t, dir: filepath.Join(t.TempDir(), "data"), logs: new(buffer), mail: new(outbox), clock: new(clock),
	}
	h.url = dbtest.URL(t)
	if bytes.HasPrefix([]byte(h.url), []byte("sqlite:")) {
		h.url = "" // the file in the data directory, as by default
	}
	h.open()
	t.Cleanup(h.close)
	must(t, h.AddTenants(t.Context(), authorities()))
	return h
}

func (h *house) config() app.Config {
	return app.Config{
		Data: h.dir, Database: h.url, Light: true, MailFrom: "poststelle@betreiber.example", Now: h.clock.Now,
		Proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		Log:     slog.New(slog.NewJSONHandler(h.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
}

func (h *house) open() {
	h.t.Helper()
	a, err := app.Open(h.t.Context(), h.config(), mailtest.WrapSender(h.t, h.mail))
	must(h.t, err)
	h.App = a
}

func (h *house) close() {
	h.t.Helper()
	if h.stop != nil {
		h.stop()
		h.stop = nil
	}
	if h.App != nil {
		must(h.t, h.App.Close())
		h.App = nil
	}
}

// reopen is a stop and a start; change works on the files between the two.
func (h *house) reopen(change func()) {
	h.t.Helper()
	h.close()
	if change != nil {
		change()
	}
	h.open()
}

// browser returns a browser on the pages of musterstadt, served by hand.
func (h *house) browser() *webtest.Client {
	h.t.Helper()
	rt, err := h.Router()
	must(h.t, err)
	c := webtest.New(h.t, rt)
	c.Host = musterstadt
	return c
}

// serve starts the whole program on a port and returns a browser for it.
func (h *house) serve() *webtest.Client {
	h.t.Helper()
	on, err := new(net.ListenConfig).Listen(h.t.Context(), "tcp", "127.0.0.1:0")
	must(h.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan struct{}), make(chan error, 1)
	a := h.App
	go func() { ended <- a.Serve(ctx, on, func() error { close(ready); return nil }) }()
	select {
	case <-ready:
	case err := <-ended:
		cancel()
		h.t.Fatal(err)
	}
	h.stop = func() {
		cancel()
		must(h.t, <-ended)
	}
	c := webtest.Dial(h.t, on.Addr().String())
	c.Host = musterstadt
	return c
}

// settle does by hand what the background does: boxes to the vault, jobs that
// are due.
func (h *house) settle() {
	h.t.Helper()
	_, err := h.Mailboxes.TakeIn(h.t.Context())
	must(h.t, err)
	_, err = h.Jobs.RunDue(h.t.Context())
	must(h.t, err)
}

// hire adds a clerk of an authority who works in the given mailboxes.
func (h *house) hire(of tenant.ID, login string, secondFactor bool, boxes ...tenant.MailboxID) clerk {
	h.t.Helper()
	c := clerk{login: login, password: "Kennwort-" + login + "-2026", host: musterstadt}
	if of == "beispielingen" {
		c.host = beispielingen
	}
	e, err := h.Staff.AddStaff(h.t.Context(), account.NewStaff{
		Tenant: of, Login: login, Name: "Clerk " + login, Password: c.password, Role: account.Clerk,
		Mail: login + "@" + c.host, Mailboxes: boxes, SecondFactor: secondFactor, Notices: true,
	})
	must(h.t, err)
	c.person, c.secret = e.Person, e.TOTPSecret
	return c
}

// query runs a statement in the message database.
func (h *house) exec(q string, args ...any) int64 {
	h.t.Helper()
	var n int64
	must(h.t, h.DB.Update(context.Background(), func(tx *db.Tx) (err error) {
		n, err = tx.Exec(context.Background(), q, args...)
		return err
	}))
	return n
}

// text returns the one value that a query selects.
func (h *house) text(q string, args ...any) (s string) {
	h.t.Helper()
	must(h.t, h.DB.View(context.Background(), func(tx *db.Tx) error {
		return tx.QueryRow(context.Background(), q, args...).Scan(&s)
	}))
	return s
}

// count returns the one number that a query selects.
func (h *house) count(q string, args ...any) (n int) {
	h.t.Helper()
	must(h.t, h.DB.View(context.Background(), func(tx *db.Tx) error {
		return tx.QueryRow(context.Background(), q, args...).Scan(&n)
	}))
	return n
}

func authorities() []tenant.Tenant {
	return []tenant.Tenant{
		{
			ID: "musterstadt", Kind: tenant.Authority, Profile: tenant.Vorlage, Name: "Stadt Musterstadt", ARS: "081110000000",
			Address: tenant.Address{Street: "Rathausplatz 1", Postcode: "70000", Place: "Musterstadt"}, Hosts: []string{musterstadt},
			Mailboxes: []tenant.Mailbox{
				{
					ID: "buergerbuero", Name: "Bürgerbüro", NameEN: "Citizens' office", Duties: "Ausweise und alles andere", Fallback: true,
					Position: 1, Topics: []tenant.Topic{{ID: "ausweis", Name: "Ausweis", NameEN: "Identity card"}},
				},
				{
					ID: "tiefbauamt", Name: "Tiefbauamt", NameEN: "Civil engineering office", Duties: "Straßen und Laternen", EmailReply: true,
					Position: 2, Topics: []tenant.Topic{{ID: "schaden", Name: "Schaden melden", NameEN: "Report damage"}},
				},
			},
		},
		{
			ID: "beispielingen", Kind: tenant.Authority, Profile: tenant.Vorlage, Name: "Gemeinde Beispielingen", ARS: "081110000001",
			Address: tenant.Address{Postcode: "71111", Place: "Beispielingen"}, Hosts: []string{beispielingen},
			Mailboxes: []tenant.Mailbox{{
				ID: "rathaus", Name: "Rathaus", Duties: "Alle Anliegen", Fallback: true,
				Topics: []tenant.Topic{{ID: "allgemein", Name: "Allgemeines"}},
			}},
		},
	}
}

// clock is the real one, moved forward: deadlines of connections count in real
// time.
type clock struct{ offset atomic.Int64 }

func (c *clock) Now() time.Time { return time.Now().Add(time.Duration(c.offset.Load())) }

func (c *clock) advance(d time.Duration) { c.offset.Add(int64(d)) }

// buffer is a bytes.Buffer for several goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) Bytes() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bytes.Clone(b.b.Bytes())
}

// outbox keeps what would be mailed.
type outbox struct {
	mu   sync.Mutex
	sent []mail.Message
}

func (o *outbox) Send(_ context.Context, m mail.Message) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sent = append(o.sent, m)
	return nil
}

func (o *outbox) all() []mail.Message {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.sent)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually waits for the background to bring something about.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(context.Background(), 20*time.Second, errors.New(what))
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("not within 20 s: %v", context.Cause(ctx))
		}
	}
}

// background runs the whole program until the restored or interrupted work is
// finished: rows of deleted threads removed, no file without a letter.
func (h *house) background() {
	h.t.Helper()
	h.serve()
	eventually(h.t, "nothing of deleted threads is left", func() bool {
		h.clock.advance(20 * time.Second) // jobs that wait come due
		return h.count(`select count(*) from mailbox_threads`) == 0 && h.blobCount() == 0
	})
	h.stop()
	h.stop = nil
}

// blobCount is how many objects the blob store holds.
func (h *house) blobCount() (n int) {
	h.t.Helper()
	must(h.t, h.Blobs.List(context.Background(), func(blob.ID, blob.Info) error { n++; return nil }))
	return n
}

// texts returns the values that a query selects.
func (h *house) texts(q string, args ...any) []string {
	h.t.Helper()
	return texts(h.t, h.DB, q, args...)
}

func texts(t *testing.T, d *db.DB, q string, args ...any) (out []string) {
	t.Helper()
	must(t, d.View(context.Background(), func(tx *db.Tx) (err error) {
		out, err = db.Collect(context.Background(), tx, func(r db.Scanner) (s string, err error) {
			err = r.Scan(&s)
			return s, err
		}, q, args...)
		return err
	}))
	return out
}

func mailboxes(ids ...tenant.MailboxID) []tenant.MailboxID { return ids }

// crash is what kill -9 leaves: the stores as they are, nothing tidied up.
func (h *house) crash() {
	h.t.Helper()
	dir := filepath.Join(h.t.TempDir(), "data")
	// The old process goes on living in this test, on its own copy of the files;
	// the new one gets what was on disk at this moment.
	must(h.t, copyTree(h.dir, dir))
	old := h.App
	h.App = nil
	h.dir = dir
	if h.isPostgres() {
		must(h.t, old.DB.Close())
	}
	h.open()
	h.t.Cleanup(func() { _ = old.Close() })
}

// copyTree copies files and directories, and leaves sockets out.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		switch {
		case e.IsDir():
			return os.MkdirAll(target, 0o700)
		case !e.Type().IsRegular():
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, data, 0o600)
	})
}

// openAgain opens the installation of a closed house.
func openAgain(h *house) (*app.App, error) {
	return app.Open(h.t.Context(), h.config(), mailtest.WrapSender(h.t, h.mail))
}
