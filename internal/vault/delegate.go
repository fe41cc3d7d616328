package vault

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/seal"
)

// TenantSpec names an authority and its mailboxes.
type TenantSpec struct {
	ID        string
	Operator  bool // the tenant of the installation's operator; only its staff may have the role operator
	Mailboxes []string
}

// CreateTenants makes the long-term signing key of each tenant and one key per mailbox, in one transaction. What exists stays as
// it is, so it is also how a mailbox is added. Ids are 1 to 64 letters, digits, '.', '_' and '-' (fault.Invalid).
func (v *Vault) CreateTenants(ctx context.Context, specs []TenantSpec) error {
	for _, s := range specs {
		if !validID(s.ID) {
			return fmt.Errorf("vault: create tenant %q: id: %w", s.ID, fault.Invalid)
		}
		for _, m := range s.Mailboxes {
			if !validID(m) {
				return fmt.Errorf("vault: create tenant %s: mailbox %q: %w", s.ID, m, fault.Invalid)
			}
		}
	}
	return v.update(ctx, "create tenants", func(tx *db.Tx) error {
		for _, s := range specs {
			public, private, err := ed25519.GenerateKey(nil)
			if err != nil {
				return err
			}
			sealed := v.keys.seal(private.Seed(), "tenant", s.ID)
			clear(private)
			if err := insertTenant(ctx, tx, s, public, sealed); err != nil {
				return err
			}
			for _, m := range s.Mailboxes {
				wrapped := seal.Wrap(v.keys.mailbox, seal.NewKey(), mailboxAD(s.ID, m))
				if err := insertMailbox(ctx, tx, s.ID, m, wrapped); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func validID(id string) bool {
	if id == "" || len(id) > 64 {
		return false
	}
	for _, c := range []byte(id) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}

// Delegation is what web may hold ahead, so that intake and receipts work while the vault is away: public keys to seal to for
// eight days, and for the same days receipt signers with a certificate per tenant. The signing keys are secret, the worst their
// loss allows is false receipts of those days; nothing in it opens mail. Keep it in an owner-only file. It prints as "[secret]".
type Delegation struct {
	Issued time.Time
	Intake []DayKey // in order of days
	Log    []DayKey // for segments of the access log
	// Evidence are the keys to seal addresses to, of those who publish something.
	Evidence []DayKey
	days     []signerDay
}

// signerDay is one drawn signing key with its certificates; those of one day share the key.
type signerDay struct {
	Day   string                  `json:"day"`
	Seed  []byte                  `json:"seed"`
	Certs map[string]certificates `json:"certs"`
}

type certificates struct {
	Authority []byte `json:"authority"`
	Signature []byte `json:"signature"`
}

// Delegate issues a delegation with the signers of the given tenants; nil means all. An unknown tenant is fault.NotFound. Each
// call draws new signing keys, so that two web nodes never share one.
func (v *Vault) Delegate(ctx context.Context, tenants []string) (Delegation, error) {
	var d Delegation
	var rows []tenantRow
	err := v.update(ctx, "delegate", func(tx *db.Tx) error {
		if err := v.publishDays(ctx, tx); err != nil {
			return err
		}
		d = Delegation{Issued: tx.Now}
		days, err := selectDays(ctx, tx, dayOf(tx.Now))
		if err != nil {
			return err
		}
		for _, day := range days {
			switch key := (DayKey{Day: day.day, Public: day.public}); day.purpose {
			case purposeIntake:
				d.Intake = append(d.Intake, key)
			case purposeLog:
				d.Log = append(d.Log, key)
			case purposeEvidence:
				d.Evidence = append(d.Evidence, key)
			}
		}
		rows, err = selectTenants(ctx, tx)
		return err
	})
	if err != nil {
		return Delegation{}, err
	}
	if rows, err = pick(rows, tenants); err != nil {
		return Delegation{}, err
	}
	if err := v.certify(&d, rows); err != nil {
		return Delegation{}, fmt.Errorf("vault: delegate: %w", err)
	}
	return d, nil
}

func pick(rows []tenantRow, tenants []string) ([]tenantRow, error) {
	if tenants == nil {
		return rows, nil
	}
	byID := make(map[string]tenantRow, len(rows))
	for _, r := range rows {
		byID[r.id] = r
	}
	out := make([]tenantRow, 0, len(tenants))
	for _, id := range tenants {
		r, ok := byID[id]
		if !ok {
			return nil, fmt.Errorf("vault: delegate: tenant %s: %w", id, fault.NotFound)
		}
		out = append(out, r)
	}
	return out, nil
}

// certify draws a signing key a day and has each tenant's long-term key certify it, on all cores.
func (v *Vault) certify(d *Delegation, rows []tenantRow) error {
	keys := make([]ed25519.PrivateKey, len(d.Intake))
	d.days = make([]signerDay, len(d.Intake))
	for i, day := range d.Intake {
		_, private, err := ed25519.GenerateKey(nil)
		if err != nil {
			return err
		}
		keys[i] = private
		d.days[i] = signerDay{Day: day.Day, Seed: private.Seed(), Certs: make(map[string]certificates, len(rows))}
	}
	var (
		next atomic.Int64
		mu   sync.Mutex
		wg   sync.WaitGroup
		errs []error
	)
	one := func(r tenantRow) error {
		seed, err := v.keys.open(r.sealed, "tenant", r.id)
		if err != nil {
			return err
		}
		authority := ed25519.NewKeyFromSeed(seed)
		defer clear(authority)
		clear(seed)
		for i := range d.days {
			c, err := seal.Certify(authority, r.id, d.days[i].Day, keys[i].Public().(ed25519.PublicKey))
			if err != nil {
				return fmt.Errorf("tenant %s: %w", r.id, err)
			}
			mu.Lock()
			d.days[i].Certs[r.id] = certificates{Authority: c.Authority, Signature: c.Signature}
			mu.Unlock()
		}
		return nil
	}
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for n := int(next.Add(1)) - 1; n < len(rows); n = int(next.Add(1)) - 1 {
				if err := one(rows[n]); err != nil {
					mu.Lock()
					errs = append(errs, err)
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// IntakeKey returns the key to seal letters to at the given time, fault.Unavailable when the delegation has run out.
func (d Delegation) IntakeKey(at time.Time) (DayKey, error) { return keyOf(d.Intake, at) }

// LogKey returns the key to seal access-log segments to at the given time, fault.Unavailable when the delegation has run out.
func (d Delegation) LogKey(at time.Time) (DayKey, error) { return keyOf(d.Log, at) }

// EvidenceKey returns the key to seal an address to at the given time, fault.Unavailable when the delegation has run out.
func (d Delegation) EvidenceKey(at time.Time) (DayKey, error) { return keyOf(d.Evidence, at) }

func keyOf(keys []DayKey, at time.Time) (DayKey, error) {
	day := dayOf(at)
	for _, k := range keys {
		if k.Day == day {
			return k, nil
		}
	}
	return DayKey{}, fmt.Errorf("vault: delegation has no key for %s: %w", day, fault.Unavailable)
}

// Signer returns who signs receipts of a tenant at the given time, fault.Unavailable when the delegation has none.
func (d Delegation) Signer(tenant string, at time.Time) (seal.DaySigner, error) {
	day := dayOf(at)
	for _, s := range d.days {
		c, ok := s.Certs[tenant]
		if s.Day != day || !ok {
			continue
		}
		key := ed25519.NewKeyFromSeed(s.Seed)
		return seal.NewDaySigner(key, seal.Certificate{Tenant: tenant, Day: day, Key: key.Public().(ed25519.PublicKey),
			Authority: c.Authority, Signature: c.Signature})
	}
	return seal.DaySigner{}, fmt.Errorf("vault: delegation has no signer of %s for %s: %w", tenant, day, fault.Unavailable)
}

// parse reads the keys once, so that a letter or a comment need not.
func (d *Delegation) parse() error {
	for _, keys := range [][]DayKey{d.Intake, d.Evidence} {
		for i := range keys {
			k, err := keys[i].key()
			if err != nil {
				return fmt.Errorf("vault: delegation: key of %s: %w", keys[i].Day, err)
			}
			keys[i].parsed = &k
		}
	}
	return nil
}

// Until is the first instant for which the delegation has no intake key; its zero value has none at all.
func (d Delegation) Until() time.Time {
	if len(d.Intake) == 0 {
		return time.Time{}
	}
	end, err := dayEnd(d.Intake[len(d.Intake)-1].Day)
	if err != nil {
		return time.Time{}
	}
	return end
}

// storedDelegation is the form of the file.
type storedDelegation struct {
	Version int       `json:"version"`
	Issued  time.Time `json:"issued"`
	Intake  []DayKey  `json:"intake"`
	Log     []DayKey  `json:"log"`
	// Evidence is missing in a file of an older version; the next renewal brings it.
	Evidence []DayKey    `json:"evidence,omitempty"`
	Signers  []signerDay `json:"signers"`
}

// MarshalBinary encodes the delegation with its secrets for an owner-only file (mode 0600).
func (d Delegation) MarshalBinary() ([]byte, error) {
	return json.Marshal(storedDelegation{Version: 1, Issued: d.Issued, Intake: d.Intake, Log: d.Log, Evidence: d.Evidence, Signers: d.days})
}

// UnmarshalBinary reads what MarshalBinary wrote, fault.Invalid when it is something else.
func (d *Delegation) UnmarshalBinary(data []byte) error {
	var s storedDelegation
	if err := json.Unmarshal(data, &s); err != nil || s.Version != 1 {
		return fmt.Errorf("vault: read delegation: %w", fault.Invalid)
	}
	for _, k := range slices.Concat(s.Intake, s.Log, s.Evidence) {
		if _, err := seal.ParsePublic(k.Public); err != nil || !validDay(k.Day) {
			return fmt.Errorf("vault: read delegation: key of %q: %w", k.Day, fault.Invalid)
		}
	}
	for _, k := range s.Signers {
		if len(k.Seed) != ed25519.SeedSize || !validDay(k.Day) {
			return fmt.Errorf("vault: read delegation: signer of %q: %w", k.Day, fault.Invalid)
		}
	}
	*d = Delegation{Issued: s.Issued, Intake: s.Intake, Log: s.Log, Evidence: s.Evidence, days: s.Signers}
	return nil
}

// MarshalJSON always fails: use MarshalBinary on purpose.
func (Delegation) MarshalJSON() ([]byte, error) {
	return nil, errors.New("vault: a delegation is not for printing")
}

// String returns "[secret]".
func (Delegation) String() string { return "[secret]" }

// GoString returns "[secret]".
func (Delegation) GoString() string { return "[secret]" }

// Format writes "[secret]" whatever the verb.
func (Delegation) Format(f fmt.State, _ rune) { f.Write([]byte("[secret]")) }

// LogValue returns "[secret]".
func (Delegation) LogValue() slog.Value { return slog.StringValue("[secret]") }
