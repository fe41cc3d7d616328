package vault_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"poststelle/internal/fault"
	"poststelle/internal/seal"
	"poststelle/internal/vault"
	"poststelle/internal/vault/vaulttest"
)

// office is a vault that can be taken away, and where its deputy keeps its file.
type office struct {
	*vaulttest.Switch
	clock *clock
	path  string
}

func newOffice(t *testing.T) *office {
	t.Helper()
	c := newClock()
	v := vaulttest.New(t, c.now)
	must(t, v.CreateTenants(t.Context(), specs()))
	return &office{Switch: vaulttest.NewSwitch(v), clock: c, path: filepath.Join(t.TempDir(), "delegation")}
}

func (o *office) deputy(t *testing.T) (*vault.Deputy, error) {
	return vault.NewDeputy(t.Context(), o.Switch, o.path, o.clock.now, slog.New(slog.DiscardHandler))
}

// signs checks that the deputy signs a receipt of the tenant that verifies.
func signs(t *testing.T, d *vault.Deputy, tenant string, at time.Time) {
	t.Helper()
	s, err := d.Signer(t.Context(), tenant, at)
	if err != nil {
		t.Fatalf("Signer(%s) = %v", tenant, err)
	}
	text, err := seal.SignReceipt(s, seal.Receipt{Tenant: tenant, TenantName: "Stadt", Mailbox: "bauamt", MailboxName: "Bauamt", At: at})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := seal.VerifyReceiptBy(text, seal.FingerprintOf(s.Certificate.Authority)); err != nil {
		t.Errorf("receipt of %s: %v", tenant, err)
	}
}

func TestDeputy_WorksFromFileWhileVaultIsAway(t *testing.T) {
	o := newOffice(t)
	first := got(o.deputy(t))(t)
	signs(t, first, town, o.clock.now())

	o.Off()
	again, err := o.deputy(t) // as after a restart
	if err != nil {
		t.Fatalf("NewDeputy() without a vault = %v", err)
	}
	for range 8 {
		if _, err := again.IntakeKey(o.clock.now()); err != nil {
			t.Fatalf("IntakeKey(%s) = %v", o.clock.now().Format(time.DateOnly), err)
		}
		if _, err := again.LogKey(o.clock.now()); err != nil {
			t.Fatalf("LogKey(%s) = %v", o.clock.now().Format(time.DateOnly), err)
		}
		signs(t, again, town, o.clock.now())
		signs(t, again, other, o.clock.now())
		o.clock.add(day)
	}
}

func TestDeputy_ExpiresAfterEightDays(t *testing.T) {
	o := newOffice(t)
	d := got(o.deputy(t))(t)
	o.Off()
	o.clock.add(8 * day)
	if _, err := d.IntakeKey(o.clock.now()); !errors.Is(err, fault.Unavailable) {
		t.Errorf("IntakeKey() after eight days = %v, want Unavailable", err)
	}
	if _, err := d.LogKey(o.clock.now()); !errors.Is(err, fault.Unavailable) {
		t.Errorf("LogKey() after eight days = %v, want Unavailable", err)
	}
	if _, err := d.Signer(t.Context(), town, o.clock.now()); !errors.Is(err, fault.Unavailable) {
		t.Errorf("Signer() after eight days = %v, want Unavailable", err)
	}
	if _, err := o.deputy(t); !errors.Is(err, fault.Unavailable) {
		t.Errorf("NewDeputy() with a file that has run out = %v, want Unavailable", err)
	}
	o.On()
	signs(t, d, town, o.clock.now()) // renews by itself
}

func TestDeputy_NoFileAndNoVault(t *testing.T) {
	o := newOffice(t)
	o.Off()
	if _, err := o.deputy(t); !errors.Is(err, fault.Unavailable) {
		t.Errorf("NewDeputy() = %v, want Unavailable", err)
	}
	if _, err := os.Stat(o.path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file was left: %v", err)
	}
}

func TestDeputy_RenewsForNewTenant(t *testing.T) {
	o := newOffice(t)
	d := got(o.deputy(t))(t)
	must(t, o.CreateTenants(t.Context(), []vault.TenantSpec{{ID: "neudorf", Mailboxes: []string{"bauamt"}}}))
	signs(t, d, "neudorf", o.clock.now())

	o.Off() // and it is in the file
	again := got(o.deputy(t))(t)
	signs(t, again, "neudorf", o.clock.now())
	if _, err := again.Signer(t.Context(), "unbekannt", o.clock.now()); !errors.Is(err, fault.Unavailable) {
		t.Errorf("Signer() of an unknown tenant = %v, want Unavailable", err)
	}
}

