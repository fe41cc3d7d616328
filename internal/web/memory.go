package web

import (
	"bytes"
	"cmp"
	"container/list"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"poststelle/internal/fault"
)

// Limits of sessions. Idle and Max follow the notice and the house rules, the
// byte limits keep one visitor from taking the memory of all.
const (
	SessionIdle  = 30 * time.Minute
	SessionMax   = 8 * time.Hour
	SessionBytes = 1 << 20

	defaultMemory = 256 << 20
	emptySize     = 512             // bytes counted for a session without values
	valueOverhead = 64              // bytes counted for each value
	evictIdle     = 1 * time.Minute // an empty session this idle may make room

	// sessionsPerMinute is how many sessions a network may begin in a minute:
	// more than a town hall or a mobile network needs, fewer than fill memory.
	sessionsPerMinute = 600
)

// SessionConfig configures Sessions; zero fields take the default.
type SessionConfig struct {
	// Store keeps the sessions in place of the memory of this process, so that
	// several nodes share them; Idle, Max, Bytes and MemoryBytes are then its own.
	Store       Store
	Now         func() time.Time // required
	Idle, Max   time.Duration
	Bytes       int64 // values of one session
	MemoryBytes int64 // all sessions, 256 MiB
	// NewPerMinute is how many sessions a network may begin in a minute, 600;
	// a negative number allows all.
	NewPerMinute int
}

// Sessions keeps all sessions, in memory unless there is a Store: values by key,
// so that two tabs that change different values do not disturb each other.
// Nothing is written to any other place, and an id is kept only as its SHA-256;
// after the end of a session nothing leads back to the person or to what was
// typed.
//
// When memory is full, expired sessions go first, then sessions without any
// value that were idle for a minute, oldest first. A session with values is
// never thrown out for another: the newcomer gets fault.Unavailable. Sessions
// stand in the order of time, so that finding those that go costs nothing for
// those that stay, however many there are.
type Sessions struct {
	cfg       SessionConfig
	onEnd     []func(key string, value []byte)
	newcomers *Quota[netip.Prefix]

	mu    sync.Mutex
	byID  map[[sha256.Size]byte]*entry
	bytes int64
	born  list.List // all, by created
	seen  list.List // all, by lastSeen
	empty list.List // those without values, by lastSeen
}

// entry is one session. Its fields are guarded by Sessions.mu, except values,
// which mu of its own guards, so that Update may take its time.
type entry struct {
	store    *Sessions
	id       [sha256.Size]byte
	secret   [32]byte // of the form tokens; it does not change
	site     string
	created  time.Time
	lastSeen time.Time
	// Its places in the lists; nil where it stands in none.
	born, seen, empty *list.Element

	mu     sync.Mutex
	values map[string][]byte
	bytes  int64 // written under both locks
	ended  bool
}

// NewSessions returns an empty store.
func NewSessions(cfg SessionConfig) *Sessions {
	cfg.Idle = cmp.Or(cfg.Idle, SessionIdle)
	cfg.Max = cmp.Or(cfg.Max, SessionMax)
	cfg.Bytes = cmp.Or(cfg.Bytes, SessionBytes)
	cfg.MemoryBytes = cmp.Or(cfg.MemoryBytes, defaultMemory)
	cfg.NewPerMinute = cmp.Or(cfg.NewPerMinute, sessionsPerMinute)
	return &Sessions{cfg: cfg, byID: map[[sha256.Size]byte]*entry{}, newcomers: NewQuota[netip.Prefix](cfg.NewPerMinute, time.Minute)}
}

// OnEnd registers a function that is called for every value left when a session
// ends, whichever way: to release what the value stands for. Register before
// the first request. Calls come after the session is gone and hold no lock. With
// a Store it is called when a person ends the session, and not when time does.
func (s *Sessions) OnEnd(f func(key string, value []byte)) { s.onEnd = append(s.onEnd, f) }

// Run sweeps every half minute until ctx ends.
func (s *Sessions) Run(ctx context.Context) error {
	t := time.NewTicker(30 * time.Second)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
			s.Sweep()
		}
	}
}

// Sweep ends all expired sessions and returns their number.
func (s *Sessions) Sweep() int {
	now := s.cfg.Now()
	s.mu.Lock()
	var gone []*entry
	for _, order := range []*list.List{&s.seen, &s.born} {
		for first := order.Front(); first != nil && s.expired(first.Value.(*entry), now); first = order.Front() {
			gone = append(gone, first.Value.(*entry))
			s.remove(first.Value.(*entry))
		}
	}
	s.mu.Unlock()
	for _, e := range gone {
		s.bury(e)
	}
	return len(gone)
}

