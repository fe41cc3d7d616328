package vault

import (
	"bytes"
	"context"
	"crypto/hmac"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"time"

	"poststelle/internal/db"
	"poststelle/internal/fault"
)

// ErrAudit says that the audit chain is broken: a row was changed, removed or put in, or the store was rolled back in part.
var ErrAudit = errors.New("vault: audit chain is broken")

// openWindow is the time over which content opens are counted.
const openWindow = time.Hour

// Audited actions.
const (
	actionOpen     = "open"
	actionAnswer   = "answer"
	actionForward  = "forward"
	actionDrop     = "drop"
	actionShred    = "shred"
	actionContact  = "contact"
	actionMail     = "staff.mail"
	actionSignIn   = "sign-in"
	actionAdd      = "staff.add"
	actionPassword = "staff.password"
	actionFactor   = "staff.factor"
	actionDisable  = "staff.disable"
	actionSessions = "staff.sessions"
	actionPropose  = "member.propose"
	actionJoin     = "member.join"
	actionLeave    = "member.leave"
	actionLog      = "log.open"

	actionPasskeyAdd    = "passkey.add"
	actionPasskeyRemove = "passkey.remove"
	actionProve         = "prove"
	actionRole          = "staff.role"
	actionRefuse        = "member.refuse"
	actionStandInAsk    = "substitute.propose"
	actionStandIn       = "substitute.begin"
	actionStandInEnd    = "substitute.end"
	actionAuditRead     = "audit.read"
	actionBegin         = "begin"
)

// Audited actions around accounts. None of their rows says which account it was.
const (
	actionAccountOpen   = "account.open"
	actionAdopt         = "account.adopt"
	actionLetGo         = "account.letgo"
	actionAccountNew    = "account.new"
	actionAccountIn     = "account.sign-in"
	actionAccountChange = "account.change" // purpose says what
	actionAccountDelete = "account.delete"
	actionAccountMail   = "account.mail"
)

// entry is one audit row before it is chained. It holds ids and words from fixed lists; reason is free text and is sealed.
type entry struct {
	tenant, person, action, thread, object, purpose string
	items                                           int
	reason                                          string
}

type auditRow struct {
	seq    int64
	at     int64
	e      entry
	sealed []byte
	hash   []byte
}

// chainHash covers the row before and all columns of this one. The key is derived from the root key, so nobody who can write the
// file can write a valid row.
func (v *Vault) chainHash(prev []byte, r auditRow) []byte {
	return mac(v.keys.audit, canonical("row", string(prev), strconv.FormatInt(r.seq, 10), strconv.FormatInt(r.at, 10), r.e.tenant, r.e.person,
		r.e.action, r.e.thread, r.e.object, strconv.Itoa(r.e.items), r.e.purpose, string(r.sealed)))
}

// anchor is a point of the chain: the sequence number and hash of a row, with a MAC of its own. "head" is the newest row, "base" the
// one before the oldest.
type anchor struct {
	seq  int64
	hash []byte
}

func (v *Vault) anchorMAC(name string, a anchor) []byte {
	return mac(v.keys.audit, canonical(name, strconv.FormatInt(a.seq, 10), string(a.hash)))
}

func (v *Vault) getAnchor(ctx context.Context, tx *db.Tx, name string) (anchor, error) {
	raw, err := getMeta(ctx, tx, "audit_"+name)
	if errors.Is(err, fault.NotFound) {
		return anchor{}, nil
	}
	if err != nil {
		return anchor{}, err
	}
	if len(raw) != 8+64 {
		return anchor{}, fmt.Errorf("%s: %w", name, ErrAudit)
	}
	a := anchor{seq: int64(binary.BigEndian.Uint64(raw)), hash: bytes.Clone(raw[8:40])}
	if !hmac.Equal(raw[40:], v.anchorMAC(name, a)) {
		return anchor{}, fmt.Errorf("%s: %w", name, ErrAudit)
	}
	return a, nil
}

func (v *Vault) putAnchor(ctx context.Context, tx *db.Tx, name string, a anchor) error {
	raw := binary.BigEndian.AppendUint64(nil, uint64(a.seq))
	raw = append(raw, a.hash...)
	return putMeta(ctx, tx, "audit_"+name, append(raw, v.anchorMAC(name, a)...))
}

// audit appends a row in the caller's transaction: what is not audited does not happen.
func (v *Vault) audit(ctx context.Context, tx *db.Tx, e entry) error {
	head, err := v.getAnchor(ctx, tx, "head")
	if err != nil {
		return err
	}
	r := auditRow{seq: head.seq + 1, at: db.Millis(tx.Now), e: e, sealed: []byte{}}
	if e.reason != "" {
		r.sealed = v.keys.seal([]byte(e.reason), "audit", strconv.FormatInt(r.seq, 10))
	}
	r.hash = v.chainHash(head.hash, r)
	if err := insertAudit(ctx, tx, r); err != nil {
		return err
	}
	return v.putAnchor(ctx, tx, "head", anchor{seq: r.seq, hash: r.hash})
}

// VerifyAudit checks the whole chain, ErrAudit if it does not hold.
func (v *Vault) VerifyAudit(ctx context.Context) error {
	return v.view(ctx, "verify audit", func(tx *db.Tx) error {
		at, err := v.getAnchor(ctx, tx, "base")
		if err != nil {
			return err
		}
		head, err := v.getAnchor(ctx, tx, "head")
		if err != nil {
			return err
		}
		for {
			rows, err := selectAuditAfter(ctx, tx, at.seq)
			if err != nil {
				return err
			}
			for _, r := range rows {
				if r.seq != at.seq+1 || !hmac.Equal(r.hash, v.chainHash(at.hash, r)) {
					return fmt.Errorf("row %d: %w", r.seq, ErrAudit)
				}
				at = anchor{seq: r.seq, hash: r.hash}
			}
			if len(rows) == 0 {
				break
			}
		}
		if at.seq != head.seq || !bytes.Equal(at.hash, head.hash) {
			return fmt.Errorf("row %d is not the newest: %w", at.seq, ErrAudit)
		}
		return nil
	})
}

// pruneAudit removes the rows before the first one that is young enough, and moves the base.
func (v *Vault) pruneAudit(ctx context.Context, tx *db.Tx, cutoff time.Time) error {
	last, hash, err := selectPrunable(ctx, tx, cutoff)
	if errors.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := v.putAnchor(ctx, tx, "base", anchor{seq: last, hash: hash}); err != nil {
		return err
	}
	return deleteAuditUpTo(ctx, tx, last)
}

// Read is one opening of a thread's messages.
type Read struct {
	At      time.Time
	Person  string // id, or "service:" and a name
	Action  string // "open" or "contact"
	Purpose string
	Items   int
}

// Reads lists who opened the messages of a thread, newest first, at most 200: what a citizen may ask for (Art. 15 GDPR).
func (v *Vault) Reads(ctx context.Context, tenant, thread string) ([]Read, error) {
	var out []Read
	err := v.view(ctx, "reads", func(tx *db.Tx) error {
		var err error
		out, err = selectReads(ctx, tx, tenant, thread)
		return err
	})
	return out, err
}
