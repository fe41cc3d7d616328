// Package vault is the key service (German: Tresor). It holds every key that opens stored mail, the verifiers of staff sign-in, the
// memberships in mailboxes and the grants, and it holds no mail. The message tables, the blobs and their backups hold ciphertext
// and nothing that opens it; so deleting a row here makes a message unreadable in the live system and in every older copy of the
// database and the blobs.
//
// # Keys
//
//	root key, a file of its own
//	 ├─ M  one per mailbox, wrapped under the root key
//	 │   └─ T  one per thread, wrapped under M and, for the citizen, under the collection code
//	 │       └─ K  one per message, wrapped under T; its parts use K.Derive(part)
//	 ├─ one per tenant and module of the website, wrapped under the root key
//	 └─ A  one per account of a citizen, wrapped under the root key
//	     ├─ T  of each thread in their mailbox, wrapped under A as well
//	     └─ K  of each saved draft
//
// # What the package keeps true
//
//   - Intake needs no vault. Web seals the keys of a letter to a day key (Delegation, SealBox) and hands the box over later
//     (TakeIn). Day keys are published eight days ahead; a private day key is destroyed at the earliest 48 h after its day, and only
//     when the web side has said that the day's queue is empty (Drained).
//   - A deleted message stays deleted. Its tombstone lives as long as a box could still bring it back: until the day key of its
//     intake day is destroyed, for answers 72 h. TakeIn answers Deleted for it.
//   - One bad box never stops the others: TakeIn answers Refused for it.
//   - Keys are handed out under a grant only (SignIn), to members of the mailbox only, counted and audited. A person who left a
//     mailbox or was disabled gets nothing from the next call on, because memberships are read from the rows in each statement.
//   - Only clerks, leads and administrators are members of mailboxes. Editors, data protection officers, auditors and operators see no
//     content at all, even when somebody with the file makes them members.
//   - With Config.FourEyes a membership needs a second person: not who gains by it, and nobody who has role, password or second factor
//     from the first. A substitution always needs one, and ends by itself. The last administrator of a tenant stays.
//   - A passkey opens the register (staff of a tenant, or accounts) and the host that it was made for, and nothing else.
//   - Unknown logins, addresses and collection codes cost the same work as known ones, and no answer tells them apart.
//   - A deleted account is gone at once, with every wrap that opens something for it; the authority's side of a thread stays. No box
//     brings a wrap back. What citizens do is audited without saying who they are.
//   - A lost password comes back by mail only after 72 hours in which the owner can say no; nothing shortens that.
//   - The audit is a chain of MACs under a key derived from the root key; Verify finds any row changed, removed or put in between.
//   - Nothing secret and no name or address stands in the database file in the clear. Without root.key it opens nothing.
//
// # What it does not do
//
// It cannot keep a reader from keeping what was read, and whoever controls the live process controls its memory: Go does not wipe
// memory by itself. In process (the default) the border to web is an interface, not an address space.
//
// # Errors
//
// A bad or ended token is fault.Denied. A thread, message or mailbox that does not exist and one that the person may not see are
// both fault.NotFound. fault.Unavailable means that nothing was done, also when the store is gone.
//
// Methods run transactions of the vault's own database: never call them inside a transaction of another one.
package vault

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/seal"
)

// Service is the vault as other packages use it, in process or over a socket. Every method returns fault.Unavailable when the store
// is gone. Tokens are those of SignIn or, where a method says so, of Vault.ServiceToken.
type Service interface {
	// Authorities and intake.
	CreateTenants(ctx context.Context, specs []TenantSpec) error
	Delegate(ctx context.Context, tenants []string) (Delegation, error)
	TakeIn(ctx context.Context, boxes []Box) ([]Taken, error)
	Drained(ctx context.Context, day string) error
	Overdue(ctx context.Context) ([]string, error)

	// Sign-in.
	SignIn(ctx context.Context, p Proof) (Grant, error)
	Check(ctx context.Context, token string) (Grant, error)
	EndGrant(ctx context.Context, token string) error

	// Keys.
	CardKeys(ctx context.Context, token, tenant string, messages []string) (map[string]seal.Key, error)
	Open(ctx context.Context, token, tenant, thread string, messages []string) (map[string]seal.Key, error)
	Collect(ctx context.Context, tenant string, lookup []byte) (Collected, error)
	Answer(ctx context.Context, token, tenant, thread, message string, byMail bool) (seal.Key, error)
	DropMessage(ctx context.Context, token, tenant, thread, message string) error
	Forward(ctx context.Context, token, tenant, thread, toMailbox string) error
	Shred(ctx context.Context, token, tenant, thread string) error
	State(ctx context.Context, tenant string, threads []string) (map[string]ThreadState, error)
	Reads(ctx context.Context, tenant, thread string) ([]Read, error)

	// Staff.
	AddStaff(ctx context.Context, token string, s StaffSpec) (Enrolment, error)
	SetPassword(ctx context.Context, token, tenant, person, password string) error
	RenewSecondFactor(ctx context.Context, token, tenant, person string) (Enrolment, error)
	DisableStaff(ctx context.Context, token, tenant, person string) error
	EndStaffSessions(ctx context.Context, token, tenant, person string) error
	Join(ctx context.Context, token, tenant, person, mailbox string) (active bool, err error)
	Leave(ctx context.Context, token, tenant, person, mailbox string) error
	Members(ctx context.Context, tenant, mailbox string) ([]Member, error)
	Staff(ctx context.Context, token, tenant string) ([]Person, error)

	// Named services.
	ContactKeys(ctx context.Context, token, tenant string, messages []string) (map[string]seal.Key, error)
	StaffMail(ctx context.Context, token, tenant string, persons []string) (map[string]string, error)

	PasskeyService
	SessionService
	RoleService

	// Access log.
	OpenLog(ctx context.Context, token, day string, boxes, ads [][]byte, ground, reason string) ([]seal.Key, error)

	AccountService
	ModuleService
	EvidenceService
}

