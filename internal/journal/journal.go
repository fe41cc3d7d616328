// Package journal is the append-only record: who did what to whose data.
//
// # What it keeps true
//
//   - An entry is written in the transaction of the deed ([Record]): both
//     happen, or neither. It is one insert and waits for nobody.
//   - Within seconds a job ([Chain.Extend]) puts new entries of each tenant in
//     a row and chains them: hash = SHA-256(previous hash, number, id, times,
//     actor, action, object, commitment). [Chain.Verify] then finds an entry
//     that was changed, removed, exchanged or slipped in.
//   - What may have to be forgotten can be: detail and reason are in the chain
//     only as a commitment, SHA-256(salt, payload). [Blank] removes payload and
//     salt; the chain still holds, and without the salt nobody can find the
//     payload by guessing. Each blanking is an entry itself and Verify asks
//     for it, so that blanking is no way to hide.
//   - Old entries leave from the oldest on ([Chain.Expire]); that, too, is an
//     entry, and it holds the number and hash at which the chain now begins.
//
// The order of the chain is that in which the job found the entries. On
// PostgreSQL a transaction that began earlier may be committed later, so the
// number does not follow the time of the entry; both are in the hash, together
// with the time of chaining.
//
// # What it does not do
//
// Between commit and chaining an entry is not protected. Whoever can write to
// the database and reckons the whole chain anew, heads included, is found only
// against a [Head] kept elsewhere: print it, mail it, and hand it to Verify.
//
// # Words
//
// Actor, action, object and the values of detail are ids and enumerated words.
// The keys of detail are a closed list, see [Key]. Free text is allowed only
// under [Reason], which can be blanked.
package journal

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"poststelle/internal/db"
	"poststelle/internal/fault"
)

const (
	// Reason is the only key of detail that takes free text, up to 2,000
	// bytes.
	Reason = "reason"

	maxReason = 2000
	saltSize  = 16

	actionBlanked = "journal.blanked"
	actionExpired = "journal.expired"
)

// Key reports whether name may be a key of detail. A new key is added here,
// where it is seen: a key is a promise that its values are ids or enumerated
// words.
func Key(name string) bool {
	switch name {
	case Reason,
		"from", "to", "tenant", "department", "mailbox", "thread", "message", "file", "case",
		"person", "staff", "session", "job", "topic", "banner", "notice", "slug", "setting",
		"role", "state", "kind", "class", "scope", "channel", "method",
		"rule", "version", "ground", "norm", "basis", "purpose", "category",
		"count", "size", "until", "due", "day", "seq", "hash":
		return true
	}
	return false
}

// Entry is one deed.
type Entry struct {
	Tenant string
	// Actor is "staff:ID", "citizen", "job:KIND" or "cli".
	Actor string
	// Action is the verb, such as "mailbox.forward".
	Action string
	// Object is the id of what was acted upon.
	Object string
	// Detail holds ids and enumerated words under the keys of [Key], and free
	// text under Reason.
	Detail map[string]string
}

// Item is an entry as it is read back.
type Item struct {
	Entry
	ID string
	At time.Time
	// Blanked says that detail and reason were removed.
	Blanked bool
}

// Record writes e within tx. A malformed entry is a mistake of the caller and
// fault.Internal: the deed must not happen unrecorded.
func Record(ctx context.Context, tx *db.Tx, e Entry) error {
	_, err := record(ctx, tx, e)
	return err
}

func record(ctx context.Context, tx *db.Tx, e Entry) (id string, err error) {
	if err := e.check(); err != nil {
		return "", err
	}
	r := entry{
		id: rand.Text(), tenant: e.Tenant, at: db.Millis(tx.Now),
		actor: e.Actor, action: e.Action, object: e.Object,
		salt: make([]byte, saltSize),
	}
	rand.Read(r.salt)
	r.detail, r.reason = split(e.Detail)
	r.commitment = commit(r.salt, *r.detail, *r.reason)
	if err := insert(ctx, tx, r); err != nil {
		return "", fmt.Errorf("journal: record %s: %w", e.Action, err)
	}
	return r.id, nil
}

