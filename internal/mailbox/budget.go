package mailbox

import (
	"cmp"
	"errors"
	"io"
	"net/netip"
	"sync"
	"time"

	"poststelle/internal/blob"
	"poststelle/internal/tenant"
	"poststelle/internal/web"
)

// Limits keep one network, a /24 or a /48, from taking the room of all. They are
// far above what a town hall or a mobile network needs. A zero field takes its
// default, a negative number allows all.
type Limits struct {
	// NetworkUploads and AllUploads bound the bytes of files that were uploaded
	// and belong to no letter yet: 500 MB of one network, 5 GB in total.
	NetworkUploads, AllUploads int64
	// LettersPerHour bounds the letters of one network to one tenant: 500.
	LettersPerHour int
}

func (l Limits) withDefaults() Limits {
	l.NetworkUploads = cmp.Or(l.NetworkUploads, 500<<20)
	l.AllUploads = cmp.Or(l.AllUploads, 5<<30)
	l.LettersPerHour = cmp.Or(l.LettersPerHour, 500)
	return l
}

// letterSource is what letters are counted by.
type letterSource struct {
	of  tenant.ID
	net netip.Prefix
}

// mayWrite counts a letter of a network to a tenant, and refuses one too many.
func (s *Service) mayWrite(of tenant.ID, from netip.Addr) bool {
	net := web.Network(from)
	return !net.IsValid() || s.letters.Take(letterSource{of, net}, s.Now())
}

func newLetterQuota(l Limits) *web.Quota[letterSource] {
	return web.NewQuota[letterSource](l.LettersPerHour, time.Hour)
}

// uploadBudget counts the bytes of unsent uploads, in memory alone: after a
// restart there are no drafts that could have any.
type uploadBudget struct {
	network, all int64

	mu    sync.Mutex
	total int64
	nets  map[netip.Prefix]int64
	files map[blob.ID]charge
}

// charge is what one upload takes of the budget of its network.
type charge struct {
	net   netip.Prefix
	bytes int64
	at    time.Time // when the upload began
}

func newUploadBudget(l Limits) *uploadBudget {
	return &uploadBudget{network: l.NetworkUploads, all: l.AllUploads, nets: map[netip.Prefix]int64{}, files: map[blob.ID]charge{}}
}

// add takes n bytes, false when there is no room for them. The machine itself
// is counted in the total alone.
func (b *uploadBudget) add(c charge) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.all >= 0 && b.total+c.bytes > b.all || b.network >= 0 && c.net.IsValid() && b.nets[c.net]+c.bytes > b.network {
		return false
	}
	b.total += c.bytes
	b.nets[c.net] += c.bytes
	return true
}

// giveBack is the opposite of add; the caller holds b.mu.
func (b *uploadBudget) giveBack(c charge) {
	b.total -= c.bytes
	if b.nets[c.net] -= c.bytes; b.nets[c.net] <= 0 {
		delete(b.nets, c.net)
	}
}

// release gives back what uploads took that were sent, removed or given up.
// Those that took nothing, or were released before, are left out.
func (b *uploadBudget) release(files []upload) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, f := range files {
		if c, ok := b.files[f.Blob]; ok {
			b.giveBack(c)
			delete(b.files, f.Blob)
		}
	}
}

// ForgetUploads gives back what uploads took that began before a time: no draft
// can name them any more. It is for sessions that end where nobody here is told.
func (s *Service) ForgetUploads(before time.Time) {
	b := s.uploads
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, c := range b.files {
		if c.at.Before(before) {
			b.giveBack(c)
			delete(b.files, id)
		}
	}
}

var errNoRoom = errors.New("budget for uploads is used up")

// metered takes what is read from the budget, and fails when that is used up.
type metered struct {
	r    io.Reader
	b    *uploadBudget
	used charge
	over bool
}

func (m *metered) Read(p []byte) (int, error) {
	if m.over {
		return 0, errNoRoom
	}
	n, err := m.r.Read(p)
	if !m.b.add(charge{net: m.used.net, bytes: int64(n)}) {
		m.over = true
		return 0, errNoRoom
	}
	m.used.bytes += int64(n)
	return n, err
}

// keep notes what a stored upload has taken.
func (m *metered) keep(id blob.ID) {
	m.b.mu.Lock()
	defer m.b.mu.Unlock()
	m.b.files[id] = m.used
}

// undo gives everything back: the upload is not kept.
func (m *metered) undo() {
	m.b.mu.Lock()
	defer m.b.mu.Unlock()
	m.b.giveBack(m.used)
}