var _ Service = (*Vault)(nil)

// Argon are the cost parameters of argon2id for new passwords. One lane is used.
type Argon struct {
	MemoryKiB uint32 // 64 MiB by default
	Time      uint32 // 3 by default
}

// Config of a vault. Only Dir is required.
type Config struct {
	Dir string           // holds vault.db and root.key; created with mode 0700
	Now func() time.Time // the clock; required
	Log *slog.Logger     // ids and kinds only

	Argon        Argon
	SignInQueue  int           // how many sign-ins may wait for one of the two argon2 slots; 32
	OpensPerHour int           // threads that a person opens in an hour; 300
	LogDays      int           // days after which a log day's private key is destroyed; 30
	EvidenceDays int           // days after which an evidence day's private key is destroyed; 90
	AuditDays    int           // days that audit rows and disabled staff stay; 365
	FourEyes     bool          // a membership needs an administrator and a second person
	Housekeeping time.Duration // how often Run does its rounds; 10 minutes
}

func (c *Config) defaults() error {
	if c.Dir == "" || c.Now == nil {
		return refuse("config needs Dir and Now")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	set := func(p *int, v int) {
		if *p == 0 {
			*p = v
		}
	}
	set(&c.SignInQueue, 32)
	set(&c.OpensPerHour, 300)
	set(&c.LogDays, 30)
	set(&c.EvidenceDays, 90)
	set(&c.AuditDays, 365)
	if c.Argon.MemoryKiB == 0 {
		c.Argon.MemoryKiB = 64 << 10
	}
	if c.Argon.Time == 0 {
		c.Argon.Time = 3
	}
	if c.Housekeeping == 0 {
		c.Housekeeping = 10 * time.Minute
	}
	if c.LogDays < 1 || c.EvidenceDays < 1 || c.AuditDays < 1 || c.OpensPerHour < 1 || c.SignInQueue < 1 || c.Housekeeping < 0 {
		return refuse("config: periods and limits must be positive")
	}
	return nil
}

// Vault is the key service in process. Its methods may be called at the same time.
type Vault struct {
	cfg    Config
	db     *db.DB
	keys   rootKeys
	lock   *os.File
	closed atomic.Bool
	grants grants
	slow   slowdown
	argon  chan struct{} // two slots
	queued atomic.Int64
	spent  spent
	dummy  []byte // PHC string that no password matches

	passkeys ceremonies
	handed   sync.Map // rowID of tenant and module -> true, for the module keys whose hand-out stands in the audit

	dayMu sync.Mutex
	days  map[string]seal.Private // opened intake day keys; dropped when destroyed
}

// Open opens or creates the vault in cfg.Dir and starts nothing. It refuses with a *Refusal, whose text is for the person at the
// console, when the root key is missing although a store exists, may be read by others or belongs to another store.
func Open(ctx context.Context, cfg Config) (*Vault, error) {
	if err := cfg.defaults(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("vault: open: %w", err)
	}
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("vault: open: %w", err)
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	v, err := open(ctx, cfg, dir)
	if err != nil {
		lock.Close()
		return nil, err
	}
	v.lock = lock
	return v, nil
}

func open(ctx context.Context, cfg Config, dir string) (*Vault, error) {
	root, err := loadRoot(dir)
	if err != nil {
		return nil, err
	}
	v := &Vault{cfg: cfg, keys: derive(root), argon: make(chan struct{}, 2), days: map[string]seal.Private{}}
	root = seal.Key{}
	if v.dummy, err = hashPassword("no password at all", cfg.Argon); err != nil {
		return nil, err
	}
	if commonPasswords() == "" {
		cfg.Log.WarnContext(ctx, "vault: built without the list of common passwords; run dev/assets before building")
	}
	v.grants.init(cfg.Now)
	v.slow.init(cfg.Now)
	v.passkeys.init()
	v.db, err = db.Open(ctx, db.Config{URL: "sqlite:" + filepath.Join(dir, storeName), Now: cfg.Now, Log: cfg.Log})
	if err != nil {
		return nil, fmt.Errorf("vault: open: %w", err)
	}
	err = v.db.Migrate(ctx, Migrations())
	if err == nil {
		err = checkRoot(ctx, v.db, v.keys)
	}
	if err == nil {
		err = v.Housekeep(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, v.db.Close())
	}
	return v, nil
}

// Close ends all grants and closes the store. Methods called later return fault.Unavailable.
func (v *Vault) Close() error {
	if v.closed.Swap(true) {
		return nil
	}
	v.grants.clear()
	v.dayMu.Lock()
	clear(v.days)
	v.dayMu.Unlock()
	return errors.Join(v.db.Close(), v.lock.Close())
}

// Run does the housekeeping at intervals until ctx ends, and returns nil then.
func (v *Vault) Run(ctx context.Context) error {
	t := time.NewTicker(v.cfg.Housekeeping)
	defer t.Stop()
	for {
		if err := v.Housekeep(ctx); err != nil && ctx.Err() == nil {
			v.cfg.Log.ErrorContext(ctx, "vault: housekeeping", "kind", fault.KindOf(err).Error())
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

// Housekeep publishes the coming day keys and destroys and removes what is due: day keys, tombstones, log keys, old audit rows,
// disabled staff. It is idempotent.
func (v *Vault) Housekeep(ctx context.Context) error {
	v.grants.sweep()
	v.slow.sweep()
	v.passkeys.sweep(v.cfg.Now())
	var destroyed, overdue []string
	err := v.update(ctx, "housekeeping", func(tx *db.Tx) error {
		if err := v.publishDays(ctx, tx); err != nil {
			return err
		}
		var err error
		if destroyed, err = v.expireDays(ctx, tx); err != nil {
			return err
		}
		if overdue, err = overdueDays(ctx, tx); err != nil {
			return err
		}
		if err := deleteTombstones(ctx, tx, tx.Now.Add(-tombstoneFloor)); err != nil {
			return err
		}
		if err := deleteExpiredRequests(ctx, tx); err != nil {
			return err
		}
		if err := deleteLapsedEvidence(ctx, tx); err != nil {
			return err
		}
		if err := deleteEndedSubstitutions(ctx, tx); err != nil {
			return err
		}
		cutoff := tx.Now.AddDate(0, 0, -v.cfg.AuditDays)
		if err := v.pruneAudit(ctx, tx, cutoff); err != nil {
			return err
		}
		return deleteDisabledStaff(ctx, tx, cutoff)
	})
	if err != nil {
		return err
	}
	v.forgetDays(destroyed)
	// Deleted wraps are overwritten in the file at once, but their older pages stand in the write-ahead log until it is emptied.
	if err := v.db.Scrub(ctx); err != nil {
		v.cfg.Log.WarnContext(ctx, "vault: write-ahead log not emptied", "kind", fault.KindOf(err).Error())
	}
	for _, day := range overdue {
		v.cfg.Log.WarnContext(ctx, "vault: day key waits for its queue to be drained", "day", day)
	}
	return nil
}

// spent counts what calls cost, so that a test can hold those with known and unknown names against each other.
type spent struct{ hashes, reads, writes atomic.Int64 }

// update and view add what every method needs: the closed check and the operation's name.
func (v *Vault) update(ctx context.Context, op string, fn func(*db.Tx) error) error {
	v.spent.writes.Add(1)
	if v.closed.Load() {
		return gone(op)
	}
	if err := v.db.Update(ctx, fn); err != nil {
		return fmt.Errorf("vault: %s: %w", op, err)
	}
	return nil
}

func (v *Vault) view(ctx context.Context, op string, fn func(*db.Tx) error) error {
	v.spent.reads.Add(1)
	if v.closed.Load() {
		return gone(op)
	}
	if err := v.db.View(ctx, fn); err != nil {
		return fmt.Errorf("vault: %s: %w", op, err)
	}
	return nil
}

func gone(op string) error { return fmt.Errorf("vault: %s: closed: %w", op, fault.Unavailable) }
