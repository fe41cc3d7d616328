package journal

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"poststelle/internal/db"
	"poststelle/internal/fault"
)

// batch is how many entries one transaction chains, reads or deletes.
const batch = 200

// ErrBroken is what Verify returns, wrapped, when the journal is not what it
// was.
var ErrBroken = errors.New("journal: chain is broken")

// Broken says where the chain of a tenant breaks.
type Broken struct {
	Tenant string
	// Seq is the number of the first entry that cannot be right.
	Seq int64
	// What is a word for the log: "gap", "link", "payload", "blanking",
	// "head", "anchor", "base".
	What string
}

func (b *Broken) Error() string {
	return fmt.Sprintf("journal: chain of %s is broken at %d: %s", b.Tenant, b.Seq, b.What)
}

// Unwrap makes errors.Is(err, ErrBroken) true.
func (b *Broken) Unwrap() error { return ErrBroken }

// Head is the end of a chain at some time. Kept outside the database, as an
// anchor, it proves that the chain up to there was not reckoned anew.
type Head struct {
	Tenant string
	Seq    int64
	Hash   []byte
}

// String returns the head in the form that ParseHead reads: tenant, number and
// hash in hexadecimal, separated by a blank.
func (h Head) String() string {
	return h.Tenant + " " + strconv.FormatInt(h.Seq, 10) + " " + hex.EncodeToString(h.Hash)
}

// ParseHead reads what String wrote; anything else is fault.Invalid.
func ParseHead(s string) (Head, error) {
	f := strings.Split(s, " ")
	if len(f) == 3 && plain(f[0], 1) {
		seq, err := strconv.ParseInt(f[1], 10, 64)
		sum, err2 := hex.DecodeString(f[2])
		if err == nil && err2 == nil && seq >= 0 && len(sum) == 32 {
			if h := (Head{f[0], seq, sum}); h.String() == s {
				return h, nil
			}
		}
	}
	return Head{}, fmt.Errorf("journal: parse head: %w", fault.Invalid)
}

// Chain chains and verifies the journal of a database.
type Chain struct{ db *db.DB }

// NewChain returns the chain of d.
func NewChain(d *db.DB) *Chain { return &Chain{d} }

// Extend chains all entries that are committed and not chained yet. It is the
// body of a periodic job; several nodes may run it at the same time. Writers
// of entries never wait for it.
func (c *Chain) Extend(ctx context.Context) error {
	for after := ""; ; {
		tenant, err := c.nextOpen(ctx, after)
		if err != nil {
			return fmt.Errorf("journal: extend: %w", err)
		}
		if tenant == "" {
			return nil
		}
		for more := true; more; {
			if more, err = c.extend(ctx, tenant); err != nil {
				return fmt.Errorf("journal: extend %s: %w", tenant, err)
			}
		}
		after = tenant
	}
}

// extend chains one batch and reports whether there may be more.
func (c *Chain) extend(ctx context.Context, tenant string) (more bool, err error) {
	err = c.db.Update(ctx, func(tx *db.Tx) error {
		// The head is taken for writing first: a second extender waits here,
		// and then sees what the first one did.
		h, err := lockHead(ctx, tx, tenant)
		if err != nil {
			return err
		}
		open, err := openEntries(ctx, tx, tenant, batch)
		if err != nil || len(open) == 0 {
			more = false
			return err
		}
		for _, e := range open {
			h.seq++
			e.seq, e.chainedAt = h.seq, db.Millis(tx.Now)
			h.hash = link(h.hash, e)
			e.hash = h.hash
			if err := chainEntry(ctx, tx, e); err != nil {
				return err
			}
		}
		more = len(open) == batch
		return saveHead(ctx, tx, h)
	})
	return more, err
}

// Head returns the end of the chain of a tenant, to be kept as an anchor.
func (c *Chain) Head(ctx context.Context, tenant string) (Head, error) {
	h, err := c.head(ctx, tenant)
	if err != nil {
		return Head{}, fmt.Errorf("journal: head of %s: %w", tenant, err)
	}
	return Head{Tenant: tenant, Seq: h.seq, Hash: h.hash}, nil
}

// Verify reads the whole chain of a tenant and returns a [*Broken], which is
// ErrBroken, for the first entry that cannot be right: changed, removed,
// exchanged, slipped in, or blanked without a record. Heads taken earlier must
// lie on the chain; those that are older than its beginning, since entries
// expired, are passed over. Entries that are not chained yet are not looked
// at.
func (c *Chain) Verify(ctx context.Context, tenant string, anchors ...Head) error {
	for {
		h, err := c.verify(ctx, tenant, anchors)
		if errors.Is(err, ErrBroken) {
			// Entries may have expired while the chain was read.
			now, headErr := c.head(ctx, tenant)
			if headErr == nil && now.baseSeq > h.baseSeq {
				continue
			}
		}
		return wrap("journal: verify", err)
	}
}

