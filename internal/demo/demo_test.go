package demo_test

import (
	"bytes"
	"context"
	"fmt"
	"image/jpeg"
	"image/png"
	"log/slog"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"poststelle/internal/account"
	"poststelle/internal/blob"
	"poststelle/internal/blog"
	"poststelle/internal/db"
	"poststelle/internal/db/dbtest"
	"poststelle/internal/demo"
	"poststelle/internal/jobs"
	"poststelle/internal/journal"
	"poststelle/internal/mail"
	"poststelle/internal/mail/mailtest"
	"poststelle/internal/mailbox"
	"poststelle/internal/newsletter"
	"poststelle/internal/tenant"
	"poststelle/internal/vault"
	"poststelle/internal/vault/vaulttest"
	"poststelle/internal/web"
)

// house is an empty installation.
type house struct {
	t     testing.TB
	now   time.Time
	db    *db.DB
	vault *vault.Vault
	dir   *tenant.Directory
	mail  *mail.Memory
	queue *jobs.Queue
	log   *bytes.Buffer
	stage demo.Stage
}

func newHouse(t testing.TB, now time.Time) *house {
	t.Helper()
	ctx := t.Context()
	h := &house{t: t, now: now, mail: mail.NewMemory(0), log: &bytes.Buffer{}}
	clock := func() time.Time { return h.now }
	log := slog.New(slog.NewTextHandler(h.log, &slog.HandlerOptions{Level: slog.LevelWarn}))
	data := t.TempDir()
	h.db = dbtest.NewAt(t, clock, jobs.Migrations(), journal.Migrations(), blob.Migrations(), tenant.Migrations(), account.Migrations(), mailbox.Migrations(), blog.Migrations(), newsletter.Migrations())
	h.vault = vaulttest.Open(t, vault.Config{Dir: filepath.Join(data, "vault"), Now: clock, Log: log})
	blobs, err := blob.NewDir(filepath.Join(data, "blobs"))
	h.must(err)
	t.Cleanup(func() { blobs.Close() })
	h.dir, err = tenant.NewDirectory(ctx, h.db, log)
	h.must(err)
	deputy, err := vault.NewDeputy(ctx, h.vault, filepath.Join(data, "delegation"), clock, log)
	h.must(err)
	queue := jobs.New(jobs.Config{DB: h.db, Now: clock, Log: log})
	h.queue = queue
	chain := journal.NewChain(h.db)
	queue.Every("journal.chain", time.Minute, func(ctx context.Context, _ jobs.Job) error { return chain.Extend(ctx) })
	refs := blob.NewRefs(blob.RefsConfig{DB: h.db, Queue: queue, Store: blobs, Log: log})
	accounts := account.New(account.Config{
		DB: h.db, Vault: h.vault, Directory: h.dir, Demo: true, Now: clock, Log: log,
		Notifier: vaulttest.Service(t, h.vault, vault.ServiceNotifier),
	})
	letters := mailbox.New(mailbox.Config{
		DB: h.db, Vault: h.vault, Deputy: deputy, Blobs: blobs, Refs: refs, Jobs: queue, Directory: h.dir, Accounts: accounts,
		Sessions: web.NewSessions(web.SessionConfig{Now: clock}), Mail: mailtest.WrapSender(t, h.mail), MailFrom: "poststelle@kdvm.example",
		Tokens: mailbox.Tokens{
			Notifier:  vaulttest.Service(t, h.vault, vault.ServiceNotifier),
			Mailer:    vaulttest.Service(t, h.vault, vault.ServiceMailer),
			Retention: vaulttest.Service(t, h.vault, vault.ServiceRetention),
		},
		BaseURL: func(t *tenant.Tenant) string { return "http://" + t.Hosts[0] }, Now: clock, Log: log,
	})
	news := blog.New(blog.Config{
		DB: h.db, Vault: h.vault, Website: vaulttest.Service(t, h.vault, vault.ServiceWebsite), Directory: h.dir, Accounts: accounts, Jobs: queue, EvidenceKey: deputy.EvidenceKey,
		On:      func(t *tenant.Tenant) bool { return t.Has(tenant.Blog) },
		BaseURL: func(t *tenant.Tenant) string { return "http://" + t.Hosts[0] }, Now: clock, Log: log,
	})
	issues := newsletter.New(newsletter.Config{
		DB: h.db, Keys: h.vault, Jobs: queue, Directory: h.dir, Accounts: accounts, Mail: mailtest.Wrap(t, h.mail), Website: vaulttest.Service(t, h.vault, vault.ServiceWebsite),
		Notifier: vaulttest.Service(t, h.vault, vault.ServiceNotifier), MailFrom: "poststelle@kdvm.example",
		BaseURL: func(t *tenant.Tenant) string { return "https://" + t.Hosts[0] }, Now: clock, Log: log,
	})
	h.stage = demo.Stage{
		AddTenants: func(ctx context.Context, list []tenant.Tenant) error {
			var specs []vault.TenantSpec
			for _, t := range list {
				s := vault.TenantSpec{ID: string(t.ID), Operator: t.Kind == tenant.Operator}
				for _, m := range t.Mailboxes {
					s.Mailboxes = append(s.Mailboxes, string(m.ID))
				}
				specs = append(specs, s)
			}
			if err := h.vault.CreateTenants(ctx, specs); err != nil {
				return err
			}
			if err := tenant.Add(ctx, h.db, list...); err != nil {
				return err
			}
			if err := h.dir.Refresh(ctx); err != nil {
				return err
			}
			return deputy.Renew(ctx)
		},
		DB: h.db, Directory: h.dir, Accounts: accounts, Staff: accounts.Console(vaulttest.Service(t, h.vault, vault.ServiceConsole)), Mailboxes: letters, Blog: news, Newsletter: issues, Vault: h.vault, RunDue: queue.RunDue,
		SetClock: func(at time.Time) { h.now = at },
		RenewDay: func(ctx context.Context) error {
			if err := h.vault.Housekeep(ctx); err != nil {
				return err
			}
			return deputy.Renew(ctx)
		},
		Now: now,
	}
	return h
}

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) count(what string) (n int) {
	h.t.Helper()
	h.must(h.db.View(h.t.Context(), func(tx *db.Tx) error {
		return tx.QueryRow(h.t.Context(), "select count(*) from "+what).Scan(&n)
	}))
	return n
}

