package valkey

import (
	"bytes"
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	driver "github.com/gomodule/redigo/redis"

	"poststelle/internal/fault"
	"poststelle/internal/seal"
	"poststelle/internal/web"
)

// names are what follows from the id in a cookie.
type names struct {
	lookup string   // of the hash on the server
	kek    seal.Key // opens its head
}

// namesOf derives both from the id of a site; false for what is no id.
func namesOf(cookie, site string) (n names, ok bool) {
	raw, err := base64.RawURLEncoding.DecodeString(cookie)
	if err != nil || len(raw) != 32 {
		return n, false
	}
	lookup, err := hkdf.Key(sha256.New, raw, nil, "poststelle/session/1/lookup\x00"+site, 32)
	if err != nil {
		return n, false
	}
	kek, err := hkdf.Key(sha256.New, raw, nil, "poststelle/session/1/key\x00"+site, 32)
	if err != nil {
		return n, false
	}
	return names{"poststelle:session:" + hex.EncodeToString(lookup), seal.Key(kek)}, true
}

func newCookie(site string) (string, names) {
	var raw [32]byte
	rand.Read(raw[:]) // never fails
	cookie := base64.RawURLEncoding.EncodeToString(raw[:])
	n, _ := namesOf(cookie, site)
	return cookie, n
}

// head is what the cookie opens: the key of all values, so that another cookie
// needs another head and nothing else.
type head struct {
	Site    string `json:"site"`
	Created int64  `json:"created"` // ms
	Key     []byte `json:"key"`
	Secret  []byte `json:"secret"` // of the form tokens
}

func (h head) seal(n names) string {
	plain, err := json.Marshal(h)
	if err != nil {
		panic(err) // bytes and numbers
	}
	return string(seal.Seal(n.kek, seal.Place{Tenant: h.Site, Message: n.lookup, Part: "head"}, plain))
}

func openHead(n names, site string, sealed []byte) (h head, err error) {
	plain, err := seal.Open(n.kek, seal.Place{Tenant: site, Message: n.lookup, Part: "head"}, sealed)
	if err == nil {
		err = json.Unmarshal(plain, &h)
	}
	if err == nil && len(h.Key) != len(seal.Key{}) {
		err = seal.ErrForged
	}
	return h, err
}

// session is a web.Kept: the values as they were when the request began, and
// what it has changed since.
type session struct {
	s    *Store
	ctx  context.Context
	head head
	key  seal.Key

	mu     sync.Mutex
	lookup string
	values map[string][]byte
	end    time.Time
	final  bool
	ended  bool
}

// Create implements web.Store.
func (s *Store) Create(ctx context.Context, site string) (web.Kept, string, error) {
	cookie, n := newCookie(site)
	now := s.cfg.Now()
	key, secret := seal.NewKey(), seal.NewKey()
	h := head{Site: site, Created: now.UnixMilli(), Key: key[:], Secret: secret[:]}
	end := strconv.FormatInt(now.Add(s.cfg.Max).UnixMilli(), 10)
	ask, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if err := s.begin(ask, n.lookup, h.seal(n), end); err != nil {
		return nil, "", away(err)
	}
	return &session{s: s, ctx: ctx, head: h, key: key, lookup: n.lookup, values: map[string][]byte{}, end: now.Add(min(s.cfg.Idle, s.cfg.Max))}, cookie, nil
}

