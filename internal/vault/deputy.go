package vault

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"poststelle/internal/fault"
	"poststelle/internal/seal"
)

// Deputy holds what the vault has delegated to a web process: public keys to
// seal to and receipt signers for the coming days. It keeps them in an
// owner-only file, so that intake goes on and receipts are signed while the
// vault is away, also after a restart.
type Deputy struct {
	service Service
	path    string
	now     func() time.Time
	log     *slog.Logger
	current atomic.Pointer[Delegation]
	refresh sync.Mutex
	// signers holds those already looked up and verified, by tenant and day: a
	// receipt is signed for every letter.
	signers sync.Map
}

// renewAfter is how old a delegation may grow before Run asks for a new one. It
// holds for eight days, so the vault may be away for a week.
const renewAfter = 12 * time.Hour

// NewDeputy reads the file and asks the vault for a fresh delegation. A vault
// that is away is no error as long as the file still holds for now.
func NewDeputy(ctx context.Context, service Service, path string, now func() time.Time, log *slog.Logger) (*Deputy, error) {
	d := &Deputy{service: service, path: path, now: now, log: log}
	if err := d.read(); err != nil {
		return nil, err
	}
	if err := d.Renew(ctx); err != nil {
		if _, keyErr := d.IntakeKey(now()); keyErr != nil {
			return nil, err
		}
		log.Warn("vault is away: working with the stored delegation", "until", d.current.Load().Until())
	}
	return d, nil
}

func (d *Deputy) read() error {
	f, err := os.Open(d.path)
	if errors.Is(err, fs.ErrNotExist) {
		d.current.Store(&Delegation{})
		return nil
	}
	if err != nil {
		return fmt.Errorf("vault: read delegation: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("vault: read delegation: %w", err)
	}
	if perm := info.Mode().Perm(); perm&0o077 != 0 {
		return refuse("%s may be read by others (mode %04o); it must be 0600", d.path, perm)
	}
	raw, err := io.ReadAll(f)
	if err != nil {
		return fmt.Errorf("vault: read delegation: %w", err)
	}
	var got Delegation
	if err := got.UnmarshalBinary(raw); err != nil {
		return refuse("the delegation in %s is damaged; remove the file while the key store can be reached, a new one is made", d.path)
	}
	if err := got.parse(); err != nil {
		return err
	}
	d.current.Store(&got)
	return nil
}

// Renew asks the vault for a new delegation and stores it: at start, twice a
// day, and when a tenant has been added.
func (d *Deputy) Renew(ctx context.Context) error {
	d.refresh.Lock()
	defer d.refresh.Unlock()
	return d.renew(ctx)
}

func (d *Deputy) renew(ctx context.Context) error {
	got, err := d.service.Delegate(ctx, nil)
	if err != nil {
		return fmt.Errorf("vault: renew delegation: %w", err)
	}
	raw, err := got.MarshalBinary()
	if err != nil {
		return fmt.Errorf("vault: renew delegation: %w", err)
	}
	if err := writeOwnerOnly(d.path, raw); err != nil {
		return fmt.Errorf("vault: store delegation: %w", err)
	}
	if err := got.parse(); err != nil {
		return fmt.Errorf("vault: renew delegation: %w", err)
	}
	d.current.Store(&got)
	d.signers.Clear()
	return nil
}

// writeOwnerOnly replaces a file in one step; a crash leaves the old or the new
// one. The bytes reach the disk before the name does.
func writeOwnerOnly(path string, raw []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".delegation-*")
	if err != nil {
		return err
	}
	_, err = f.Write(raw)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncDir(filepath.Dir(path))
}

// IntakeKey returns the day key to seal letters to.
func (d *Deputy) IntakeKey(at time.Time) (DayKey, error) { return d.current.Load().IntakeKey(at) }

// LogKey returns the day key to seal access-log segments to.
func (d *Deputy) LogKey(at time.Time) (DayKey, error) { return d.current.Load().LogKey(at) }

// EvidenceKey returns the day key to seal addresses to.
func (d *Deputy) EvidenceKey(at time.Time) (DayKey, error) { return d.current.Load().EvidenceKey(at) }

// Signer returns who signs receipts of a tenant. A tenant added since the last
// renewal makes it renew once.
func (d *Deputy) Signer(ctx context.Context, tenant string, at time.Time) (seal.DaySigner, error) {
	key := tenant + "@" + dayOf(at)
	if s, ok := d.signers.Load(key); ok {
		return s.(seal.DaySigner), nil
	}
	s, err := d.signer(ctx, tenant, at)
	if err == nil {
		d.signers.Store(key, s)
	}
	return s, err
}

func (d *Deputy) signer(ctx context.Context, tenant string, at time.Time) (seal.DaySigner, error) {
	seen := d.current.Load()
	s, err := seen.Signer(tenant, at)
	if !errors.Is(err, fault.Unavailable) {
		return s, err
	}
	d.refresh.Lock()
	defer d.refresh.Unlock()
	if d.current.Load() == seen {
		if err := d.renew(ctx); err != nil {
			return seal.DaySigner{}, err
		}
	}
	return d.current.Load().Signer(tenant, at)
}

// AuthorityKey returns the long-term public key of a tenant, as certified in the
// delegation: what receipts are verified against. It is fault.NotFound for a
// tenant that the delegation does not know.
func (d *Deputy) AuthorityKey(tenant string) (ed25519.PublicKey, error) {
	for _, day := range d.current.Load().days {
		if c, ok := day.Certs[tenant]; ok && len(c.Authority) == ed25519.PublicKeySize {
			return ed25519.PublicKey(c.Authority), nil
		}
	}
	return nil, fmt.Errorf("vault: key of authority %s: %w", tenant, fault.NotFound)
}

// Run renews the delegation until ctx ends.
func (d *Deputy) Run(ctx context.Context) error {
	tick := time.NewTicker(10 * time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if d.now().Sub(d.current.Load().Issued) < renewAfter {
			continue
		}
		if err := d.Renew(ctx); err != nil && ctx.Err() == nil {
			d.log.Warn("delegation not renewed", "until", d.current.Load().Until(), "error", err)
		}
	}
}