// Close ends all sessions in memory; call it at shut-down, after the last
// request. Those of a Store go on, for the other nodes and the next start.
func (s *Sessions) Close() {
	s.mu.Lock()
	all := make([]*entry, 0, len(s.byID))
	for _, e := range s.byID {
		all = append(all, e)
		s.remove(e)
	}
	s.mu.Unlock()
	for _, e := range all {
		s.bury(e)
	}
}

// Len returns the number of sessions and the bytes counted for them.
func (s *Sessions) Len() (sessions int, bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.byID), s.bytes
}

func (s *Sessions) expired(e *entry, now time.Time) bool {
	return now.Sub(e.lastSeen) >= s.cfg.Idle || now.Sub(e.created) >= s.cfg.Max
}

// insert puts a new session into the map and the lists; the caller holds s.mu.
func (s *Sessions) insert(e *entry) {
	s.byID[e.id] = e
	e.born, e.seen, e.empty = s.born.PushBack(e), s.seen.PushBack(e), s.empty.PushBack(e)
}

// remove takes e out of the map and the lists; the caller holds s.mu and buries
// e later.
func (s *Sessions) remove(e *entry) {
	if s.byID[e.id] != e {
		return
	}
	delete(s.byID, e.id)
	s.bytes -= emptySize
	s.born.Remove(e.born)
	s.seen.Remove(e.seen)
	if e.empty != nil {
		s.empty.Remove(e.empty)
	}
	e.born, e.seen, e.empty = nil, nil, nil
}

// touch counts a visit; the caller holds s.mu, and e stands in the lists.
func (s *Sessions) touch(e *entry, now time.Time) {
	e.lastSeen = now
	s.seen.MoveToBack(e.seen)
	if e.empty != nil {
		s.empty.MoveToBack(e.empty)
	}
}

// sort puts e among the empty sessions or takes it out; the caller holds s.mu.
func (s *Sessions) sort(e *entry) {
	switch {
	case e.seen == nil: // removed already
	case e.bytes == 0 && e.empty == nil:
		e.empty = s.empty.PushBack(e)
	case e.bytes > 0 && e.empty != nil:
		s.empty.Remove(e.empty)
		e.empty = nil
	}
}

// bury empties a removed session and tells the hooks.
func (s *Sessions) bury(e *entry) { s.release(s.clear(e)) }

// clear takes the values out of a removed session.
func (s *Sessions) clear(e *entry) map[string][]byte {
	e.mu.Lock()
	defer e.mu.Unlock()
	values := e.values
	e.values, e.ended = nil, true
	s.mu.Lock()
	s.bytes -= e.bytes
	e.bytes = 0
	s.mu.Unlock()
	return values
}

// release tells the hooks what a session has left.
func (s *Sessions) release(values map[string][]byte) {
	for key, v := range values {
		for _, f := range s.onEnd {
			f(key, v)
		}
	}
}

// reserve counts n more bytes, unless there is no room.
func (s *Sessions) reserve(e *entry, n int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n > 0 && s.bytes+n > s.cfg.MemoryBytes {
		return false
	}
	s.bytes += n
	if e != nil {
		e.bytes += n
		s.sort(e)
	}
	return true
}

// makeRoom tries to find n bytes. The caller holds no lock: ending a session
// takes the locks of that session, which may be the caller's own.
func (s *Sessions) makeRoom(n int64, except *entry) {
	s.Sweep()
	s.evict(n, except)
}

var errFull = fmt.Errorf("web: memory for sessions is full: %w", fault.Unavailable)

// evict ends empty idle sessions, oldest first, until n bytes fit.
func (s *Sessions) evict(n int64, except *entry) {
	now := s.cfg.Now()
	s.mu.Lock()
	var gone []*entry
	for place := s.empty.Front(); place != nil && s.bytes+n > s.cfg.MemoryBytes; {
		e := place.Value.(*entry)
		place = place.Next()
		if now.Sub(e.lastSeen) < evictIdle {
			break
		}
		if e != except {
			s.remove(e)
			gone = append(gone, e)
		}
	}
	s.mu.Unlock()
	for _, e := range gone {
		s.bury(e)
	}
}

// find returns the live session of a site by its id and counts the visit; nil
// if there is none.
func (s *Sessions) find(ctx context.Context, id, site string, passive bool) (Kept, error) {
	if s.cfg.Store != nil {
		return s.cfg.Store.Find(ctx, id, site, passive)
	}
	if e := s.lookup(id, site, passive); e != nil {
		return e, nil
	}
	return nil, nil
}

