package inbound

import (
	"net/netip"
	"sync"
	"time"
)

// network is what stands for a client where clients are counted: a /24 or a /48,
// never an address.
type network netip.Prefix

// networkOf returns the network of an address.
func networkOf(a netip.Addr) network {
	a = a.Unmap()
	bits := 24
	if a.Is6() {
		bits = 48
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return network{}
	}
	return network(p)
}

// maxCounted bounds how many keys a quota remembers; when there are more, all are
// forgotten, which lets too many through for a moment and never too few.
const maxCounted = 100_000

// quota allows a key a number of uses in a span of time. It forgets everything
// when the span is over.
type quota[K comparable] struct {
	most  int // negative allows all
	every time.Duration

	mu   sync.Mutex
	from time.Time
	used map[K]int
}

func (q *quota[K]) take(key K, now time.Time) bool {
	if q.most < 0 {
		return true
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if from := now.Truncate(q.every); !from.Equal(q.from) || q.used == nil || len(q.used) > maxCounted {
		q.from, q.used = from, map[K]int{}
	}
	if q.used[key] >= q.most {
		return false
	}
	q.used[key]++
	return true
}

// gate counts what is going on at the moment: connections and memory.
type gate struct {
	mu     sync.Mutex
	conns  int
	by     map[network]int
	memory int64
}

// enter counts a connection, false when there are too many.
func (g *gate) enter(n network, l Limits) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.conns >= l.Connections || n != (network{}) && g.by[n] >= l.PerNetwork {
		return false
	}
	if g.by == nil {
		g.by = map[network]int{}
	}
	g.conns++
	g.by[n]++
	return true
}

func (g *gate) leave(n network) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.conns--
	if g.by[n]--; g.by[n] == 0 {
		delete(g.by, n)
	}
}

// grow takes memory for a mail, false when there is none left.
func (g *gate) grow(n, limit int64) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.memory+n > limit {
		return false
	}
	g.memory += n
	return true
}

func (g *gate) shrink(n int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.memory -= n
}
