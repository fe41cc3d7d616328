package vault

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// Guessing is slowed down, never locked out: nobody shall be able to keep a person from their work or their letters by failing in
// their name. All of it is in memory; origins are keyed hashes that web makes anew at each start.

const (
	slowMax   = 60 * time.Second
	slowTTL   = 15 * time.Minute // a failure counts so long
	slowLimit = 50_000           // entries; memory stays bounded under a flood
	knownTTL  = 30 * 24 * time.Hour
	spare     = 2 // failures that a known login may have at an origin that waits
)

// slowRule is how much a key may fail before it must wait.
type slowRule struct {
	free int           // failures without a wait
	leak time.Duration // one failure is forgotten each; 0 for none before slowTTL
	most time.Duration // the longest wait; 0 for slowMax
}

var (
	slowLogin = slowRule{free: 3}
	// A town hall stands behind one address: its people may mistype one password a minute all day.
	slowOrigin = slowRule{free: 20, leak: time.Minute}
	// One login, guessed from many networks at once.
	slowAccount = slowRule{free: 15, leak: time.Minute, most: 10 * time.Second}
	// All logins of an authority or a realm, guessed from many networks at once.
	slowScope = slowRule{free: 300, leak: 2 * time.Second, most: time.Second}
)

// slowCount is one of the counts that an attempt meets.
type slowCount struct {
	key  string
	rule slowRule
}

// slowSignIn counts an attempt with the login and at its origin; whoever tries one password with many logins meets the second
// count, and the right password of one of them does not clear it. Two more counts look at the login and at the scope (an authority
// or a realm) whatever the origin, against guesses from many networks. They pass over an origin from which this login came in before:
// its owner is not locked out while somebody else guesses. For the same reason a login that came in from an origin before may try
// spare times there although the origin has to wait: behind the one address of a town hall somebody else's failures keep nobody from
// their work. Passkeys, which nobody can guess, meet none of these.
func (v *Vault) slowSignIn(scope string, login []byte, origin string) (undo func(), ok bool) {
	own, net := slowKey("login", login, origin), slowKey("origin", nil, origin)
	counts := []slowCount{{own, slowLogin}}
	owner := origin != "" && v.slow.familiar(login, origin)
	pass := owner && v.slow.failed(own) < spare
	if origin != "" {
		counts = append(counts, slowCount{net, slowOrigin})
		if !owner {
			counts = append(counts, slowCount{slowKey("account", login, ""), slowAccount}, slowCount{slowKey("scope", []byte(scope), ""), slowScope})
		}
	}
	var undos []func()
	undo = func() {
		for _, u := range undos {
			u()
		}
	}
	for _, c := range counts {
		u, ok := v.slow.attempt(c.key, c.rule)
		if !ok && pass && c.key == net {
			continue
		}
		if !ok {
			undo()
			return nil, false
		}
		undos = append(undos, u)
	}
	return undo, true
}

type slowdown struct {
	now  func() time.Time
	mu   sync.Mutex
	all  map[string]*failures
	line map[string]int // sign-ins that hold or await an argon2 slot, by origin
	// known says when a login last came in from an origin.
	known map[string]time.Time
	// day holds when something was done in the last 24 hours.
	day map[string][]time.Time
}

type failures struct {
	n      int
	last   time.Time
	until  time.Time
	leaked time.Time // up to here failures were forgotten
}

func slowKey(kind string, account []byte, origin string) string {
	return canonical(kind, string(account), origin)
}

func (s *slowdown) init(now func() time.Time) {
	s.now, s.all, s.line, s.known = now, map[string]*failures{}, map[string]int{}, map[string]time.Time{}
	s.day = map[string][]time.Time{}
}

// succeeded forgets the failures of a login at an origin and remembers that it came in from there.
func (s *slowdown) succeeded(login []byte, origin string) {
	s.forget(slowKey("login", login, origin))
	if origin == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.known) >= slowLimit {
		dropAny(s.known)
	}
	s.known[slowKey("login", login, origin)] = s.now()
}

// familiar says whether a login came in from an origin in the last 30 days.
func (s *slowdown) familiar(login []byte, origin string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.known[slowKey("login", login, origin)]
	return ok && s.now().Sub(at) <= knownTTL
}

// failed is how often a key has failed lately.
func (s *slowdown) failed(key string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.all[key]; f != nil && s.now().Sub(f.last) <= slowTTL {
		return f.n
	}
	return 0
}

// today counts something that may be done so often in 24 hours; false when it may not any more.
func (s *slowdown) today(key string, most int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	at := slices.DeleteFunc(s.day[key], func(at time.Time) bool { return now.Sub(at) >= 24*time.Hour })
	if len(at) >= most {
		s.day[key] = at
		return false
	}
	if len(at) == 0 && len(s.day) >= slowLimit {
		dropAny(s.day)
	}
	s.day[key] = append(at, now)
	return true
}

// dropAny removes one entry: which one is random.
func dropAny[V any](m map[string]V) {
	for k := range m {
		delete(m, k)
		return
	}
}

// enter takes one of the places of an origin.
func (s *slowdown) enter(origin string, most int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if origin == "" {
		return true
	}
	if s.line[origin] >= most {
		return false
	}
	s.line[origin]++
	return true
}

func (s *slowdown) leave(origin string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.line[origin]--; s.line[origin] <= 0 {
		delete(s.line, origin)
	}
}

// attempt counts an attempt as failed before it is made, so that parallel ones cannot outrun the count. ok is false while the key
// must wait. undo takes the attempt back.
func (s *slowdown) attempt(key string, rule slowRule) (undo func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	f := s.all[key]
	if f == nil || now.Sub(f.last) > slowTTL || now.Before(f.last.Add(-slowMax)) {
		if f == nil && len(s.all) >= slowLimit {
			dropAny(s.all)
		}
		f = &failures{leaked: now}
		s.all[key] = f
	}
	if now.Before(f.until) {
		return nil, false
	}
	if rule.leak > 0 {
		gone := now.Sub(f.leaked) / rule.leak
		f.leaked = f.leaked.Add(gone * rule.leak)
		f.n = max(0, f.n-max(0, int(gone)))
	}
	before := *f
	f.n++
	f.last = now
	if f.n >= rule.free {
		f.until = now.Add(min(cmp.Or(rule.most, slowMax), time.Second<<min(f.n-rule.free, 6)))
	}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		f.n, f.until = max(f.n-1, 0), before.until
	}, true
}

func (s *slowdown) forget(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, key)
}

func (s *slowdown) sweep() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for k, f := range s.all {
		if now.Sub(f.last) > slowTTL {
			delete(s.all, k)
		}
	}
	for k, at := range s.day {
		if now.Sub(at[len(at)-1]) >= 24*time.Hour {
			delete(s.day, k)
		}
	}
	for k, at := range s.known {
		if now.Sub(at) > knownTTL {
			delete(s.known, k)
		}
	}
}