// rows are the letters without what is drawn at random.
func (h *house) rows() []string {
	h.t.Helper()
	var out []string
	h.must(h.db.View(h.t.Context(), func(tx *db.Tx) (err error) {
		out, err = db.Collect(h.t.Context(), tx, func(r db.Scanner) (string, error) {
			var tenant, box, number, state, reply string
			var files int
			var received, changed, due int64
			err := r.Scan(&tenant, &box, &number, &state, &reply, &files, &received, &changed, &due)
			return fmt.Sprint(tenant, box, number, state, reply, files, received, changed, due), err
		}, `
select tenant_id, mailbox_id, number, state, reply_way, files, received_at, changed_at, due_at
from mailbox_threads
order by tenant_id, number
limit 1000`)
		return err
	}))
	return out
}

// A Sunday, a holiday, a working morning, the days after the clocks change: the
// content does not depend on when it is made.
func TestSeed(t *testing.T) {
	for _, now := range []string{"2026-11-22T01:31:00Z", "2027-01-06T09:00:00Z", "2027-04-06T06:05:00Z", "2026-10-26T23:50:00Z"} {
		t.Run(now, func(t *testing.T) {
			at, err := time.Parse(time.RFC3339, now)
			if err != nil {
				t.Fatal(err)
			}
			h := newHouse(t, at)
			staff, err := demo.Seed(t.Context(), h.stage)
			h.must(err)
			checkContent(t, h, staff)
			if !h.now.Equal(at) {
				t.Errorf("the clock stands at %v, want %v", h.now, at)
			}
			if h.log.Len() != 0 {
				t.Errorf("warnings:\n%s", h.log)
			}
		})
	}
}

func checkContent(t *testing.T, h *house, staff []demo.Staff) {
	t.Helper()
	late := fmt.Sprintf("mailbox_threads where state <> 'closed' and due_at < %d", h.now.UnixMilli())
	for what, want := range map[string]int{
		"tenant_tenants":                                       3,
		"mailbox_threads":                                      40,
		"mailbox_threads where state = 'new'":                  8,
		"mailbox_threads where state = 'open'":                 8,
		"mailbox_threads where state = 'waiting'":              6,
		"mailbox_threads where state = 'closed'":               8,
		"mailbox_threads where state = 'open' and assignee=''": 1,
		"mailbox_threads where reply_way = 'letter'":           3,
		"mailbox_threads where reply_way = 'email'":            3,
		"mailbox_threads where withdrawal":                     2,
		"mailbox_threads where notice":                         15,
		"mailbox_threads where not notice":                     10,
		"mailbox_messages where kind = 'note'":                 5,
		"mailbox_messages where kind = 'event'":                3,
		"mailbox_messages where kind = 'office' and by_mail":   2,
		"mailbox_files":                                        25,
		"mailbox_permissions":                                  3,
		"tenant_banners":                                       1,
		"newsletter_subscribers where state = 'active'":        25,
		"newsletter_issues where state = 'sent'":               4,
		"newsletter_issues where state = 'draft'":              2,
		"newsletter_issues where state = 'scheduled'":          2,
		late: 3,
	} {
		if h.db.Engine() == "sqlite" {
			what = strings.NewReplacer("where withdrawal", "where withdrawal = 1", "where notice", "where notice = 1",
				"where not notice", "where notice = 0", "and by_mail", "and by_mail = 1").Replace(what)
		}
		if got := h.count(what); got < want {
			t.Errorf("%s: %d, want at least %d", what, got, want)
		}
	}
	for _, nothing := range []string{"mailbox_intake where state <> 'taken'", fmt.Sprintf("mailbox_messages where created_at > %d", h.now.UnixMilli())} {
		if got := h.count(nothing); got != 0 {
			t.Errorf("%s: %d, want none", nothing, got)
		}
	}
	if dead, err := h.queue.Dead(t.Context()); err != nil || len(dead) != 0 {
		t.Errorf("dead jobs: %v, %v", dead, err)
	}
	// Weeks have passed in a second, and yet no day key is kept too long.
	if overdue, err := h.vault.Overdue(t.Context()); err != nil || len(overdue) != 0 {
		t.Errorf("Overdue() = %v, %v; want none", overdue, err)
	}
	if len(h.mail.Messages()) < 20 {
		t.Errorf("%d mails, want notices", len(h.mail.Messages()))
	}
	roles := map[account.Role]bool{}
	for _, s := range staff {
		roles[s.Role] = true
		if _, err := h.vault.SignIn(t.Context(), vault.Proof{Tenant: string(s.Tenant), Login: s.Login, Password: s.Password}); err != nil {
			t.Errorf("sign in %s: %v", s.Login, err)
		}
	}
	if len(staff) != 14 || len(roles) != len(vault.Roles()) || staff[0].Tenant != "musterstadt" || staff[13].Tenant != "betreiber" {
		t.Errorf("staff = %+v", staff)
	}
	for id, host := range map[tenant.ID]string{"musterstadt": "localhost", "beispielingen": "127.0.0.2", "betreiber": "betreiber.localhost"} {
		if got, ok := h.dir.ByHost(host); !ok || got.ID != id {
			t.Errorf("%s does not lead to %s", host, id)
		}
	}
}

