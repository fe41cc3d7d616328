package web

import (
	"bytes"
	"cmp"
	"container/list"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
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
	Now         func() time.Time // required
	Idle, Max   time.Duration
	Bytes       int64 // values of one session
	MemoryBytes int64 // all sessions, 256 MiB
	// NewPerMinute is how many sessions a network may begin in a minute, 600;
	// a negative number allows all.
	NewPerMinute int
}

// Sessions keeps all sessions in memory: values by key, so that two tabs that
// change different values do not disturb each other. Nothing is written to any
// other place, and an id is kept only as its SHA-256; after the end of a session
// nothing leads back to the person or to what was typed.
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
	id       [sha256.Size]byte
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
// the first request. Calls come after the session is gone and hold no lock.
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

// Close ends all sessions; call it at shut-down, after the last request.
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
func (s *Sessions) bury(e *entry) {
	e.mu.Lock()
	values := e.values
	e.values, e.ended = nil, true
	s.mu.Lock()
	s.bytes -= e.bytes
	e.bytes = 0
	s.mu.Unlock()
	e.mu.Unlock()
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

// find returns the live session of a site by its id and counts the visit.
func (s *Sessions) find(id, site string, passive bool) *entry {
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

func (s *Sessions) create(site string, from netip.Addr) (*entry, string, error) {
	now := s.cfg.Now()
	if net := Network(from); net.IsValid() && !s.newcomers.Take(net, now) {
		return nil, "", fmt.Errorf("web: new sessions of one network: %w", fault.TooMany)
	}
	if !s.reserve(nil, emptySize) {
		s.makeRoom(emptySize, nil)
		if !s.reserve(nil, emptySize) {
			return nil, "", errFull
		}
	}
	cookie, hash := newID()
	e := &entry{id: hash, site: site, created: now, lastSeen: now, values: map[string][]byte{}}
	s.mu.Lock()
	s.insert(e)
	s.mu.Unlock()
	return e, cookie, nil
}

// State says whether a request has a session.
type State uint8

// The states. None is a browser that sent no cookie of ours at all: it may
// refuse them. Ended is one that kept a cookie, but the session is over.
const (
	None State = iota
	Ended
	Live
)

// SessionState returns the state of the session of a request.
func SessionState(r *http.Request) State {
	sc := scopeOf(r.Context())
	sc.look(r)
	return sc.state
}

// SessionOf returns the live session of a request on its site, or nil.
func SessionOf(r *http.Request) *Session {
	sc := scopeOf(r.Context())
	sc.look(r)
	return sc.session
}

func (sc *scope) look(r *http.Request) {
	if sc.looked {
		return
	}
	sc.looked = true
	name := sentName(Cookie{Class: Technical}, SessionCookie, sc.secure)
	// A cookie tossed from a sub-domain may stand beside ours: any that is
	// live and of this site counts, so the foreign one cannot sign out.
	for i, c := range r.CookiesNamed(name) {
		if i == 4 {
			break
		}
		if e := sc.rt.cfg.Sessions.find(c.Value, sc.site.ID, sc.matched != nil && sc.matched.passive); e != nil {
			sc.session, sc.state = &Session{store: sc.rt.cfg.Sessions, e: e, sc: sc}, Live
			return
		}
	}
	if sc.anyOwnCookie(r) {
		sc.state = Ended
	}
}

// StartSession returns the live session of the request or starts one and sets
// its cookie. The error is fault.Unavailable when memory is full, and
// fault.TooMany when the network has begun very many sessions in this minute.
func StartSession(w http.ResponseWriter, r *http.Request) (*Session, error) {
	if s := SessionOf(r); s != nil {
		return s, nil
	}
	sc := scopeOf(r.Context())
	c, ok := sc.rt.cfg.Cookies.find(r.Context(), SessionCookie)
	if !ok {
		return nil, fmt.Errorf("web: cookie %s is not declared", SessionCookie)
	}
	e, id, err := sc.rt.cfg.Sessions.create(sc.site.ID, sc.ip)
	if err != nil {
		return nil, err
	}
	sc.setCookie(w, c, SessionCookie, id, 0)
	sc.session, sc.state = &Session{store: sc.rt.cfg.Sessions, e: e, sc: sc}, Live
	return sc.session, nil
}

// Session is the session of one request. Its values are shared with the other
// requests of the session; all methods are safe for that.
type Session struct {
	store *Sessions
	e     *entry
	sc    *scope
}

// Get returns a copy of a value.
func (s *Session) Get(key string) ([]byte, bool) {
	s.e.mu.Lock()
	defer s.e.mu.Unlock()
	v, ok := s.e.values[key]
	return bytes.Clone(v), ok
}

// Keys returns the keys with a prefix, sorted.
func (s *Session) Keys(prefix string) []string {
	s.e.mu.Lock()
	defer s.e.mu.Unlock()
	var out []string
	for k := range s.e.values {
		if strings.HasPrefix(k, prefix) {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return out
}

// Put sets a value: fault.TooLarge over the limit of a session,
// fault.Unavailable when memory for all is full, fault.Conflict when the session
// has ended meanwhile. Then the old value stays.
func (s *Session) Put(key string, value []byte) error {
	return s.Update(key, func([]byte) ([]byte, error) { return value, nil })
}

// Delete removes a value. OnEnd is not called for it.
func (s *Session) Delete(key string) {
	_ = s.Update(key, func([]byte) ([]byte, error) { return nil, nil })
}

// Update changes one value while no other request can: f gets a copy of the
// value (nil if there is none) and returns the new one; nil deletes. An error of
// f changes nothing. F must not use the session and may run twice. Errors are
// those of Put.
func (s *Session) Update(key string, f func(old []byte) ([]byte, error)) error {
	missing, err := s.update(key, f)
	if missing > 0 {
		s.store.makeRoom(missing, s.e)
		_, err = s.update(key, f)
	}
	return err
}

// update also returns how many bytes were missing if memory was full.
func (s *Session) update(key string, f func(old []byte) ([]byte, error)) (missing int64, err error) {
	e := s.e
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ended {
		return 0, fmt.Errorf("web: session has ended: %w", fault.Conflict)
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
		s.store.mu.Lock()
		total := e.bytes
		s.store.mu.Unlock()
		if total+delta > s.store.cfg.Bytes {
			return 0, fmt.Errorf("web: session value %w", fault.TooLarge)
		}
	}
	if !s.store.reserve(e, delta) {
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

// Deadline returns when the session ends if nobody touches it again, and
// whether that is the final end, which no request puts off.
func (s *Session) Deadline() (end time.Time, final bool) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	idle, most := s.e.lastSeen.Add(s.store.cfg.Idle), s.e.created.Add(s.store.cfg.Max)
	if most.Before(idle) {
		return most, true
	}
	return idle, false
}

// errGone is returned by Rotate when the session ended in another request.
var errGone = errors.New("session has ended")

// Rotate gives the session a new id and keeps its values: at every change of
// rights, so that an id planted before sign-in is worth nothing. The eight hours
// go on, since a session that could be renewed for ever would keep what was
// typed and uploaded for ever; only where nothing is kept yet they begin anew.
func (s *Session) Rotate(w http.ResponseWriter) error {
	c, ok := s.sc.rt.cfg.Cookies.find(context.Background(), SessionCookie)
	if !ok {
		return fmt.Errorf("web: cookie %s is not declared", SessionCookie)
	}
	cookie, hash := newID()
	now := s.store.cfg.Now()
	s.store.mu.Lock()
	if s.store.byID[s.e.id] != s.e {
		s.store.mu.Unlock()
		return fmt.Errorf("web: rotate: %w: %w", errGone, fault.Conflict)
	}
	delete(s.store.byID, s.e.id)
	s.e.id = hash
	s.store.byID[hash] = s.e
	s.store.touch(s.e, now)
	if s.e.bytes == 0 {
		s.e.created = now
		s.store.born.MoveToBack(s.e.born)
	}
	s.store.mu.Unlock()
	s.sc.setCookie(w, c, SessionCookie, cookie, 0)
	return nil
}

// End ends the session, deletes its cookie and has the browser forget pages it
// kept.
func (s *Session) End(w http.ResponseWriter) {
	s.store.mu.Lock()
	s.store.remove(s.e)
	s.store.mu.Unlock()
	s.store.bury(s.e)
	if c, ok := s.sc.rt.cfg.Cookies.find(context.Background(), SessionCookie); ok {
		s.sc.setCookie(w, c, SessionCookie, "", -1)
	}
	w.Header().Set("Clear-Site-Data", `"cache"`)
	s.sc.session, s.sc.state = nil, Ended
}