// verify is one walk; it returns the head with which it began.
func (c *Chain) verify(ctx context.Context, tenant string, anchors []Head) (head, error) {
	h, err := c.head(ctx, tenant)
	if err != nil {
		return h, err
	}
	if err := c.checkBase(ctx, h); err != nil {
		return h, err
	}
	v := verifier{tenant: tenant, seq: h.baseSeq, hash: h.baseHash, known: map[int64][][]byte{h.seq: {h.hash}}}
	for _, a := range anchors {
		if a.Tenant != tenant || a.Seq < h.baseSeq {
			continue
		}
		if a.Seq > h.seq {
			return h, &Broken{tenant, a.Seq, "anchor"}
		}
		v.known[a.Seq] = append(v.known[a.Seq], a.Hash)
	}
	if err := v.meet(); err != nil {
		return h, err
	}
	for done := false; !done; {
		err := c.db.View(ctx, func(tx *db.Tx) error {
			some, err := chained(ctx, tx, tenant, v.seq, batch)
			done = len(some) < batch
			if err != nil {
				return err
			}
			return v.read(ctx, tx, some)
		})
		if err != nil {
			return h, err
		}
	}
	now, err := c.head(ctx, tenant)
	if err != nil {
		return h, err
	}
	switch {
	case v.seq < h.seq:
		return h, &Broken{tenant, v.seq + 1, "head"}
	case v.seq > now.seq:
		return h, &Broken{tenant, now.seq + 1, "head"}
	}
	return h, nil
}

func (c *Chain) head(ctx context.Context, tenant string) (h head, err error) {
	err = c.db.View(ctx, func(tx *db.Tx) (err error) {
		h, err = readHead(ctx, tx, tenant)
		return err
	})
	return h, err
}

// checkBase finds the record of the expiry with which a shortened chain
// begins.
func (c *Chain) checkBase(ctx context.Context, h head) error {
	if h.baseSeq == 0 {
		if !bytes.Equal(h.baseHash, origin(h.tenant)) {
			return &Broken{h.tenant, 0, "base"}
		}
		return nil
	}
	var ok bool
	err := c.db.View(ctx, func(tx *db.Tx) (err error) {
		ok, err = expiryRecorded(ctx, tx, h)
		return err
	})
	if err == nil && !ok {
		return &Broken{h.tenant, h.baseSeq, "base"}
	}
	return err
}

// verifier walks along a chain.
type verifier struct {
	tenant string
	seq    int64
	hash   []byte
	known  map[int64][][]byte // hashes that must be met, by number
}

func (v *verifier) read(ctx context.Context, tx *db.Tx, some []entry) error {
	for _, e := range some {
		if e.seq != v.seq+1 {
			return &Broken{v.tenant, v.seq + 1, "gap"}
		}
		next := link(v.hash, e)
		if !bytes.Equal(next, e.hash) {
			return &Broken{v.tenant, e.seq, "link"}
		}
		if err := payload(ctx, tx, e); err != nil {
			return err
		}
		v.seq, v.hash = e.seq, next
		if err := v.meet(); err != nil {
			return err
		}
	}
	return nil
}

// meet compares with the heads known for this place.
func (v *verifier) meet() error {
	for _, want := range v.known[v.seq] {
		if !bytes.Equal(want, v.hash) {
			return &Broken{v.tenant, v.seq, "anchor"}
		}
	}
	return nil
}

// payload checks the content of e against its commitment or, when it is blank,
// looks for the record of that.
func payload(ctx context.Context, tx *db.Tx, e entry) error {
	whole := e.detail != nil && e.reason != nil && e.salt != nil
	blank := e.detail == nil && e.reason == nil && e.salt == nil
	switch {
	case whole && e.blankedBy == "":
		if !bytes.Equal(commit(e.salt, *e.detail, *e.reason), e.commitment) {
			return &Broken{e.tenant, e.seq, "payload"}
		}
		return nil
	case blank && e.blankedBy != "" && !own(e.action):
		ok, err := blankingRecorded(ctx, tx, e)
		if err == nil && !ok {
			return &Broken{e.tenant, e.seq, "blanking"}
		}
		return err
	}
	return &Broken{e.tenant, e.seq, "payload"}
}

// Expire deletes the entries of a tenant that are older than cutoff, from the
// beginning of the chain up to the first one that is younger, and returns how
// many. The record of a blanking has a higher number than the entry it speaks
// of, and so never goes before it.
func (c *Chain) Expire(ctx context.Context, tenant, actor string, cutoff time.Time) (n int, err error) {
	for {
		var some []entry
		err := c.db.Update(ctx, func(tx *db.Tx) error {
			h, err := lockHead(ctx, tx, tenant)
			if err != nil {
				return err
			}
			all, err := chained(ctx, tx, tenant, h.baseSeq, batch)
			if err != nil {
				return err
			}
			some = some[:0]
			for _, e := range all {
				if e.at >= db.Millis(cutoff) {
					break
				}
				some = append(some, e)
			}
			if len(some) == 0 {
				return nil
			}
			last := some[len(some)-1]
			h.baseSeq, h.baseHash = last.seq, last.hash
			if err := deleteUpTo(ctx, tx, tenant, last.seq); err != nil {
				return err
			}
			if err := saveHead(ctx, tx, h); err != nil {
				return err
			}
			return Record(ctx, tx, Entry{
				Tenant: tenant, Actor: actor, Action: actionExpired, Object: strconv.FormatInt(last.seq, 10),
				Detail: map[string]string{"seq": strconv.FormatInt(last.seq, 10), "hash": hex.EncodeToString(last.hash), "count": strconv.Itoa(len(some))},
			})
		})
		if err != nil {
			return n, fmt.Errorf("journal: expire: %w", err)
		}
		n += len(some)
		if len(some) < batch {
			return n, nil
		}
	}
}