// begin writes the hash and its expiry, both or neither.
func (s *Store) begin(ctx context.Context, lookup, head, end string) error {
	c, err := s.pool.GetContext(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	expiry := min(s.cfg.Idle, s.cfg.Max).Milliseconds()
	if err := errors.Join(
		c.Send("MULTI"),
		c.Send("HSET", lookup, "h", head, "e", end, "b", "0"),
		c.Send("PEXPIRE", lookup, expiry)); err != nil {
		return err
	}
	answers, err := driver.Values(driver.DoContext(c, ctx, "EXEC"))
	if err != nil {
		return err
	}
	for _, answer := range answers {
		if refused, is := answer.(driver.Error); is {
			return refused
		}
	}
	return nil
}

// Find implements web.Store. What does not open is no session.
func (s *Store) Find(ctx context.Context, cookie, site string, passive bool) (web.Kept, error) {
	n, ok := namesOf(cookie, site)
	if !ok {
		return nil, nil
	}
	now := s.cfg.Now()
	quiet := "0"
	if passive {
		quiet = "1"
	}
	ask, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	answer, err := driver.Values(s.run(ask, s.find, n.lookup, s.cfg.Idle.Milliseconds(), now.UnixMilli(), quiet))
	if err != nil {
		return nil, away(err)
	}
	if len(answer) != 2 {
		return nil, nil
	}
	ttl, err := driver.Int64(answer[0], nil)
	if err != nil {
		return nil, away(err)
	}
	fields, err := driver.StringMap(answer[1], nil)
	if err != nil {
		return nil, away(err)
	}
	h, err := openHead(n, site, []byte(fields["h"]))
	created := time.UnixMilli(h.Created)
	if err != nil || h.Site != site || now.Sub(created) >= s.cfg.Max {
		return nil, nil
	}
	k := &session{s: s, ctx: ctx, head: h, key: seal.Key(h.Key), lookup: n.lookup, values: map[string][]byte{}}
	k.end = now.Add(time.Duration(ttl) * time.Millisecond)
	if most := created.Add(s.cfg.Max); !k.end.Before(most.Add(-time.Second)) {
		k.end, k.final = most, true
	}
	for field, sealed := range fields {
		if key, value, err := k.open(field, []byte(sealed)); err == nil {
			k.values[key] = value
		}
	}
	return k, nil
}

// field is the name of a value on the server.
func (k *session) field(key string) string {
	name := k.key.Derive("names")
	mac := hmac.New(sha256.New, name[:])
	mac.Write([]byte(key))
	return "v" + string(mac.Sum(nil)[:16])
}

func (k *session) place(field string) seal.Place {
	return seal.Place{Tenant: k.head.Site, Message: "session", Part: field}
}

func (k *session) seal(key string, value []byte) string {
	plain := binary.BigEndian.AppendUint32(nil, uint32(len(key)))
	plain = append(append(plain, key...), value...)
	return string(seal.Seal(k.key, k.place(k.field(key)), plain))
}

func (k *session) open(field string, sealed []byte) (key string, value []byte, err error) {
	if !strings.HasPrefix(field, "v") || len(field) != 17 {
		return "", nil, seal.ErrForged
	}
	plain, err := seal.Open(k.key, k.place(field), sealed)
	if err != nil {
		return "", nil, err
	}
	if len(plain) < 4 || int64(binary.BigEndian.Uint32(plain)) > int64(len(plain)-4) {
		return "", nil, seal.ErrForged
	}
	n := int(binary.BigEndian.Uint32(plain))
	return string(plain[4 : 4+n]), plain[4+n:], nil
}

// Secret implements web.Kept.
func (k *session) Secret() []byte { return k.head.Secret }

// Get implements web.Kept.
func (k *session) Get(key string) ([]byte, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	v, ok := k.values[key]
	return bytes.Clone(v), ok
}

// Keys implements web.Kept.
func (k *session) Keys(prefix string) []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	all := slices.Sorted(maps.Keys(k.values))
	return slices.DeleteFunc(all, func(key string) bool { return !strings.HasPrefix(key, prefix) })
}

// Deadline implements web.Kept.
func (k *session) Deadline() (time.Time, bool) { return k.end, k.final }

// attempts bounds how often a change is tried that others are faster with.
const attempts = 200

// Update implements web.Kept. It writes only over the value that f has seen, and
// asks f again when another request was faster.
func (k *session) Update(key string, f func(old []byte) ([]byte, error)) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	old, prefix, err := k.current(key)
	field := k.field(key)
	for range attempts {
		if err != nil {
			return err
		}
		value, err := f(bytes.Clone(old))
		if err != nil {
			return err
		}
		sealed := ""
		if value != nil {
			sealed = k.seal(key, value)
		}
		state, now, err := k.ask(k.s.set, field, prefix, sealed, k.s.cfg.Bytes)
		switch {
		case err != nil:
			return err
		case state == "ok":
			k.keep(key, value)
			return nil
		case state == "rekeyed":
			field, old, prefix = k.field(key), nil, ""
			continue
		case state == "full":
			return fmt.Errorf("valkey: session value %w", fault.TooLarge)
		case state != "other":
			k.ended = true
			return web.ErrEnded
		}
		if old, prefix, err = k.read(field, now); err != nil {
			return err
		}
	}
	return fmt.Errorf("valkey: too many changes of one value: %w", fault.Conflict)
}

