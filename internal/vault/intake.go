package vault

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/seal"
)

// Taken is what became of one box.
type Taken uint8

// What may become of a box. Only Refused needs a human: the box is forged, damaged, or its day key is destroyed.
const (
	Refused Taken = iota // not opened, not stored; the row is wrong
	Stored               // the keys are in the vault now
	Known                // the keys were there before
	Deleted              // the message or its thread was deleted; nothing was stored
)

func (t Taken) String() string {
	switch t {
	case Stored:
		return "stored"
	case Known:
		return "known"
	case Deleted:
		return "deleted"
	}
	return "refused"
}

// intakeBatch bounds one transaction; larger calls are cut.
const intakeBatch = 500

// TakeIn stores the keys of letters. The answer has one value per box, in order; once it is returned the stored keys are durable.
// An error means that nothing of the rest of the call is known to be stored: hand the same boxes in again, Known is the answer
// for those that were.
func (v *Vault) TakeIn(ctx context.Context, boxes []Box) ([]Taken, error) {
	out := make([]Taken, 0, len(boxes))
	for len(boxes) > 0 {
		n := min(len(boxes), intakeBatch)
		taken, err := v.takeIn(ctx, boxes[:n])
		if err != nil {
			return nil, err
		}
		out, boxes = append(out, taken...), boxes[n:]
	}
	return out, nil
}

// opened is one box after its seal was checked.
type opened struct {
	ok    bool
	k     seal.Key
	first *First
}

