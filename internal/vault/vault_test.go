package vault_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"poststelle/internal/fault"
	"poststelle/internal/seal"
	"poststelle/internal/vault"
	"poststelle/internal/vault/vaulttest"
)

const (
	town  = "musterstadt"
	other = "beispielingen"
	host  = "betreiber"
	day   = 24 * time.Hour
)

// clock is a clock that only moves when told to.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func specs() []vault.TenantSpec {
	return []vault.TenantSpec{
		{ID: town, Mailboxes: []string{"bauamt", "ordnungsamt"}},
		{ID: other, Mailboxes: []string{"bauamt"}},
		{ID: host, Operator: true, Mailboxes: []string{"kontakt"}},
	}
}

// world is a vault with three tenants, a clerk per mailbox and a delegation.
type world struct {
	*vault.Vault
	t     testing.TB
	clock *clock
	dir   string
	deleg vault.Delegation
	bau   vault.Grant // clerk in town/bauamt
	ord   vault.Grant // clerk in town/ordnungsamt
	far   vault.Grant // clerk in other/bauamt
	admin vault.Grant
}

func newWorld(t testing.TB) *world {
	t.Helper()
	return newWorldWith(t, vault.Config{})
}

func newWorldWith(t testing.TB, c vault.Config) *world {
	t.Helper()
	w := &world{t: t, clock: newClock(), dir: t.TempDir()}
	c.Dir, c.Now = w.dir, w.clock.now
	w.Vault = vaulttest.Open(t, c)
	must(t, w.CreateTenants(t.Context(), specs()))
	w.deleg = got(w.Delegate(t.Context(), nil))(t)
	w.bau = vaulttest.Clerk(t, w.Vault, town, "bau", vault.RoleClerk, "bauamt")
	w.ord = vaulttest.Clerk(t, w.Vault, town, "ord", vault.RoleClerk, "ordnungsamt")
	w.far = vaulttest.Clerk(t, w.Vault, other, "far", vault.RoleClerk, "bauamt")
	w.admin = vaulttest.Clerk(t, w.Vault, town, "chefin", vault.RoleAdmin)
	return w
}

func (w *world) service(name string) string { return vaulttest.Service(w.t, w.Vault, name) }

// letter is a sent letter and all its secrets.
type letter struct {
	box  vault.Box
	k, T seal.Key
	code seal.Code
}

func (w *world) seal(l vault.Letter) vault.Box {
	w.t.Helper()
	key := got(w.deleg.IntakeKey(w.clock.now()))(w.t)
	return got(vault.SealBox(key, l))(w.t)
}

func (w *world) first(tenant, mailbox string) letter {
	w.t.Helper()
	l := letter{k: seal.NewKey(), code: seal.NewToken().Code()}
	thread := rand.Text()
	f := vault.NewFirst(tenant, thread, l.code)
	l.T = f.T
	l.box = w.seal(vault.Letter{Tenant: tenant, Mailbox: mailbox, Thread: thread, Message: rand.Text(), K: l.k, First: &f})
	return l
}

func (w *world) more(l letter) letter {
	w.t.Helper()
	m := letter{k: seal.NewKey(), code: l.code, T: l.T}
	m.box = w.seal(vault.Letter{Tenant: l.box.Tenant, Mailbox: l.box.Mailbox, Thread: l.box.Thread, Message: rand.Text(), K: m.k})
	return m
}

func (w *world) take(boxes ...vault.Box) []vault.Taken {
	w.t.Helper()
	return got(w.TakeIn(w.t.Context(), boxes))(w.t)
}

// stored sends a first letter and takes it in.
func (w *world) stored(tenant, mailbox string) letter {
	w.t.Helper()
	l := w.first(tenant, mailbox)
	wantTaken(w.t, w.take(l.box), vault.Stored)
	return l
}

func (w *world) open(g vault.Grant, l letter) (map[string]seal.Key, error) {
	return w.Open(w.t.Context(), g.Token, l.box.Tenant, l.box.Thread, []string{l.box.Message})
}

// reads reports whether the person gets the card key and the content key of the letter.
func (w *world) reads(g vault.Grant, l letter) bool {
	w.t.Helper()
	keys, err := w.open(g, l)
	if err != nil && !errors.Is(err, fault.NotFound) && !errors.Is(err, fault.Denied) {
		w.t.Fatalf("Open() = %v", err)
	}
	content := keys[l.box.Message].Equal(l.k)
	cards, err := w.CardKeys(w.t.Context(), g.Token, l.box.Tenant, []string{l.box.Message})
	if err != nil && !errors.Is(err, fault.NotFound) && !errors.Is(err, fault.Denied) {
		w.t.Fatalf("CardKeys() = %v", err)
	}
	card := cards[l.box.Message].Equal(l.k.Derive("card"))
	if content != card {
		w.t.Fatalf("content %v and card %v differ", content, card)
	}
	return content
}