func (k *session) keep(key string, value []byte) {
	if value == nil {
		delete(k.values, key)
		return
	}
	k.values[key] = bytes.Clone(value)
}

// current asks the server for a value as it is now.
func (k *session) current(key string) (value []byte, prefix string, err error) {
	if k.ended {
		return nil, "", web.ErrEnded
	}
	for range attempts {
		// No sealed value begins like this, so nothing is written, and the answer
		// holds what is there.
		field := k.field(key)
		state, now, err := k.ask(k.s.set, field, "?", "", "0")
		switch {
		case err != nil:
			return nil, "", err
		case state == "rekeyed":
			continue
		case state != "other":
			k.ended = true
			return nil, "", web.ErrEnded
		}
		return k.read(field, now)
	}
	return nil, "", fmt.Errorf("valkey: too many rotations of one session: %w", fault.Conflict)
}

func (k *session) read(field, sealed string) (value []byte, prefix string, err error) {
	if sealed == "" {
		return nil, "", nil
	}
	if _, value, err = k.open(field, []byte(sealed)); err != nil {
		return nil, "", fmt.Errorf("valkey: a session value was changed by somebody else: %w: %w", err, fault.Conflict)
	}
	return value, sealed[:prefixSize], nil
}

// moved is where a session went at a rotation, for requests that began before.
type moved struct {
	Name string `json:"name"`
	Head head   `json:"head"`
}

func (k *session) sealMoved(n names, h head) string {
	plain, err := json.Marshal(moved{Name: n.lookup, Head: h})
	if err != nil {
		panic(err) // text, bytes and numbers
	}
	return string(seal.Seal(k.key, k.place("moved"), plain))
}

// follow takes the name that a session has since a rotation; rekeyed tells that
// its values have another key there, so that what was sealed is worth nothing.
func (k *session) follow(sealed string) (rekeyed, ok bool) {
	plain, err := seal.Open(k.key, k.place("moved"), []byte(sealed))
	var m moved
	if err != nil || json.Unmarshal(plain, &m) != nil || len(m.Head.Key) != len(k.key) {
		return false, false
	}
	k.lookup = m.Name
	return k.take(m.Head), true
}

// take makes a head that of the session; true if its key is another.
func (k *session) take(h head) (rekeyed bool) {
	rekeyed = k.key != seal.Key(h.Key)
	k.head, k.key = h, seal.Key(h.Key)
	if rekeyed {
		k.values = map[string][]byte{}
	}
	return rekeyed
}

// Rotate implements web.Kept. The eight hours begin anew only with a new key for
// the values: the server says whether there are any, and if it hides some, they
// do not open any more.
func (k *session) Rotate() (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for range attempts {
		cookie, n := newCookie(k.head.Site)
		now := k.s.cfg.Now()
		fresh := k.head
		if len(k.values) == 0 {
			key := seal.NewKey()
			fresh.Created, fresh.Key = now.UnixMilli(), key[:]
		}
		end := time.UnixMilli(fresh.Created).Add(k.s.cfg.Max)
		state, chosen, err := k.askTo(n.lookup, k.s.rotate,
			k.head.seal(n), fresh.seal(n), end.UnixMilli(), k.sealMoved(n, k.head), k.sealMoved(n, fresh),
			now.UnixMilli(), k.s.cfg.Idle.Milliseconds())
		switch {
		case err != nil:
			return "", err
		case state == "rekeyed":
			continue
		case state != "ok":
			k.ended = true
			return "", web.ErrEnded
		}
		k.lookup = n.lookup
		if chosen == "fresh" {
			k.take(fresh)
		}
		return cookie, nil
	}
	return "", fmt.Errorf("valkey: too many rotations of one session: %w", fault.Conflict)
}

// End implements web.Kept. If the server is away, the session ends by itself.
func (k *session) End() map[string][]byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	values := k.values
	if !k.ended {
		_, _, _ = k.ask(k.s.end)
	}
	k.values, k.ended = map[string][]byte{}, true
	return values
}