func TestDeputy_FileIsOwnerOnlyAndReplacedAtOnce(t *testing.T) {
	o := newOffice(t)
	d := got(o.deputy(t))(t)
	before := got(os.Stat(o.path))(t)
	if before.Mode() != 0o600 {
		t.Errorf("mode of the file is %v, want -rw-------", before.Mode())
	}
	// Whoever has the old file open reads the old one to the end.
	open := got(os.Open(o.path))(t)
	defer open.Close()
	old := got(os.ReadFile(o.path))(t)
	must(t, d.Renew(t.Context()))
	after := got(os.Stat(o.path))(t)
	if os.SameFile(before, after) {
		t.Error("the file was written over, not replaced")
	}
	if after.Mode() != 0o600 {
		t.Errorf("mode of the new file is %v, want -rw-------", after.Mode())
	}
	var still bytes.Buffer
	got(still.ReadFrom(open))(t)
	if !bytes.Equal(still.Bytes(), old) {
		t.Error("the old file changed under its reader")
	}
	files := got(os.ReadDir(filepath.Dir(o.path)))(t)
	if len(files) != 1 {
		t.Errorf("left beside the file: %v", files)
	}
}

func TestDeputy_FailedRenewalKeepsTheOldDelegation(t *testing.T) {
	o := newOffice(t)
	d := got(o.deputy(t))(t)
	dir := filepath.Dir(o.path)
	gone := dir + "-gone"
	must(t, os.Rename(dir, gone))
	if err := d.Renew(t.Context()); err == nil {
		t.Error("Renew() without a place for its file went well")
	}
	signs(t, d, town, o.clock.now())
	must(t, os.Rename(gone, dir))
	o.Off()
	signs(t, got(o.deputy(t))(t), town, o.clock.now())
}

func TestDeputy_DamagedFile(t *testing.T) {
	o := newOffice(t)
	got(o.deputy(t))(t)
	whole := got(os.ReadFile(o.path))(t)
	for name, raw := range map[string][]byte{
		"empty":    {},
		"cut":      whole[:len(whole)/2],
		"text":     []byte("not a delegation"),
		"version":  bytes.Replace(whole, []byte(`"version":1`), []byte(`"version":9`), 1),
		"long key": bytes.Replace(whole, []byte(`"public":"`), []byte(`"public":"AAAA`), 1),
	} {
		t.Run(name, func(t *testing.T) {
			must(t, os.WriteFile(o.path, raw, 0o600))
			_, err := o.deputy(t)
			if err == nil {
				t.Fatal("NewDeputy() took a damaged file")
			}
			if !strings.Contains(err.Error(), o.path) {
				t.Errorf("NewDeputy() = %q: names no file", err)
			}
		})
	}
}

func TestDeputy_FileReadableByOthers(t *testing.T) {
	o := newOffice(t)
	got(o.deputy(t))(t)
	must(t, os.Chmod(o.path, 0o644))
	_, err := o.deputy(t)
	if err == nil || !strings.Contains(err.Error(), "0600") {
		t.Errorf("NewDeputy() = %v, want a refusal that names the mode", err)
	}
}

func TestDeputy_RunRenewsBeforeItRunsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &counting{}
		d, err := vault.NewDeputy(t.Context(), c, filepath.Join(t.TempDir(), "delegation"), time.Now, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- d.Run(ctx) }()
		time.Sleep(24*time.Hour + time.Minute) // of the bubble, not of the test
		stop()
		if err := <-done; err != nil {
			t.Errorf("Run() = %v", err)
		}
		if c.calls < 3 || c.calls > 4 { // at start and twice a day
			t.Errorf("Delegate was called %d times in a day, want 3", c.calls)
		}
	})
}

// counting is a vault that does nothing but issue empty delegations.
type counting struct {
	vault.Service
	calls int
}

func (c *counting) Delegate(context.Context, []string) (vault.Delegation, error) {
	c.calls++
	return vault.Delegation{Issued: time.Now()}, nil
}