func (w *world) wantReads(g vault.Grant, l letter, want bool) {
	w.t.Helper()
	if got := w.reads(g, l); got != want {
		w.t.Errorf("%s reads = %v, want %v", g.Login, got, want)
	}
}

func (w *world) reopen() {
	w.t.Helper()
	must(w.t, w.Close())
	w.Vault = vaulttest.Open(w.t, vault.Config{Dir: w.dir, Now: w.clock.now})
}

func (w *world) signIn(tenant, login string) vault.Grant {
	w.t.Helper()
	return got(w.SignIn(w.t.Context(), vault.Proof{Tenant: tenant, Login: login, Password: vaulttest.Password(login)}))(w.t)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func got[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		must(t, err)
		return v
	}
}

func wantErr(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error = %v, want %v", err, want)
	}
}

func wantTaken(t testing.TB, got []vault.Taken, want ...vault.Taken) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("TakeIn() = %v, want %v", got, want)
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("TakeIn()[%d] = %v, want %v", i, got[i], want[i])
		}
	}
}

func TestOpen_RootKey(t *testing.T) {
	cases := []struct {
		name, want string
		damage     func(t *testing.T, dir string)
	}{
		{"missing", "root key root.key is missing", func(t *testing.T, dir string) { must(t, os.Remove(filepath.Join(dir, "root.key"))) }},
		{"readable by others", "must be 0600", func(t *testing.T, dir string) { must(t, os.Chmod(filepath.Join(dir, "root.key"), 0o640)) }},
		{"another key", "does not belong", func(t *testing.T, dir string) {
			must(t, os.WriteFile(filepath.Join(dir, "root.key"), []byte(strings.Repeat("x", 32)), 0o600))
		}},
		{"too short", "exactly 32 bytes", func(t *testing.T, dir string) {
			must(t, os.WriteFile(filepath.Join(dir, "root.key"), []byte("short"), 0o600))
		}},
		{"too long", "exactly 32 bytes", func(t *testing.T, dir string) {
			must(t, os.WriteFile(filepath.Join(dir, "root.key"), []byte(strings.Repeat("x", 33)), 0o600))
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			must(t, w.Close())
			c.damage(t, w.dir)
			v, err := vault.Open(t.Context(), vault.Config{Dir: w.dir, Now: w.clock.now, Argon: vaulttest.Argon})
			if err == nil {
				v.Close()
			}
			var refusal *vault.Refusal
			if !errors.As(err, &refusal) || !strings.Contains(refusal.Reason, c.want) {
				t.Errorf("Open() = %v, want a refusal with %q", err, c.want)
			}
		})
	}
}

func TestOpen_Modes(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"root.key", "vault.db", "vault.db-wal"} {
		info, err := os.Stat(filepath.Join(w.dir, name))
		must(t, err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, want 0600", name, info.Mode().Perm())
		}
	}
	if _, err := vault.Open(t.Context(), vault.Config{Dir: w.dir, Now: w.clock.now, Argon: vaulttest.Argon}); err == nil {
		t.Error("a second Open() of the same store succeeded")
	}
}

func TestRestart_KeepsEverything(t *testing.T) {
	w := newWorld(t)
	l := w.stored(town, "bauamt")
	pending := w.first(town, "bauamt") // sealed before, handed over after the restart
	w.reopen()
	_, err := w.Check(t.Context(), w.bau.Token)
	wantErr(t, err, fault.Denied) // grants are in memory only
	wantTaken(t, w.take(l.box, pending.box), vault.Known, vault.Stored)
	w.wantReads(w.signIn(town, "bau"), l, true)
	w.wantReads(w.signIn(town, "bau"), pending, true)
	w.wantReads(w.signIn(town, "ord"), l, false)
	must(t, w.VerifyAudit(t.Context()))
}

func TestClosed_Unavailable(t *testing.T) {
	w := newWorld(t)
	l := w.stored(town, "bauamt")
	must(t, w.Close())
	for name, err := range callAll(t.Context(), w.Vault, w.bau.Token, l) {
		if !errors.Is(err, fault.Unavailable) {
			t.Errorf("%s() after Close = %v, want Unavailable", name, err)
		}
	}
}

func TestSwitch(t *testing.T) {
	w := newWorld(t)
	l := w.stored(town, "bauamt")
	s := vaulttest.NewSwitch(w.Vault)
	s.Off()
	for name, err := range callAll(t.Context(), s, w.bau.Token, l) {
		if !errors.Is(err, fault.Unavailable) {
			t.Errorf("%s() while off = %v, want Unavailable", name, err)
		}
	}
	s.On()
	if _, err := s.Open(t.Context(), w.bau.Token, town, l.box.Thread, []string{l.box.Message}); err != nil {
		t.Errorf("Open() after On = %v", err)
	}
}

