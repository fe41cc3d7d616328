package mailbox

import (
	"context"
	"fmt"
	"sync"
	"time"

	"poststelle/internal/db"
	"poststelle/internal/i18n"
	"poststelle/internal/tenant"
)

// numbers hands out case numbers, reserving a block at a time so that writers
// do not queue behind one counter row. While letters come fast the blocks grow
// and the next one is reserved before the last number is used: otherwise all
// senders would wait together for the commit of one. A restart leaves a gap, of
// less than a block where the blocks are small.
type numbers struct {
	mu     sync.Mutex // never held while the database is asked
	blocks map[numberKey]*numberBlock
}

type numberKey struct {
	of   tenant.ID
	year int
}

// numberBlock is what is reserved for a tenant and year.
type numberBlock struct {
	next, end int
	spare     [2]int        // the block after this one, reserved ahead
	size      int           // of the newest block
	at        time.Time     // when that was asked for
	busy      chan struct{} // closed when the reservation under way has ended; nil without one
}

// A block is as small as smallBlock when letters are rare and grows up to
// largeBlock while one lasts less than a second.
const (
	smallBlock = 64
	largeBlock = 512
)

// next returns a number that no other letter of the tenant has.
func (n *numbers) next(ctx context.Context, d *db.DB, of tenant.ID, now time.Time) (string, error) {
	key := numberKey{of, now.In(i18n.Zone()).Year()}
	for {
		number, size, busy := n.draw(key, now)
		if size > 0 {
			// Who has a number already reserves for others, who will try
			// again should it fail.
			if err := n.reserve(ctx, d, key, size); err != nil && number == 0 {
				return "", err
			}
		}
		if number > 0 {
			return fmt.Sprintf("%d-%06d", key.year, number), nil
		}
		select {
		case <-busy:
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// draw takes a number; 0 means that none is left. A size above 0 asks the
// caller to reserve that many. busy is closed when a reservation has ended.
func (n *numbers) draw(key numberKey, now time.Time) (number, size int, busy <-chan struct{}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	b := n.blocks[key]
	if b == nil {
		b = &numberBlock{}
		if n.blocks == nil {
			n.blocks = map[numberKey]*numberBlock{}
		}
		n.blocks[key] = b
	}
	if b.next == b.end {
		b.next, b.end, b.spare = b.spare[0], b.spare[1], [2]int{}
	}
	if b.next < b.end {
		number = b.next
		b.next++
	}
	ahead := b.size > smallBlock && b.end-b.next <= b.size/2
	if b.busy != nil || b.spare[1] > 0 || number > 0 && !ahead {
		return number, 0, b.busy
	}
	size = smallBlock
	if now.Sub(b.at) < time.Second {
		size = min(4*b.size, largeBlock)
	}
	b.size, b.at, b.busy = size, now, make(chan struct{})
	return number, size, b.busy
}

// reserve takes the next block from the database and wakes who waits for it.
func (n *numbers) reserve(ctx context.Context, d *db.DB, key numberKey, size int) error {
	var spare [2]int
	defer func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		b := n.blocks[key]
		b.spare = spare
		close(b.busy)
		b.busy = nil
	}()
	return d.Update(ctx, func(tx *db.Tx) error {
		first, err := takeNumbers(ctx, tx, key.of, key.year, size)
		tx.AfterCommit(func() { spare = [2]int{first, first + size} })
		return err
	})
}
