package web

import (
	"net/netip"
	"sync"
	"time"
)

// Network returns the network that an address is counted in: the /24 of an IPv4
// and the /48 of an IPv6 address, since an IPv6 host has very many addresses.
// The zero Prefix, which is not counted, stands for no address and for the
// machine itself: behind a proxy that says nothing of its clients, all of them
// would be one network.
func Network(a netip.Addr) netip.Prefix {
	if a.Unmap().IsLoopback() {
		return netip.Prefix{}
	}
	return Prefix(a)
}

// Prefix returns the /24 of an IPv4 and the /48 of an IPv6 address, that of the
// machine itself included; the zero Prefix for no address.
func Prefix(a netip.Addr) netip.Prefix {
	a = a.Unmap()
	bits := 48
	if a.Is4() {
		bits = 24
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

// quotaKeys bounds the memory of a quota; what comes after so many keys within
// one window is not counted.
const quotaKeys = 100_000

// Quota allows a number of uses of each key in each window of time. It counts in
// memory alone and forgets everything at the end of the window, so that one use
// costs the same however many keys there are. Two windows in a row may allow
// twice the number around their border.
type Quota[K comparable] struct {
	most  int
	every time.Duration

	mu   sync.Mutex
	from time.Time
	used map[K]int
}

// NewQuota returns a quota of most uses; a negative number allows all.
func NewQuota[K comparable](most int, every time.Duration) *Quota[K] {
	return &Quota[K]{most: most, every: every, used: map[K]int{}}
}

// Take takes one use of a key, false if there is none left.
func (q *Quota[K]) Take(key K, now time.Time) bool {
	if q.most < 0 {
		return true
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if from := now.Truncate(q.every); !from.Equal(q.from) {
		q.from, q.used = from, map[K]int{}
	}
	n, known := q.used[key]
	if n >= q.most {
		return false
	}
	if known || len(q.used) < quotaKeys {
		q.used[key] = n + 1
	}
	return true
}
