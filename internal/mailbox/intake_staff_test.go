package mailbox_test

import (
	"context"
	"testing"
	"time"

	"poststelle/internal/mailbox"
	"poststelle/internal/tenant"
	"poststelle/internal/vault"
)

// stuck is what the ready page shows.
func (p *post) stuck() int {
	p.t.Helper()
	n, err := p.Service.Stuck(p.t.Context())
	p.must(err)
	return n
}

// arrived reports whether the vault knows a thread.
func (p *post) arrived(id string) bool {
	p.t.Helper()
	st, err := p.Vault.State(p.t.Context(), "musterstadt", []string{id})
	p.must(err)
	return len(st) == 1
}

// A box that the vault refuses keeps its day key, is counted, and is taken in
// when the reason is gone, however late.
func TestIntake_RefusedBoxIsOfferedAgain(t *testing.T) {
	p := newPost(t)
	ctx := t.Context()
	m := tenant.Mailbox{ID: "neu", Tenant: "musterstadt", Name: "Neu", Duties: "Neues", Topics: []tenant.Topic{{ID: "a", Name: "A"}}}
	p.must(tenant.AddMailbox(ctx, p.DB, m))
	p.must(p.Directory.Refresh(ctx))
	d := p.post(func(l *mailbox.Letter) { l.Mailbox, l.Topic = "neu", "" })
	p.settle()
	if n := p.stuck(); n != 1 {
		t.Fatalf("Stuck() = %d, want 1", n)
	}
	for range 6 {
		p.advance(24 * time.Hour)
		p.settle()
		p.must(p.Vault.Housekeep(ctx))
	}
	if n := p.stuck(); n != 1 {
		t.Fatalf("Stuck() after six days = %d, want 1", n)
	}
	p.must(p.Vault.CreateTenants(ctx, []vault.TenantSpec{{ID: "musterstadt", Mailboxes: []string{"neu"}}}))
	p.advance(time.Hour)
	p.settle()
	if n := p.stuck(); n != 0 || !p.arrived(d.Thread) {
		t.Errorf("Stuck() = %d, vault has it: %v; the letter is lost", n, p.arrived(d.Thread))
	}
	p.advance(24 * time.Hour)
	p.settle()
	if n := p.count(`select count(*) from mailbox_intake`); n != 0 {
		t.Errorf("%d boxes left", n)
	}
}

// forgetful is a vault that answers State as one that was restored from a
// backup older than a thread, until it takes the thread in again.
type forgetful struct {
	vault.Service
	thread  string
	offered int
}

func (f *forgetful) State(ctx context.Context, of string, threads []string) (map[string]vault.ThreadState, error) {
	st, err := f.Service.State(ctx, of, threads)
	if f.offered == 0 {
		delete(st, f.thread)
	}
	return st, err
}

func (f *forgetful) TakeIn(ctx context.Context, boxes []vault.Box) ([]vault.Taken, error) {
	for _, b := range boxes {
		if b.Thread == f.thread {
			f.offered++
		}
	}
	return f.Service.TakeIn(ctx, boxes)
}

func TestIntake_RestoredVaultIsOfferedWhatItLacks(t *testing.T) {
	var f *forgetful
	p := newPost(t, func(p *post) {
		f = &forgetful{Service: p.service, thread: "none"}
		p.service = f
	})
	lost, kept, gone := p.deliver(), p.deliver(), p.deliver()
	p.must(p.Vault.Shred(t.Context(), p.token(vault.ServiceRetention), "musterstadt", gone.Thread))
	f.thread, f.offered = lost.Thread, 0
	p.advance(time.Hour)
	p.settle()
	p.advance(time.Hour)
	p.settle()
	if f.offered != 1 {
		t.Errorf("offered %d times, want once", f.offered)
	}
	for of, want := range map[string]int{lost.Thread: 1, kept.Thread: 1, gone.Thread: 0} {
		if n := p.count(`select count(*) from mailbox_intake where thread_id = $1 and state = 'taken'`, of); n != want {
			t.Errorf("%d boxes taken, want %d", n, want)
		}
	}
}

// The first thing that the program does is to compare.
func TestRun_ComparesWithTheVault(t *testing.T) {
	var f *forgetful
	p := newPost(t, func(p *post) {
		f = &forgetful{Service: p.service, thread: "none"}
		p.service = f
	})
	d := p.deliver()
	f.thread, f.offered = d.Thread, 0
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	seen := make(chan struct{})
	hook := &hookedVault{forgetful: f, seen: seen}
	p.Service.Vault = hook
	go func() { done <- p.Service.Run(ctx) }()
	select {
	case <-seen:
	case <-time.After(20 * time.Second): // only a broken intake meets this
		t.Error("nothing was handed in")
	}
	cancel()
	p.must(<-done)
	if f.offered != 1 {
		t.Errorf("offered %d times, want once", f.offered)
	}
}

// hookedVault tells when boxes have been handed in.
type hookedVault struct {
	*forgetful
	seen chan struct{}
}

func (h *hookedVault) TakeIn(ctx context.Context, boxes []vault.Box) ([]vault.Taken, error) {
	got, err := h.forgetful.TakeIn(ctx, boxes)
	if h.offered == 1 {
		close(h.seen)
	}
	return got, err
}
