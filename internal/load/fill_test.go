package load_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"poststelle/internal/account"
	"poststelle/internal/blob"
	"poststelle/internal/db"
	"poststelle/internal/db/dbtest"
	"poststelle/internal/fault"
	"poststelle/internal/jobs"
	"poststelle/internal/journal"
	"poststelle/internal/load"
	"poststelle/internal/mailbox"
	"poststelle/internal/tenant"
	"poststelle/internal/vault"
	"poststelle/internal/vault/vaulttest"
	"poststelle/internal/web"
)

// installation is an authority with two mailboxes and a clerk of both.
type installation struct {
	db      *db.DB
	letters *mailbox.Service
	tenants []*tenant.Tenant
	staff   map[tenant.ID]account.Actor
}

func newInstallation(t testing.TB) installation {
	t.Helper()
	ctx, log, now, data := t.Context(), slog.New(slog.DiscardHandler), time.Now, t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	d := dbtest.New(t, jobs.Migrations(), journal.Migrations(), blob.Migrations(), tenant.Migrations(), account.Migrations(), mailbox.Migrations())
	v := vaulttest.Open(t, vault.Config{Dir: filepath.Join(data, "vault"), Now: now})
	must(v.CreateTenants(ctx, []vault.TenantSpec{{ID: "stadt", Mailboxes: []string{"tiefbau", "steuer"}}}))
	must(tenant.Add(ctx, d, tenant.Tenant{
		ID: "stadt", Kind: tenant.Authority, Profile: tenant.Vorlage, Name: "Stadt", ARS: "089990000001", Hosts: []string{"stadt.example"},
		Mailboxes: []tenant.Mailbox{
			{ID: "tiefbau", Name: "Tiefbau", Topics: []tenant.Topic{{ID: "a", Name: "A"}, {ID: "b", Name: "B"}}},
			{ID: "steuer", Name: "Steuer", SenderRequired: true},
		},
	}))
	blobs, err := blob.NewDir(filepath.Join(data, "blobs"))
	must(err)
	t.Cleanup(func() { blobs.Close() })
	dir, err := tenant.NewDirectory(ctx, d, log)
	must(err)
	deputy, err := vault.NewDeputy(ctx, v, filepath.Join(data, "delegation"), now, log)
	must(err)
	queue := jobs.New(jobs.Config{DB: d, Log: log})
	in := installation{db: d, tenants: dir.All(), staff: map[tenant.ID]account.Actor{}}
	in.letters = mailbox.New(mailbox.Config{
		DB: d, Vault: v, Deputy: deputy, Blobs: blobs, Refs: blob.NewRefs(blob.RefsConfig{DB: d, Queue: queue, Store: blobs, Log: log}),
		Jobs: queue, Directory: dir, Sessions: web.NewSessions(web.SessionConfig{Now: now}), Now: now, Log: log,
		Accounts: account.New(account.Config{DB: d, Vault: v, Directory: dir, Now: now, Log: log}),
		BaseURL:  func(*tenant.Tenant) string { return "" },
	})
	g := vaulttest.Clerk(t, v, "stadt", "clerk", "clerk", "tiefbau", "steuer")
	in.staff["stadt"] = account.Actor{Tenant: "stadt", Person: g.Person, Grant: g.Token, Mailboxes: []tenant.MailboxID{"tiefbau", "steuer"}}
	return in
}

func (in installation) count(t testing.TB, what string) (n int) {
	t.Helper()
	err := in.db.View(t.Context(), func(tx *db.Tx) error {
		return tx.QueryRow(t.Context(), "select count(*) from "+what).Scan(&n)
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestFill(t *testing.T) {
	in := newInstallation(t)
	var told int
	got, err := load.Fill(t.Context(), load.FillConfig{
		Letters: 1000, Mailboxes: in.letters, Tenants: in.tenants, Workers: 16, FileEvery: 50, Closed: 80, Staff: in.staff,
		Progress: func(n int) { told = n },
	})
	if err != nil {
		t.Fatal(err)
	}
	if got.Letters != 1000 || got.Closed != 800 || got.Rate <= 0 || told != 1000 {
		t.Errorf("Fill() = %+v, told %d", got, told)
	}
	for what, want := range map[string]int{
		"mailbox_threads": 1000, "mailbox_threads where state = 'closed'": got.Closed, "mailbox_threads where mailbox_id = 'steuer'": 500,
		"mailbox_files": 20, "mailbox_intake where state = 'taken'": 1000, "mailbox_intake where state <> 'taken'": 0,
	} {
		if n := in.count(t, what); n != want {
			t.Errorf("%s: %d, want %d", what, n, want)
		}
	}
}

func TestFill_Refuses(t *testing.T) {
	in := newInstallation(t)
	for name, c := range map[string]load.FillConfig{
		"no tenants":   {Letters: 1, Mailboxes: in.letters},
		"no service":   {Letters: 1, Tenants: in.tenants},
		"bad share":    {Letters: 1, Mailboxes: in.letters, Tenants: in.tenants, Closed: 101},
		"nobody there": {Letters: 8, Mailboxes: in.letters, Tenants: in.tenants, Closed: 10},
	} {
		if _, err := load.Fill(t.Context(), c); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: Fill() = %v, want Invalid", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := load.Fill(ctx, load.FillConfig{Letters: 8, Mailboxes: in.letters, Tenants: in.tenants}); !errors.Is(err, context.Canceled) {
		t.Errorf("Fill(cancelled) = %v", err)
	}
}

func BenchmarkFill(b *testing.B) {
	in := newInstallation(b)
	got, err := load.Fill(b.Context(), load.FillConfig{Letters: b.N, Mailboxes: in.letters, Tenants: in.tenants})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(got.Rate, "letters/s")
}