// check names the field at fault, never its value.
func (e Entry) check() error {
	actor := e.Actor == "citizen" || e.Actor == "cli" ||
		prefixed(e.Actor, "staff:") || prefixed(e.Actor, "job:")
	switch {
	case !plain(e.Tenant, 1):
		return fmt.Errorf("journal: record: malformed tenant: %w", fault.Internal)
	case !actor:
		return fmt.Errorf("journal: record: malformed actor: %w", fault.Internal)
	case !plain(e.Action, 1):
		return fmt.Errorf("journal: record: malformed action: %w", fault.Internal)
	case !plain(e.Object, 0):
		return fmt.Errorf("journal: record %s: malformed object: %w", e.Action, fault.Internal)
	}
	for k, v := range e.Detail {
		if !Key(k) {
			return fmt.Errorf("journal: record %s: unknown key of detail: %w", e.Action, fault.Internal)
		}
		if k == Reason {
			if len(v) > maxReason || !utf8.ValidString(v) || strings.ContainsRune(v, 0) {
				return fmt.Errorf("journal: record %s: malformed reason: %w", e.Action, fault.Invalid)
			}
		} else if !plain(v, 0) {
			return fmt.Errorf("journal: record %s: value of %s is no id and no word: %w", e.Action, k, fault.Internal)
		}
	}
	return nil
}

func prefixed(s, prefix string) bool {
	rest, ok := strings.CutPrefix(s, prefix)
	return ok && plain(rest, 1)
}

// plain reports whether s consists of at least least, and at most 200,
// characters that occur in ids.
func plain(s string, least int) bool {
	if len(s) < least || len(s) > 200 {
		return false
	}
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			c == ':', c == '_', c == '.', c == '-', c == '/', c == ',':
		default:
			return false
		}
	}
	return true
}

// List returns the newest entries about an object, newest first, at most
// limit.
func List(ctx context.Context, tx *db.Tx, tenant, object string, limit int) ([]Item, error) {
	items, err := list(ctx, tx, tenant, object, limit)
	if err != nil {
		return nil, fmt.Errorf("journal: list: %w", err)
	}
	return items, nil
}

// Blank removes detail and reason of one entry, and records that actor did so.
// An entry of another tenant is fault.NotFound; one that is blank already is
// left as it is. Entries of the journal about itself cannot be blanked:
// fault.Denied.
func Blank(ctx context.Context, tx *db.Tx, tenant, actor, id string) error {
	action, blanked, err := lookUp(ctx, tx, tenant, id)
	if err == nil && own(action) {
		err = fault.Denied
	}
	if err != nil || blanked {
		return wrap("journal: blank", err)
	}
	by, err := record(ctx, tx, Entry{Tenant: tenant, Actor: actor, Action: actionBlanked, Object: id})
	if err != nil {
		return err
	}
	return wrap("journal: blank", blank(ctx, tx, tenant, id, by))
}

// BlankObject blanks all entries about an object, as its erasure demands, and
// returns how many there were. It writes one record, which names the object.
func BlankObject(ctx context.Context, tx *db.Tx, tenant, actor, object string) (int, error) {
	any, err := blankable(ctx, tx, tenant, object)
	if err != nil || !any {
		return 0, wrap("journal: blank object", err)
	}
	by, err := record(ctx, tx, Entry{Tenant: tenant, Actor: actor, Action: actionBlanked, Object: object})
	if err != nil {
		return 0, err
	}
	n, err := blankObject(ctx, tx, tenant, object, by)
	return n, wrap("journal: blank object", err)
}

// own reports whether an action is one of the journal about itself.
func own(action string) bool { return action == actionBlanked || action == actionExpired }

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}
