package mailbox

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"poststelle/internal/web"
)

// Codes are guarded by their length, not by this limit: it only keeps one
// address from loading the vault. It counts networks, because an IPv6 host has
// very many addresses, and lives in memory alone.
const (
	collectsPerMinute = 30
	maxNetworks       = 20_000
)

// collectRate limits how often a network tries codes. Its zero value is ready.
type collectRate struct {
	mu   sync.Mutex
	nets map[netip.Prefix]*rate.Limiter
}

// allow takes one attempt of the network of addr.
func (c *collectRate) allow(addr netip.Addr, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := web.Prefix(addr)
	l, ok := c.nets[p]
	if !ok {
		c.makeRoom(now)
		l = rate.NewLimiter(rate.Every(time.Minute/collectsPerMinute), collectsPerMinute)
		c.nets[p] = l
	}
	return l.AllowN(now, 1)
}

// makeRoom forgets the networks that have all their attempts back.
func (c *collectRate) makeRoom(now time.Time) {
	if c.nets == nil || len(c.nets) >= 2*maxNetworks {
		c.nets = map[netip.Prefix]*rate.Limiter{}
	}
	if len(c.nets) < maxNetworks {
		return
	}
	for p, l := range c.nets {
		if l.TokensAt(now) >= collectsPerMinute {
			delete(c.nets, p)
		}
	}
}
