package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/seal"
)

// Kinds of tombstones.
const (
	kindMessage = "message"
	kindThread  = "thread"
	kindHolding = "holding" // a thread that its account let go before its box had arrived
)

// maxBatch bounds the messages of one call.
const maxBatch = 200

// CardKeys returns the keys of the cards (K.Derive("card")) of at most 200 messages. Messages that are unknown or lie in mailboxes
// the person is no member of are left out. Lists are not audited; content is.
func (v *Vault) CardKeys(ctx context.Context, token, tenant string, messages []string) (map[string]seal.Key, error) {
	g, err := v.person(token, tenant)
	if err != nil {
		return nil, fmt.Errorf("vault: card keys: %w", err)
	}
	if len(messages) > maxBatch {
		return nil, fmt.Errorf("vault: card keys: %d messages: %w", len(messages), fault.TooLarge)
	}
	var rows []keyRow
	if len(messages) > 0 {
		err = v.view(ctx, "card keys", func(tx *db.Tx) error {
			var err error
			rows, err = selectMemberKeys(ctx, tx, tenant, g.person, messages)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return v.unwrapAll(rows, tenant, "card")
}

// unwrapAll goes down M, T, K for each row. part selects a derived key; "" means K itself.
func (v *Vault) unwrapAll(rows []keyRow, tenant, part string) (map[string]seal.Key, error) {
	out := make(map[string]seal.Key, len(rows))
	threads := map[string]seal.Key{}
	mailboxes := map[string]seal.Key{}
	for _, r := range rows {
		t, ok := threads[r.thread]
		if !ok {
			m, ok := mailboxes[r.mailbox]
			var err error
			if !ok {
				if m, err = v.unwrapMailbox(r.m, tenant, r.mailbox); err != nil {
					return nil, fmt.Errorf("vault: %w", err)
				}
				mailboxes[r.mailbox] = m
			}
			if t, err = seal.Unwrap(m, r.t, threadAD(tenant, r.mailbox, r.thread)); err != nil {
				return nil, fmt.Errorf("vault: key of thread %s: %w", r.thread, err)
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

// Open returns the keys K of messages of one thread, at most 200. Messages that are unknown, or not of that thread, are left out.
// The person must be a member of the thread's mailbox now (else fault.NotFound), and stays under the hourly limit (fault.TooMany),
// which counts threads: reading one again, its next letter or its files, is ordinary work and costs nothing more.
// one audit row is written in the same transaction. With the service token "mailer" only answers by mail are opened.
func (v *Vault) Open(ctx context.Context, token, tenant, thread string, messages []string) (map[string]seal.Key, error) {
	if len(messages) > maxBatch {
		return nil, fmt.Errorf("vault: open thread %s: %d messages: %w", thread, len(messages), fault.TooLarge)
	}
	g, err := v.grant(token)
	if err != nil {
		return nil, fmt.Errorf("vault: open thread %s: %w", thread, err)
	}
	mailer := g.service == ServiceMailer
	if !mailer && (!g.staff() || g.tenant != tenant) {
		return nil, fmt.Errorf("vault: open thread %s: %w", thread, fault.NotFound)
	}
	var rows []keyRow
	err = v.update(ctx, "open thread", func(tx *db.Tx) error {
		rows = nil
		purpose := "read"
		if mailer {
			purpose = "mail"
		} else if _, err := memberThread(ctx, tx, tenant, g.person, thread); err != nil {
			return err
		}
		if len(messages) == 0 {
			return nil
		}
		var err error
		if rows, err = selectThreadKeys(ctx, tx, tenant, thread, messages, mailer); err != nil {
			return err
		}
		if len(rows) == 0 {
			return nil
		}
		if !mailer {
			used, again, err := countOpens(ctx, tx, tenant, g.person, thread, tx.Now.Add(-openWindow))
			if err != nil {
				return err
			}
			if !again && used >= v.cfg.OpensPerHour {
				return fmt.Errorf("thread %s: %d opened in the last hour: %w", thread, used, fault.TooMany)
			}
		}
		return v.audit(ctx, tx, entry{tenant: tenant, person: g.actor(), action: actionOpen, thread: thread, items: len(rows), purpose: purpose})
	})
	if err != nil {
		if errors.Is(err, fault.TooMany) {
			v.cfg.Log.WarnContext(ctx, "vault: hourly limit of opens reached", "tenant", tenant, "person", g.person)
		}
		return nil, err
	}
	return v.unwrapAll(rows, tenant, "")
}

// Collected is what a collection code finds. Only the code opens it.
type Collected struct {
	Tenant, Thread string
	WrappedT       []byte            // T under the code's wrap key
	Messages       map[string][]byte // K of each message, wrapped under T
}

// Keys opens all message keys with the code, seal.ErrForged if it is not the right one.
func (c Collected) Keys(code seal.Code) (map[string]seal.Key, error) {
	t, err := seal.Unwrap(code.WrapKey(), c.WrappedT, codeAD(c.Tenant, c.Thread))
	if err != nil {
		return nil, err
	}
	out := make(map[string]seal.Key, len(c.Messages))
	for id, wrapped := range c.Messages {
		if out[id], err = seal.Unwrap(t, wrapped, messageAD(c.Tenant, c.Thread, id)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Collect finds a thread by the lookup id of its collection code. For an unknown code it reads the rows of the neighbouring code
// with the same statements, throws them away and returns fault.NotFound, so that both answers cost the same.
func (v *Vault) Collect(ctx context.Context, tenant string, lookup []byte) (Collected, error) {
	hash := lookupHash(tenant, lookup)
	var c Collected
	var found bool
	err := v.view(ctx, "collect", func(tx *db.Tx) error {
		var err error
		c, found, _, err = collect(ctx, tx, tenant, hash)
		return err
	})
	if err != nil {
		return Collected{}, err
	}
	if !found {
		return Collected{}, fmt.Errorf("vault: collect: %w", fault.NotFound)
	}
	return c, nil
}

// Answer draws the key of a new message that staff write into a thread, and stores it. byMail marks the answer as one that the
// mailer may open. Repeating the call with the same values returns the same key to the same person while the message exists;
// an id in use otherwise, or deleted, is fault.Conflict.
func (v *Vault) Answer(ctx context.Context, token, tenant, thread, message string, byMail bool) (seal.Key, error) {
	g, err := v.person(token, tenant)
	if err != nil {
		return seal.Key{}, fmt.Errorf("vault: answer in thread %s: %w", thread, err)
	}
	if message == "" || len(message) > maxID {
		return seal.Key{}, fmt.Errorf("vault: answer in thread %s: message id: %w", thread, fault.Invalid)
	}
	var k seal.Key
	err = v.update(ctx, "answer", func(tx *db.Tx) error {
		row, err := memberThread(ctx, tx, tenant, g.person, thread)
		if err != nil {
			return err
		}
		t, err := v.threadKey(ctx, tx, tenant, thread, row)
		if err != nil {
			return err
		}
		dead, err := isTombstone(ctx, tx, tenant, kindMessage, message)
		if err != nil {
			return err
		}
		old, err := selectMessage(ctx, tx, tenant, message)
		switch {
		case dead:
			return fmt.Errorf("message %s was deleted: %w", message, fault.Conflict)
		case err == nil && old.thread == thread && old.author == g.person && old.byMail == byMail:
			k, err = seal.Unwrap(t, old.wrapped, messageAD(tenant, thread, message))
			return err
		case err == nil:
			return fmt.Errorf("message %s exists: %w", message, fault.Conflict)
		case !errors.Is(err, fault.NotFound):
			return err
		}
		k = seal.NewKey()
		err = insertMessage(ctx, tx, messageRow{tenant: tenant, id: message, thread: thread, byMail: byMail, author: g.person,
			wrapped: seal.Wrap(t, k, messageAD(tenant, thread, message))})
		if err != nil {
			return err
		}
		return v.audit(ctx, tx, entry{tenant: tenant, person: g.person, action: actionAnswer, thread: thread, object: message, items: 1})
	})
	if err != nil {
		return seal.Key{}, err
	}
	return k, nil
}

func (v *Vault) threadKey(ctx context.Context, tx *db.Tx, tenant, thread string, row threadRow) (seal.Key, error) {
	m, err := v.mailboxKey(ctx, tx, tenant, row.mailbox)
	if err != nil {
		return seal.Key{}, err
	}
	t, err := seal.Unwrap(m, row.wrapped, threadAD(tenant, row.mailbox, thread))
	if err != nil {
		return seal.Key{}, fmt.Errorf("key of thread %s: %w", thread, err)
	}
	return t, nil
}

// Forward moves a thread to another mailbox of the tenant: T is wrapped anew, the members of the old mailbox lose it and those of
// the new one have it from this moment. A thread that is already there is fine.
func (v *Vault) Forward(ctx context.Context, token, tenant, thread, toMailbox string) error {
	g, err := v.person(token, tenant)
	if err != nil {
		return fmt.Errorf("vault: forward thread %s: %w", thread, err)
	}
	return v.update(ctx, "forward", func(tx *db.Tx) error {
		row, err := selectThread(ctx, tx, tenant, thread)
		if err != nil {
			return err
		}
		if row.mailbox == toMailbox {
			return activePerson(ctx, tx, tenant, g.person)
		}
		if row, err = memberThread(ctx, tx, tenant, g.person, thread); err != nil {
			return err
		}
		t, err := v.threadKey(ctx, tx, tenant, thread, row)
		if err != nil {
			return err
		}
		m, err := v.mailboxKey(ctx, tx, tenant, toMailbox)
		if err != nil {
			return err
		}
		if err := moveThread(ctx, tx, tenant, thread, toMailbox, seal.Wrap(m, t, threadAD(tenant, toMailbox, thread))); err != nil {
			return err
		}
		return v.audit(ctx, tx, entry{tenant: tenant, person: g.person, action: actionForward, thread: thread, object: toMailbox, items: 1})
	})
}

// DropMessage destroys the key of one message and leaves a tombstone. It is idempotent, and works for a message whose box has not
// arrived yet. token is that of a member of the mailbox or of the service "retention".
func (v *Vault) DropMessage(ctx context.Context, token, tenant, thread, message string) error {
	g, err := v.eraser(token, tenant)
	if err != nil {
		return fmt.Errorf("vault: drop message %s: %w", message, err)
	}
	return v.update(ctx, "drop message", func(tx *db.Tx) error {
		if err := v.mayErase(ctx, tx, g, tenant, thread); err != nil {
			return err
		}
		dead, err := isTombstone(ctx, tx, tenant, kindMessage, message)
		if err != nil || dead {
			return err
		}
		day := lastDay(tx)
		switch old, err := selectMessage(ctx, tx, tenant, message); {
		case err == nil && old.thread != thread:
			return fmt.Errorf("message %s: %w", message, fault.NotFound)
		case err == nil:
			day = old.day
		case !errors.Is(err, fault.NotFound):
			return err
		}
		if err := deleteMessage(ctx, tx, tenant, message, day); err != nil {
			return err
		}
		return v.audit(ctx, tx, entry{tenant: tenant, person: g.actor(), action: actionDrop, thread: thread, object: message, items: 1})
	})
}

// Shred destroys the thread key, all its message keys and the wraps for code and accounts, and leaves tombstones. It is idempotent. token is that
// of a member of the mailbox or of the service "retention"; the service may also shred a thread that has not arrived yet.
func (v *Vault) Shred(ctx context.Context, token, tenant, thread string) error {
	g, err := v.eraser(token, tenant)
	if err != nil {
		return fmt.Errorf("vault: shred thread %s: %w", thread, err)
	}
	return v.update(ctx, "shred", func(tx *db.Tx) error {
		dead, err := isTombstone(ctx, tx, tenant, kindThread, thread)
		if err != nil || dead {
			return err
		}
		if err := v.mayErase(ctx, tx, g, tenant, thread); err != nil {
			return err
		}
		n, err := deleteThread(ctx, tx, tenant, thread, lastDay(tx))
		if err != nil {
			return err
		}
		return v.audit(ctx, tx, entry{tenant: tenant, person: g.actor(), action: actionShred, thread: thread, items: n})
	})
}

// lastDay is the last day to whose key a box on its way may be sealed: tomorrow, for a clock that is a little ahead.
func lastDay(tx *db.Tx) string { return dayOf(tx.Now.AddDate(0, 0, 1)) }

func (v *Vault) eraser(token, tenant string) (*grant, error) {
	g, err := v.grant(token)
	if err != nil {
		return nil, err
	}
	if g.service == ServiceRetention || g.staff() && g.tenant == tenant {
		return g, nil
	}
	return nil, fault.NotFound
}

func (v *Vault) mayErase(ctx context.Context, tx *db.Tx, g *grant, tenant, thread string) error {
	if g.service == ServiceRetention {
		return tenantExists(ctx, tx, tenant)
	}
	_, err := memberThread(ctx, tx, tenant, g.person, thread)
	return err
}

// ThreadState is what the vault knows of a thread.
type ThreadState struct {
	Mailbox  string
	Gone     bool     // shredded; the tombstone still stands
	Messages []string // ids with a key, in no order
	Accounts []string // of the citizens who hold it, in no order
}

// State tells where threads lie. A thread that has not arrived, or whose tombstone has expired, is not in the answer.
func (v *Vault) State(ctx context.Context, tenant string, threads []string) (map[string]ThreadState, error) {
	out := make(map[string]ThreadState, len(threads))
	err := v.view(ctx, "state", func(tx *db.Tx) error {
		clear(out)
		for part := range slices.Chunk(threads, maxBatch) {
			if err := selectStates(ctx, tx, tenant, part, out); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// ContactKeys returns K.Derive("contact") of at most 200 messages: for the service "notifier" of any, for "mailer" of those in
// threads with an answer by mail. One audit row is written per call.
func (v *Vault) ContactKeys(ctx context.Context, token, tenant string, messages []string) (map[string]seal.Key, error) {
	g, err := v.service(token, ServiceNotifier, ServiceMailer)
	if err != nil {
		return nil, fmt.Errorf("vault: contact keys: %w", err)
	}
	if len(messages) > maxBatch {
		return nil, fmt.Errorf("vault: contact keys: %d messages: %w", len(messages), fault.TooLarge)
	}
	if len(messages) == 0 {
		return map[string]seal.Key{}, nil
	}
	var rows []keyRow
	err = v.update(ctx, "contact keys", func(tx *db.Tx) error {
		var err error
		if rows, err = selectServiceKeys(ctx, tx, tenant, messages, g.service == ServiceMailer); err != nil || len(rows) == 0 {
			return err
		}
		return v.audit(ctx, tx, entry{tenant: tenant, person: g.actor(), action: actionContact, thread: oneThread(rows), items: len(rows), purpose: "notify"})
	})
	if err != nil {
		return nil, err
	}
	return v.unwrapAll(rows, tenant, "contact")
}

// oneThread names the thread in the audit when all rows are of one.
func oneThread(rows []keyRow) string {
	for _, r := range rows {
		if r.thread != rows[0].thread {
			return ""
		}
	}
	return rows[0].thread
}