// callAll calls every method of the service once.
func callAll(ctx context.Context, s vault.Service, token string, l letter) map[string]error {
	out := map[string]error{}
	second := func(_ any, err error) error { return err }
	b := l.box
	out["CreateTenants"] = s.CreateTenants(ctx, specs())
	_, err := s.Delegate(ctx, nil)
	out["Delegate"] = err
	out["TakeIn"] = second(s.TakeIn(ctx, []vault.Box{b}))
	out["Drained"] = s.Drained(ctx, b.Day)
	out["Overdue"] = second(s.Overdue(ctx))
	out["SignIn"] = second(s.SignIn(ctx, vault.Proof{Tenant: town, Login: "bau", Password: "x"}))
	out["Check"] = second(s.Check(ctx, token))
	out["EndGrant"] = s.EndGrant(ctx, token)
	out["CardKeys"] = second(s.CardKeys(ctx, token, town, []string{b.Message}))
	out["Open"] = second(s.Open(ctx, token, town, b.Thread, []string{b.Message}))
	out["Collect"] = second(s.Collect(ctx, town, l.code.LookupID()))
	out["Answer"] = second(s.Answer(ctx, token, town, b.Thread, "m", false))
	out["DropMessage"] = s.DropMessage(ctx, token, town, b.Thread, b.Message)
	out["Forward"] = s.Forward(ctx, token, town, b.Thread, "ordnungsamt")
	out["Shred"] = s.Shred(ctx, token, town, b.Thread)
	out["State"] = second(s.State(ctx, town, []string{b.Thread}))
	out["Reads"] = second(s.Reads(ctx, town, b.Thread))
	out["AddStaff"] = second(s.AddStaff(ctx, token, vault.StaffSpec{Tenant: town, Login: "x", Password: "12345678", Role: vault.RoleClerk}))
	out["SetPassword"] = s.SetPassword(ctx, token, town, "p", "12345678")
	out["RenewSecondFactor"] = second(s.RenewSecondFactor(ctx, token, town, "p"))
	out["DisableStaff"] = s.DisableStaff(ctx, token, town, "p")
	out["EndStaffSessions"] = s.EndStaffSessions(ctx, token, town, "p")
	out["Join"] = second(s.Join(ctx, token, town, "p", "bauamt"))
	out["Leave"] = s.Leave(ctx, token, town, "p", "bauamt")
	out["Members"] = second(s.Members(ctx, town, "bauamt"))
	out["Staff"] = second(s.Staff(ctx, token, town))
	out["ContactKeys"] = second(s.ContactKeys(ctx, token, town, []string{b.Message}))
	out["StaffMail"] = second(s.StaffMail(ctx, token, town, []string{"p"}))
	out["OpenLog"] = second(s.OpenLog(ctx, token, b.Day, nil, nil, vault.GroundTest, "x"))
	callStaff(ctx, s, token, out)
	return out
}

func containsBytes(haystack, needle []byte) bool {
	return len(needle) > 0 && bytes.Contains(haystack, needle)
}

// callStaff is callAll for passkeys, sessions and roles.
func callStaff(ctx context.Context, s vault.Service, token string, out map[string]error) {
	second := func(_ any, err error) error { return err }
	out["PasskeyOffer"] = second(s.PasskeyOffer(ctx, vault.PasskeyAsk{Host: townHost, Origin: townOrigin, Tenant: town}))
	out["SignInPasskey"] = second(s.SignInPasskey(ctx, vault.PasskeyAnswer{}))
	out["AddPasskey"] = s.AddPasskey(ctx, token, vault.PasskeyAnswer{})
	out["Passkeys"] = second(s.Passkeys(ctx, token))
	out["RemovePasskey"] = s.RemovePasskey(ctx, token, "p")
	out["ProvePassword"] = s.ProvePassword(ctx, token, "x", "")
	out["ProvePasskey"] = s.ProvePasskey(ctx, token, vault.PasskeyAnswer{})
	out["Sessions"] = second(s.Sessions(ctx, token))
	out["EndSession"] = s.EndSession(ctx, token, "p")
	out["EndOtherSessions"] = s.EndOtherSessions(ctx, token)
	out["SetRole"] = s.SetRole(ctx, token, town, "p", vault.RoleLead)
	out["Proposals"] = second(s.Proposals(ctx, token, town))
	out["Confirm"] = s.Confirm(ctx, token, town, "p")
	out["Refuse"] = s.Refuse(ctx, token, town, "p")
	out["Substitute"] = s.Substitute(ctx, token, town, "p", "d", time.Time{})
	out["EndSubstitution"] = s.EndSubstitution(ctx, token, town, "p", "d")
	out["Substitutions"] = second(s.Substitutions(ctx, token, town))
	out["AuditRows"] = second(s.AuditRows(ctx, token, town, vault.AuditFilter{Limit: 1}))
}
