package vault

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"

	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/seal"
)

// maxDrafts bounds the saved drafts of one account.
const maxDrafts = 50

// holdingID names the tombstone of a thread that an account let go, without telling the account or the thread.
func holdingID(account, thread string) string {
	sum := sha256.Sum256([]byte(canonical("poststelle/vault/holding/1", account, thread)))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func (v *Vault) unwrapAccount(wrapped []byte, account string) (seal.Key, error) {
	a, err := seal.Unwrap(v.keys.account, wrapped, accountAD(account))
	if err != nil {
		return seal.Key{}, fmt.Errorf("key of account %s: %w", account, err)
	}
	return a, nil
}

// holder resolves the token of a citizen who may have threads with the tenant; with any other one there is nothing of theirs.
func (v *Vault) holder(token, tenant string) (*grant, error) {
	g, err := v.account(token)
	if err == nil && !realmHolds(g.realm, tenant) {
		err = fault.NotFound
	}
	return g, err
}

// accountKey reads and unwraps A, fault.Denied when the account was deleted meanwhile.
func (v *Vault) accountKey(ctx context.Context, tx *db.Tx, g *grant) (seal.Key, error) {
	row, err := v.accountOf(ctx, tx, g)
	if err != nil {
		return seal.Key{}, err
	}
	return v.unwrapAccount(row.wrapped, row.id)
}

// AccountCards returns the keys of the cards of at most 200 messages of the tenant that lie in the person's mailbox; the others are
// left out. Lists are not audited; content is.
func (v *Vault) AccountCards(ctx context.Context, token, tenant string, messages []string) (map[string]seal.Key, error) {
	g, err := v.holder(token, tenant)
	if err != nil {
		return nil, fmt.Errorf("vault: account cards: %w", err)
	}
	if len(messages) > maxBatch {
		return nil, fmt.Errorf("vault: account cards: %d messages: %w", len(messages), fault.TooLarge)
	}
	var rows []heldRow
	err = v.view(ctx, "account cards", func(tx *db.Tx) error {
		if err := v.stillThere(ctx, tx, g); err != nil || len(messages) == 0 {
			return err
		}
		var err error
		rows, err = selectHeldKeys(ctx, tx, g.person, tenant, messages)
		return err
	})
	if err != nil {
		return nil, err
	}
	return v.unwrapHeld(rows, g.person, tenant, "card")
}

// AccountOpen returns the keys K of messages of one thread of the person's mailbox, at most 200. Messages that are unknown, or not of
// that thread, are left out. A thread that the account does not hold is fault.NotFound. One audit row is written in the same
// transaction; it does not say which account it was.
func (v *Vault) AccountOpen(ctx context.Context, token, tenant, thread string, messages []string) (map[string]seal.Key, error) {
	g, err := v.holder(token, tenant)
	if err != nil {
		return nil, fmt.Errorf("vault: account open thread %s: %w", thread, err)
	}
	if len(messages) > maxBatch {
		return nil, fmt.Errorf("vault: account open thread %s: %d messages: %w", thread, len(messages), fault.TooLarge)
	}
	var rows []heldRow
	err = v.update(ctx, "account open", func(tx *db.Tx) error {
		rows = nil
		if err := v.stillThere(ctx, tx, g); err != nil {
			return err
		}
		mine, err := holds(ctx, tx, g.person, tenant, thread)
		if err == nil && !mine {
			err = fmt.Errorf("thread %s: %w", thread, fault.NotFound)
		}
		if err != nil || len(messages) == 0 {
			return err
		}
		if rows, err = selectHeldThread(ctx, tx, g.person, tenant, thread, messages); err != nil || len(rows) == 0 {
			return err
		}
		return v.audit(ctx, tx, entry{tenant: tenant, person: auditAccount, action: actionAccountOpen, thread: thread, items: len(rows), purpose: "own"})
	})
	if err != nil {
		return nil, err
	}
	return v.unwrapHeld(rows, g.person, tenant, "")
}

// unwrapHeld goes down A, T, K for each row, as unwrapAll does on the side of the authority.
func (v *Vault) unwrapHeld(rows []heldRow, account, tenant, part string) (map[string]seal.Key, error) {
	out := make(map[string]seal.Key, len(rows))
	if len(rows) == 0 {
		return out, nil
	}
	a, err := v.unwrapAccount(rows[0].a, account)
	if err != nil {
		return nil, fmt.Errorf("vault: %w", err)
	}
	threads := map[string]seal.Key{}
	for _, r := range rows {
		t, ok := threads[r.thread]
		if !ok {
			if t, err = seal.Unwrap(a, r.t, accountThreadAD(account, tenant, r.thread)); err != nil {
				return nil, fmt.Errorf("vault: key of thread %s for account %s: %w", r.thread, account, err)
			}
			threads[r.thread] = t
		}
		k, err := seal.Unwrap(t, r.k, messageAD(tenant, r.thread, r.message))
		if err != nil {
			return nil, fmt.Errorf("vault: key of message %s: %w", r.message, err)
		}
		if part != "" {
			k = k.Derive(part)
		}
		out[r.message] = k
	}
	return out, nil
}

// Adopt puts the thread of a collection code into the person's mailbox and returns its id. The code is the proof: whoever has it may
// hold the thread, several accounts too, and it goes on working. An unknown code, one of another tenant and one that is no code at
// all are fault.NotFound and cost the same. It is idempotent, also after LetGo.
func (v *Vault) Adopt(ctx context.Context, token, tenant string, code seal.Code) (thread string, err error) {
	g, err := v.account(token)
	if err != nil {
		return "", fmt.Errorf("vault: adopt: %w", err)
	}
	hash, kek := lookupHash(tenant, code.LookupID()), code.WrapKey()
	err = v.update(ctx, "adopt", func(tx *db.Tx) error {
		a, err := v.accountKey(ctx, tx, g)
		if err != nil {
			return err
		}
		c, found, _, err := collect(ctx, tx, tenant, hash)
		if err != nil {
			return err
		}
		t, err := seal.Unwrap(kek, c.WrappedT, codeAD(tenant, c.Thread))
		if err != nil || !found || !realmHolds(g.realm, tenant) {
			return fault.NotFound
		}
		thread = c.Thread
		mine, err := holds(ctx, tx, g.person, tenant, thread)
		if err != nil || mine {
			return err
		}
		if err := putHolding(ctx, tx, g.person, tenant, thread, seal.Wrap(a, t, accountThreadAD(g.person, tenant, thread))); err != nil {
			return err
		}
		return v.audit(ctx, tx, entry{tenant: tenant, person: auditAccount, action: actionAdopt, thread: thread, items: 1})
	})
	if err != nil {
		return "", err
	}
	return thread, nil
}

// LetGo takes a thread out of the person's mailbox: the wrap of its key goes, also of one whose first letter is still on its way.
// The authority keeps the thread, and a collection code goes on working; without one the person does not come back. It is
// idempotent, and a thread that never was there is fine.
func (v *Vault) LetGo(ctx context.Context, token, tenant, thread string) error {
	g, err := v.holder(token, tenant)
	if err != nil {
		return fmt.Errorf("vault: let go thread %s: %w", thread, err)
	}
	if thread == "" || len(thread) > maxID {
		return fmt.Errorf("vault: let go: thread id: %w", fault.Invalid)
	}
	return v.update(ctx, "let go", func(tx *db.Tx) error {
		if err := v.stillThere(ctx, tx, g); err != nil {
			return err
		}
		n, err := deleteHolding(ctx, tx, g.person, tenant, thread)
		if err != nil {
			return err
		}
		if n > 0 {
			return v.audit(ctx, tx, entry{tenant: tenant, person: auditAccount, action: actionLetGo, thread: thread, items: 1})
		}
		switch _, err := selectThread(ctx, tx, tenant, thread); {
		case err == nil:
			return nil // it is here and not theirs
		case !errors.Is(err, fault.NotFound):
			return err
		}
		if err := tenantExists(ctx, tx, tenant); err != nil {
			return err
		}
		return insertTombstone(ctx, tx, tombstoneID{tenant, kindHolding, holdingID(g.person, thread)}, lastDay(tx))
	})
}

// Begin draws the keys of a thread that the authority begins with a citizen: K of its first message, T for the mailbox and for every
// account that holds the thread from. staffToken is that of a member of both mailboxes, that of the new thread and that in which from
// lies. Threads without an account that holds them are fault.Conflict, as are ids in use otherwise or deleted. Repeating the call
// with the same values returns the same key to the same person.
func (v *Vault) Begin(ctx context.Context, staffToken, tenant, mailbox, from, thread, message string) (seal.Key, error) {
	g, err := v.person(staffToken, tenant)
	if err != nil {
		return seal.Key{}, fmt.Errorf("vault: begin thread %s: %w", thread, err)
	}
	for _, id := range []string{thread, message} {
		if id == "" || len(id) > maxID {
			return seal.Key{}, fmt.Errorf("vault: begin thread %s: ids: %w", thread, fault.Invalid)
		}
	}
	var k seal.Key
	err = v.update(ctx, "begin", func(tx *db.Tx) error {
		if _, err := memberThread(ctx, tx, tenant, g.person, from); err != nil {
			return err
		}
		if err := memberOf(ctx, tx, tenant, g.person, mailbox); err != nil {
			return err
		}
		var again bool
		if k, again, err = v.begun(ctx, tx, g, rowID{tenant, thread}, message); err != nil || again {
			return err
		}
		holders, err := selectHolders(ctx, tx, tenant, from)
		if err == nil && len(holders) == 0 {
			err = fmt.Errorf("no account holds thread %s: %w", from, fault.Conflict)
		}
		if err != nil {
			return err
		}
		if k, err = v.putBegun(ctx, tx, g, rowID{tenant, thread}, mailbox, message, holders); err != nil {
			return err
		}
		return v.audit(ctx, tx, entry{tenant: tenant, person: g.person, action: actionBegin, thread: thread, object: message, items: len(holders)})
	})
	if err != nil {
		return seal.Key{}, err
	}
	return k, nil
}

// begun finds the outcome of an earlier call of Begin. Anything else with these ids is fault.Conflict.
func (v *Vault) begun(ctx context.Context, tx *db.Tx, g *grant, id rowID, message string) (k seal.Key, again bool, err error) {
	for _, t := range []tombstoneID{{id.tenant, kindThread, id.id}, {id.tenant, kindMessage, message}} {
		dead, err := isTombstone(ctx, tx, t.tenant, t.kind, t.id)
		if err == nil && dead {
			err = fmt.Errorf("%s %s was deleted: %w", t.kind, t.id, fault.Conflict)
		}
		if err != nil {
			return k, false, err
		}
	}
	old, err := selectMessage(ctx, tx, id.tenant, message)
	switch {
	case err == nil && (old.thread != id.id || old.author != g.person || old.day != ""):
		return k, false, fmt.Errorf("message %s exists: %w", message, fault.Conflict)
	case err == nil:
		row, err := memberThread(ctx, tx, id.tenant, g.person, id.id)
		if err != nil {
			return k, false, err
		}
		t, err := v.threadKey(ctx, tx, id.tenant, id.id, row)
		if err != nil {
			return k, false, err
		}
		k, err = seal.Unwrap(t, old.wrapped, messageAD(id.tenant, id.id, message))
		return k, err == nil, err
	case !errors.Is(err, fault.NotFound):
		return k, false, err
	}
	switch _, err := selectThread(ctx, tx, id.tenant, id.id); {
	case err == nil:
		return k, false, fmt.Errorf("thread %s exists: %w", id.id, fault.Conflict)
	case !errors.Is(err, fault.NotFound):
		return k, false, err
	}
	return k, false, nil
}

func (v *Vault) putBegun(ctx context.Context, tx *db.Tx, g *grant, id rowID, mailbox, message string, holders []accountRow) (k seal.Key, err error) {
	m, err := v.mailboxKey(ctx, tx, id.tenant, mailbox)
	if err != nil {
		return k, err
	}
	t := seal.NewKey()
	row := threadRow{mailbox: mailbox, wrapped: seal.Wrap(m, t, threadAD(id.tenant, mailbox, id.id))}
	if err := insertThread(ctx, tx, id.tenant, id.id, row, ""); err != nil {
		return k, err
	}
	for _, h := range holders {
		a, err := v.unwrapAccount(h.wrapped, h.id)
		if err != nil {
			return k, err
		}
		if err := putHolding(ctx, tx, h.id, id.tenant, id.id, seal.Wrap(a, t, accountThreadAD(h.id, id.tenant, id.id))); err != nil {
			return k, err
		}
	}
	k = seal.NewKey()
	return k, insertMessage(ctx, tx, messageRow{tenant: id.tenant, id: message, thread: id.id, author: g.person,
		wrapped: seal.Wrap(t, k, messageAD(id.tenant, id.id, message))})
}

// DraftKey returns the key of a saved draft of the account and makes it when it is missing. An account has at most 50 drafts
// (fault.Conflict).
func (v *Vault) DraftKey(ctx context.Context, token, draft string) (seal.Key, error) {
	g, err := v.account(token)
	if err != nil {
		return seal.Key{}, fmt.Errorf("vault: draft %s: %w", draft, err)
	}
	if draft == "" || len(draft) > maxID {
		return seal.Key{}, fmt.Errorf("vault: draft: id: %w", fault.Invalid)
	}
	var k seal.Key
	err = v.update(ctx, "draft key", func(tx *db.Tx) error {
		a, err := v.accountKey(ctx, tx, g)
		if err != nil {
			return err
		}
		old, err := selectDraft(ctx, tx, g.person, draft)
		if err == nil {
			k, err = seal.Unwrap(a, old, draftAD(g.person, draft))
			return err
		}
		if !errors.Is(err, fault.NotFound) {
			return err
		}
		n, err := countDrafts(ctx, tx, g.person)
		if err == nil && n >= maxDrafts {
			err = fault.With(fault.Conflict, "vault.account.drafts", "max", maxDrafts)
		}
		if err != nil {
			return err
		}
		k = seal.NewKey()
		return insertDraft(ctx, tx, g.person, draft, seal.Wrap(a, k, draftAD(g.person, draft)))
	})
	if err != nil {
		return seal.Key{}, err
	}
	return k, nil
}

// DropDrafts destroys the keys of at most 200 drafts: of the person whose token it is, or of anybody with the service token
// "retention". It is idempotent.
func (v *Vault) DropDrafts(ctx context.Context, token string, drafts []string) error {
	g, err := v.grant(token)
	if err == nil && !g.citizen() && g.service != ServiceRetention {
		err = fault.Denied
	}
	if err != nil {
		return fmt.Errorf("vault: drop drafts: %w", err)
	}
	if len(drafts) > maxBatch {
		return fmt.Errorf("vault: drop drafts: %d drafts: %w", len(drafts), fault.TooLarge)
	}
	if len(drafts) == 0 {
		return nil
	}
	return v.update(ctx, "drop drafts", func(tx *db.Tx) error {
		if g.citizen() {
			return deleteDrafts(ctx, tx, g.person, drafts)
		}
		return deleteAnyDrafts(ctx, tx, drafts)
	})
}