func TestSeed_Repeats(t *testing.T) {
	now := time.Date(2026, 11, 24, 8, 30, 0, 0, time.UTC)
	var all [2][]string
	for i := range all {
		h := newHouse(t, now)
		_, err := demo.Seed(t.Context(), h.stage)
		h.must(err)
		all[i] = h.rows()
	}
	if !slices.Equal(all[0], all[1]) {
		t.Errorf("two runs differ:\n%s\n\n%s", strings.Join(all[0], "\n"), strings.Join(all[1], "\n"))
	}
}

// People and addresses are invented: their domains cannot exist.
func TestLetters_Invented(t *testing.T) {
	for _, l := range demo.Letters() {
		if l.Email != "" && !strings.HasSuffix(l.Email, ".example") {
			t.Errorf("%q: address %s could exist", l.Subject, l.Email)
		}
		if l.Topic == "" || len(l.Subject) > 80 || strings.TrimSpace(l.Body) != l.Body {
			t.Errorf("%q: topic, length or blanks", l.Subject)
		}
	}
}

// Every file opens: it is what its ending says.
func TestFiles(t *testing.T) {
	kinds := map[string]int{}
	for _, f := range demo.Files() {
		ext := filepath.Ext(f.Name)
		kinds[ext]++
		if len(f.Content) == 0 || len(f.Content) > 20<<10 {
			t.Errorf("%s has %d bytes", f.Name, len(f.Content))
		}
		var err error
		switch ext {
		case ".jpg":
			_, err = jpeg.Decode(bytes.NewReader(f.Content))
		case ".png":
			_, err = png.Decode(bytes.NewReader(f.Content))
		case ".pdf":
			err = checkPDF(f.Content)
		}
		if err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
	}
	for _, ext := range []string{".pdf", ".jpg", ".png", ".txt"} {
		if kinds[ext] < 2 {
			t.Errorf("%d files of kind %s, want some", kinds[ext], ext)
		}
	}
}

// checkPDF follows the cross-reference table to every object.
func checkPDF(b []byte) error {
	_, tail, ok := bytes.Cut(b, []byte("startxref\n"))
	if !ok || !bytes.HasPrefix(b, []byte("%PDF-1.4\n")) || !bytes.HasSuffix(b, []byte("%%EOF\n")) {
		return fmt.Errorf("no frame of a PDF")
	}
	start, err := strconv.Atoi(string(bytes.Fields(tail)[0]))
	if err != nil || !bytes.HasPrefix(b[start:], []byte("xref\n")) {
		return fmt.Errorf("startxref %d leads nowhere", start)
	}
	lines := strings.SplitAfter(string(b[start:]), "\n")
	var objects int
	if _, err := fmt.Sscanf(lines[1], "0 %d", &objects); err != nil {
		return err
	}
	for n := 1; n < objects; n++ {
		entry := lines[2+n]
		at, err := strconv.Atoi(strings.TrimLeft(entry[:10], "0"))
		if err != nil || len(entry) != 20 || !bytes.HasPrefix(b[at:], fmt.Appendf(nil, "%d 0 obj\n", n)) {
			return fmt.Errorf("entry %d leads nowhere: %q", n, entry)
		}
	}
	return nil
}

func BenchmarkSeed(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		h := newHouse(b, time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC))
		b.StartTimer()
		if _, err := demo.Seed(b.Context(), h.stage); err != nil {
			b.Fatal(err)
		}
	}
}