func (v *Vault) takeIn(ctx context.Context, boxes []Box) ([]Taken, error) {
	// Boxes that are stored already are not opened again: a restored queue costs lookups only.
	var known map[rowID]string
	if err := v.view(ctx, "take in", func(tx *db.Tx) error {
		var err error
		known, err = selectMessageThreads(ctx, tx, boxes)
		return err
	}); err != nil {
		return nil, err
	}
	letters, err := v.openBoxes(ctx, boxes, known)
	if err != nil {
		return nil, err
	}
	var out []Taken
	err = v.update(ctx, "take in", func(tx *db.Tx) error {
		out = make([]Taken, len(boxes)) // Update may run this function twice
		s, err := v.newIntake(ctx, tx, boxes, letters)
		if err != nil {
			return err
		}
		days := map[string]bool{}
		for i, b := range boxes {
			if out[i], err = s.take(ctx, b, letters[i]); err != nil {
				return err
			}
			if out[i] == Stored {
				days[b.Day] = true
			}
		}
		for day := range days {
			if err := unmarkDrained(ctx, tx, day); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i, t := range out {
		if t == Refused {
			v.cfg.Log.WarnContext(ctx, "vault: box refused", "tenant", boxes[i].Tenant, "message", boxes[i].Message)
		}
	}
	return out, nil
}

// openBoxes opens the seals on all cores. A box that does not open is not an error; a store that is gone is.
func (v *Vault) openBoxes(ctx context.Context, boxes []Box, known map[rowID]string) ([]opened, error) {
	keys := map[string]seal.Private{} // by day
	for _, b := range boxes {
		if _, seen := keys[b.Day]; seen || !validDay(b.Day) {
			continue
		}
		p, err := v.dayKey(ctx, b.Day)
		if err != nil && !errors.Is(err, fault.NotFound) {
			return nil, err
		}
		keys[b.Day] = p
	}
	out := make([]opened, len(boxes))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(max(runtime.GOMAXPROCS(0)/2, 1), len(boxes)) {
		wg.Go(func() {
			openers := make(map[string]*seal.Opener, len(keys))
			for day, k := range keys {
				openers[day] = k.Opener()
			}
			for {
				i := int(next.Add(1)) - 1
				if i >= len(boxes) {
					return
				}
				b := boxes[i]
				if _, ok := known[rowID{b.Tenant, b.Message}]; ok || !b.wellFormed() || len(b.Sealed) > maxBox {
					continue
				}
				plain, err := openers[b.Day].OpenBox(b.Sealed, b.ad())
				if err != nil {
					continue
				}
				out[i].k, out[i].first, out[i].ok = decodeBox(plain)
				clear(plain)
			}
		})
	}
	wg.Wait()
	return out, nil
}

// intake is one transaction of TakeIn: what the batch touches, read with one statement each.
type intake struct {
	v         *Vault
	tx        *db.Tx
	mailboxes map[rowID]seal.Key
	messages  map[rowID]string // message -> thread
	threads   map[rowID]threadRow
	dead      map[tombstoneID]bool
	days      map[string]bool // whose key still exists
	accounts  map[string]accountRow
}

func (v *Vault) newIntake(ctx context.Context, tx *db.Tx, boxes []Box, letters []opened) (*intake, error) {
	s := &intake{v: v, tx: tx, mailboxes: map[rowID]seal.Key{}}
	var err error
	if s.messages, err = selectMessageThreads(ctx, tx, boxes); err != nil {
		return nil, err
	}
	if s.threads, err = selectThreadsOf(ctx, tx, boxes); err != nil {
		return nil, err
	}
	if s.dead, err = selectTombstones(ctx, tx, boxes); err != nil {
		return nil, err
	}
	var accounts []string
	for _, l := range letters {
		if l.first != nil && l.first.Account != "" {
			accounts = append(accounts, l.first.Account)
		}
	}
	if s.accounts, err = selectAccountKeys(ctx, tx, accounts); err != nil {
		return nil, err
	}
	// A day key destroyed after the boxes were opened took its tombstones along: such a letter must not be stored any more.
	days, err := selectIntakeDays(ctx, tx)
	if err != nil {
		return nil, err
	}
	s.days = make(map[string]bool, len(days))
	for _, day := range days {
		s.days[day] = true
	}
	return s, nil
}

// take stores one box. The order of the questions is the rule: known before deleted before forged, so that a replay is answered
// by what happened to the message and not by the age of its day key.
func (s *intake) take(ctx context.Context, b Box, l opened) (Taken, error) {
	message, thread := rowID{b.Tenant, b.Message}, rowID{b.Tenant, b.Thread}
	if at, ok := s.messages[message]; ok {
		if at != b.Thread {
			return Refused, nil
		}
		return Known, nil
	}
	if s.dead[tombstoneID{b.Tenant, kindMessage, b.Message}] || s.dead[tombstoneID{b.Tenant, kindThread, b.Thread}] {
		return Deleted, nil
	}
	if !l.ok || !s.days[b.Day] {
		return Refused, nil
	}
	row, exists := s.threads[thread]
	if exists != (l.first == nil) {
		return Refused, nil // a first letter into a thread that exists, or one more letter into one that does not
	}
	var t seal.Key
	if exists {
		// The thread may have been forwarded since the box was sealed: the row says where it lies now.
		m, err := s.mailbox(ctx, b.Tenant, row.mailbox)
		if err != nil {
			return Refused, err
		}
		if t, err = seal.Unwrap(m, row.wrapped, threadAD(b.Tenant, row.mailbox, b.Thread)); err != nil {
			return Refused, nil
		}
	} else {
		m, err := s.mailbox(ctx, b.Tenant, b.Mailbox)
		if errors.Is(err, fault.NotFound) {
			return Refused, nil
		}
		if err != nil {
			return Refused, err
		}
		t = l.first.T
		row = threadRow{mailbox: b.Mailbox, wrapped: seal.Wrap(m, t, threadAD(b.Tenant, b.Mailbox, b.Thread))}
		if ok, err := s.storeThread(ctx, b, row, l.first); err != nil || !ok {
			return Refused, err
		}
		s.threads[thread] = row
	}
	err := insertMessage(ctx, s.tx, messageRow{tenant: b.Tenant, id: b.Message, thread: b.Thread, day: b.Day,
		wrapped: seal.Wrap(t, l.k, messageAD(b.Tenant, b.Thread, b.Message))})
	if err != nil {
		return Refused, err
	}
	s.messages[message] = b.Thread
	return Stored, nil
}

func (s *intake) storeThread(ctx context.Context, b Box, row threadRow, first *First) (bool, error) {
	if len(first.LookupID) > 0 {
		// The same code for two threads would let the second sender's letter be found by the first; it cannot happen with random codes.
		taken, err := codeTaken(ctx, s.tx, b.Tenant, lookupHash(b.Tenant, first.LookupID))
		if err != nil || taken {
			return false, err
		}
	}
	if err := insertThread(ctx, s.tx, b.Tenant, b.Thread, row, b.Day); err != nil {
		return false, err
	}
	if len(first.LookupID) > 0 {
		return true, insertCode(ctx, s.tx, b.Tenant, lookupHash(b.Tenant, first.LookupID), b.Thread, first.Wrapped)
	}
	if first.Account != "" {
		return true, s.hold(ctx, b, first)
	}
	return true, nil
}

// hold puts a new thread into its sender's mailbox. Who deleted the account, or let the thread go, while the box was on its way
// does not get it back; the authority has the letter all the same.
func (s *intake) hold(ctx context.Context, b Box, first *First) error {
	row, ok := s.accounts[first.Account]
	if !ok || !realmHolds(row.realm, b.Tenant) {
		return nil
	}
	gone, err := isTombstone(ctx, s.tx, b.Tenant, kindHolding, holdingID(first.Account, b.Thread))
	if err != nil || gone {
		return err
	}
	a, err := s.v.unwrapAccount(row.wrapped, first.Account)
	if err != nil {
		return err
	}
	return putHolding(ctx, s.tx, first.Account, b.Tenant, b.Thread, seal.Wrap(a, first.T, accountThreadAD(first.Account, b.Tenant, b.Thread)))
}

func (s *intake) mailbox(ctx context.Context, tenant, mailbox string) (seal.Key, error) {
	if m, ok := s.mailboxes[rowID{tenant, mailbox}]; ok {
		return m, nil
	}
	m, err := s.v.mailboxKey(ctx, s.tx, tenant, mailbox)
	if err == nil {
		s.mailboxes[rowID{tenant, mailbox}] = m
	}
	return m, err
}

// mailboxKey reads and unwraps M, fault.NotFound when the mailbox does not exist.
func (v *Vault) mailboxKey(ctx context.Context, tx *db.Tx, tenant, mailbox string) (seal.Key, error) {
	wrapped, err := selectMailbox(ctx, tx, tenant, mailbox)
	if err != nil {
		return seal.Key{}, err
	}
	return v.unwrapMailbox(wrapped, tenant, mailbox)
}

func (v *Vault) unwrapMailbox(wrapped []byte, tenant, mailbox string) (seal.Key, error) {
	m, err := seal.Unwrap(v.keys.mailbox, wrapped, mailboxAD(tenant, mailbox))
	if err != nil {
		return seal.Key{}, fmt.Errorf("key of mailbox %s: %w", mailbox, err)
	}
	return m, nil
}