func (s *Sessions) lookup(id, site string, passive bool) *entry {
	raw, err := base64.RawURLEncoding.DecodeString(id)
	if err != nil || len(raw) != 32 {
		return nil
	}
	hash := sha256.Sum256(raw)
	now := s.cfg.Now()
	s.mu.Lock()
	e := s.byID[hash]
	if e == nil || e.site != site {
		s.mu.Unlock()
		return nil
	}
	if !s.expired(e, now) {
		if !passive {
			s.touch(e, now)
		}
		s.mu.Unlock()
		return e
	}
	s.remove(e)
	s.mu.Unlock()
	s.bury(e)
	return nil
}

func newID() (cookie string, hash [sha256.Size]byte) {
	var raw [32]byte
	rand.Read(raw[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(raw[:]), sha256.Sum256(raw[:])
}

// begin creates a session for a visitor of a network.
func (s *Sessions) begin(ctx context.Context, site string, from netip.Addr) (Kept, string, error) {
	if net := Network(from); net.IsValid() && !s.newcomers.Take(net, s.cfg.Now()) {
		return nil, "", fmt.Errorf("web: new sessions of one network: %w", fault.TooMany)
	}
	if s.cfg.Store != nil {
		return s.cfg.Store.Create(ctx, site)
	}
	e, cookie, err := s.create(site)
	if err != nil {
		return nil, "", err
	}
	return e, cookie, nil
}

func (s *Sessions) create(site string) (*entry, string, error) {
	now := s.cfg.Now()
	if !s.reserve(nil, emptySize) {
		s.makeRoom(emptySize, nil)
		if !s.reserve(nil, emptySize) {
			return nil, "", errFull
		}
	}
	cookie, hash := newID()
	e := &entry{store: s, id: hash, site: site, created: now, lastSeen: now, values: map[string][]byte{}}
	rand.Read(e.secret[:]) // never fails
	s.mu.Lock()
	s.insert(e)
	s.mu.Unlock()
	return e, cookie, nil
}

// Secret implements Kept.
func (e *entry) Secret() []byte { return e.secret[:] }

// Get implements Kept.
func (e *entry) Get(key string) ([]byte, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	v, ok := e.values[key]
	return bytes.Clone(v), ok
}

// Keys implements Kept.
func (e *entry) Keys(prefix string) []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []string
	for k := range e.values {
		if strings.HasPrefix(k, prefix) {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return out
}

// Update implements Kept.
func (e *entry) Update(key string, f func(old []byte) ([]byte, error)) error {
	missing, err := e.update(key, f)
	if missing > 0 {
		e.store.makeRoom(missing, e)
		_, err = e.update(key, f)
	}
	return err
}

// update also returns how many bytes were missing if memory was full.
func (e *entry) update(key string, f func(old []byte) ([]byte, error)) (missing int64, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ended {
		return 0, ErrEnded
	}
	old, had := e.values[key]
	value, err := f(bytes.Clone(old))
	if err != nil {
		return 0, err
	}
	var delta int64
	if had {
		delta -= size(key, old)
	}
	if value != nil {
		delta += size(key, value)
	}
	if delta > 0 {
		e.store.mu.Lock()
		total := e.bytes
		e.store.mu.Unlock()
		if total+delta > e.store.cfg.Bytes {
			return 0, fmt.Errorf("web: session value %w", fault.TooLarge)
		}
	}
	if !e.store.reserve(e, delta) {
		return delta, errFull
	}
	if value == nil {
		delete(e.values, key)
	} else {
		e.values[key] = append(make([]byte, 0, len(value)), value...)
	}
	return 0, nil
}

func size(key string, value []byte) int64 { return int64(len(key)+len(value)) + valueOverhead }

// Deadline implements Kept.
func (e *entry) Deadline() (end time.Time, final bool) {
	s := e.store
	s.mu.Lock()
	defer s.mu.Unlock()
	idle, most := e.lastSeen.Add(s.cfg.Idle), e.created.Add(s.cfg.Max)
	if most.Before(idle) {
		return most, true
	}
	return idle, false
}

// Rotate implements Kept.
func (e *entry) Rotate() (cookie string, err error) {
	s := e.store
	cookie, hash := newID()
	now := s.cfg.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byID[e.id] != e {
		return "", ErrEnded
	}
	delete(s.byID, e.id)
	e.id = hash
	s.byID[hash] = e
	s.touch(e, now)
	if e.bytes == 0 {
		e.created = now
		s.born.MoveToBack(e.born)
	}
	return cookie, nil
}

// End implements Kept.
func (e *entry) End() map[string][]byte {
	e.store.mu.Lock()
	e.store.remove(e)
	e.store.mu.Unlock()
	return e.store.clear(e)
}
