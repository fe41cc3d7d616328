package valkey_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	driver "github.com/gomodule/redigo/redis"

	"poststelle/internal/fault"
	"poststelle/internal/web"
	"poststelle/internal/web/valkey"
	"poststelle/internal/web/valkey/valkeytest"
)

const site = "musterstadt"

type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func open(t testing.TB, srv *valkeytest.Server, c *clock, change ...func(*valkey.Config)) *valkey.Store {
	t.Helper()
	cfg := valkey.Config{URL: srv.URL, Now: c.now}
	for _, f := range change {
		f(&cfg)
	}
	s, err := valkey.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func create(t testing.TB, s *valkey.Store) (web.Kept, string) {
	t.Helper()
	k, cookie, err := s.Create(t.Context(), site)
	if err != nil {
		t.Fatal(err)
	}
	return k, cookie
}

func find(t testing.TB, s *valkey.Store, cookie string) web.Kept {
	t.Helper()
	k, err := s.Find(t.Context(), cookie, site, false)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func put(t testing.TB, k web.Kept, key, value string) {
	t.Helper()
	if err := k.Update(key, func([]byte) ([]byte, error) { return []byte(value), nil }); err != nil {
		t.Fatal(err)
	}
}

func get(k web.Kept, key string) string {
	if k == nil {
		return "no session"
	}
	v, ok := k.Get(key)
	if !ok {
		return "none"
	}
	return string(v)
}

func client(t testing.TB, srv *valkeytest.Server) driver.Conn {
	t.Helper()
	c, err := driver.DialURLContext(t.Context(), srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// everything is the whole content of the server, keys, fields and values.
func everything(t testing.TB, c driver.Conn) string {
	t.Helper()
	var b strings.Builder
	keys, err := driver.Strings(c.Do("KEYS", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		fields, err := driver.StringMap(c.Do("HGETALL", key))
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString(key)
		for name, value := range fields {
			b.WriteString("|" + name + "=" + value)
		}
		dump, err := driver.String(c.Do("DUMP", key))
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString(dump)
	}
	return b.String()
}

// Two nodes share what a session keeps; each change is seen by the next request
// of the other.
func TestStore_TwoNodes(t *testing.T) {
	srv, c := valkeytest.Start(t), &clock{t: time.Now()}
	a, b := open(t, srv, c), open(t, srv, c)
	k, cookie := create(t, a)
	put(t, k, "draft.1", "Laterne")
	other := find(t, b, cookie)
	if get(other, "draft.1") != "Laterne" || string(other.Secret()) != string(k.Secret()) {
		t.Fatalf("the other node has %q", get(other, "draft.1"))
	}
	put(t, other, "draft.2", "Baum")
	if err := other.Update("draft.1", func([]byte) ([]byte, error) { return nil, nil }); err != nil {
		t.Fatal(err)
	}
	again := find(t, a, cookie)
	if get(again, "draft.1") != "none" || get(again, "draft.2") != "Baum" || len(again.Keys("draft.")) != 1 {
		t.Errorf("back on the first node: %q %q %v", get(again, "draft.1"), get(again, "draft.2"), again.Keys(""))
	}
	if left := again.End(); string(left["draft.2"]) != "Baum" {
		t.Errorf("End() = %v", left)
	}
	if find(t, b, cookie) != nil {
		t.Error("a session lives on at the other node after its end")
	}
	if err := other.Update("x", func([]byte) ([]byte, error) { return []byte("x"), nil }); !errors.Is(err, fault.Conflict) {
		t.Errorf("Update() of an ended session = %v", err)
	}
	if n := everything(t, client(t, srv)); n != "" {
		t.Errorf("left after the end: %q", n)
	}
}

func TestStore_ConcurrentUpdates(t *testing.T) {
	srv, c := valkeytest.Start(t), &clock{t: time.Now()}
	nodes := []*valkey.Store{open(t, srv, c), open(t, srv, c)}
	_, cookie := create(t, nodes[0])
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for range 25 {
				k, err := nodes[i%2].Find(t.Context(), cookie, site, false)
				if err != nil {
					t.Error(err)
					return
				}
				err = k.Update("n", func(old []byte) ([]byte, error) {
					n, _ := strconv.Atoi(string(old))
					return []byte(strconv.Itoa(n + 1)), nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := get(find(t, nodes[0], cookie), "n"); got != "100" {
		t.Errorf("counter = %s, want 100", got)
	}
}

// A request that began before another one changed the cookie does not lose what
// it writes; the old cookie opens nothing.
func TestStore_Rotate(t *testing.T) {
	srv, c := valkeytest.Start(t), &clock{t: time.Now()}
	a, b := open(t, srv, c), open(t, srv, c)
	k, cookie := create(t, a)
	put(t, k, "draft.1", "Laterne")
	late := find(t, b, cookie)
	c.add(time.Hour)
	fresh, err := k.Rotate()
	if err != nil || fresh == cookie {
		t.Fatalf("Rotate() = %q, %v", fresh, err)
	}
	if find(t, b, cookie) != nil {
		t.Error("the old cookie opens the session")
	}
	put(t, late, "draft.2", "Baum")
	got := find(t, b, fresh)
	if get(got, "draft.1") != "Laterne" || get(got, "draft.2") != "Baum" {
		t.Errorf("under the new cookie: %q, %q", get(got, "draft.1"), get(got, "draft.2"))
	}
	c.add(7 * time.Hour) // eight since the beginning
	if find(t, a, fresh) != nil {
		t.Error("a session with values outlives eight hours by rotating")
	}
}

// A server that says a session is empty, or hides what it keeps and brings it
// back after the rotation, does not make values outlive eight hours.
func TestStore_RotateDoesNotTrust(t *testing.T) {
	srv, c := valkeytest.Start(t), &clock{t: time.Now()}
	s, raw := open(t, srv, c), client(t, srv)
	name := func() string {
		for _, key := range do(t, raw, "KEYS", "*").keys {
			if do(t, raw, "HEXISTS", key, "h").n == 1 {
				return key
			}
		}
		t.Fatal("no session")
		return ""
	}
	rotate := func(cookie string, before func()) string {
		before()
		fresh, err := find(t, s, cookie).Rotate()
		if err != nil {
			t.Fatal(err)
		}
		return fresh
	}
	lie := func() { do(t, raw, "HSET", name(), "b", "0") }

	k, cookie := create(t, s)
	put(t, k, "draft.1", "Laterne")
	c.add(7 * time.Hour)
	cookie = rotate(cookie, lie)
	c.add(2 * time.Hour)
	if k, err := s.Find(t.Context(), cookie, site, false); err != nil || k != nil {
		t.Errorf("the count of the server renews a session with values: %q, %v", get(k, "draft.1"), err)
	}
	do(t, raw, "FLUSHALL")

	k, cookie = create(t, s)
	put(t, k, "draft.1", "Laterne")
	kept, err := driver.StringMap(raw.Do("HGETALL", name()))
	if err != nil {
		t.Fatal(err)
	}
	late := find(t, s, cookie)
	cookie = rotate(cookie, func() {
		lie()
		for field := range kept {
			if field[0] == 'v' {
				do(t, raw, "HDEL", name(), field)
			}
		}
	})
	for field, value := range kept {
		if field[0] == 'v' {
			do(t, raw, "HSET", name(), field, value)
		}
	}
	if k := find(t, s, cookie); get(k, "draft.1") != "none" {
		t.Errorf("a value that the server hid during a rotation is back: %q", get(k, "draft.1"))
	}
	// A request that began before the rotation writes under the new key.
	put(t, late, "draft.2", "Baum")
	if k := find(t, s, cookie); get(k, "draft.2") != "Baum" {
		t.Errorf("from a request that began before: %q", get(k, "draft.2"))
	}
}

type answer struct {
	keys []string
	n    int64
}

// do asks the server itself.
func do(t testing.TB, c driver.Conn, cmd string, args ...any) (a answer) {
	t.Helper()
	res, err := c.Do(cmd, args...)
	if err != nil {
		t.Fatal(err)
	}
	a.keys, _ = driver.Strings(res, nil)
	a.n, _ = driver.Int64(res, nil)
	return a
}

func TestStore_Ends(t *testing.T) {
	srv, c := valkeytest.Start(t), &clock{t: time.Now()}
	s, raw := open(t, srv, c), client(t, srv)
	_, cookie := create(t, s)
	key := func() string {
		keys, err := driver.Strings(raw.Do("KEYS", "*"))
		if err != nil || len(keys) != 1 {
			t.Fatalf("keys %v, %v", keys, err)
		}
		return keys[0]
	}
	left := func() time.Duration {
		ms, err := driver.Int64(raw.Do("PTTL", key()))
		if err != nil {
			t.Fatal(err)
		}
		return time.Duration(ms) * time.Millisecond
	}
	near := func(got, want time.Duration) bool { return got <= want && got > want-10*time.Second }
	if got := left(); !near(got, 30*time.Minute) {
		t.Errorf("a new session expires in %v", got)
	}
	// Twenty of the thirty minutes go by on the server.
	shorten := func(d time.Duration) {
		if _, err := raw.Do("PEXPIRE", key(), d.Milliseconds()); err != nil {
			t.Fatal(err)
		}
	}
	shorten(10 * time.Minute)
	if k, err := s.Find(t.Context(), cookie, site, true); err != nil || k == nil || !near(left(), 10*time.Minute) {
		t.Errorf("a passive visit: %v, %v, expires in %v", k, err, left())
	}
	if k := find(t, s, cookie); k == nil || !near(left(), 30*time.Minute) {
		t.Errorf("a visit leaves %v", left())
	}
	// Shortly before the eighth hour no visit gets more than what is left.
	c.add(8*time.Hour - 5*time.Minute)
	k := find(t, s, cookie)
	if k == nil || !near(left(), 5*time.Minute) {
		t.Fatalf("five minutes before the end: expires in %v", left())
	}
	if _, final := k.Deadline(); !final {
		t.Error("the end is not called final")
	}
	c.add(5 * time.Minute)
	if find(t, s, cookie) != nil {
		t.Error("a session outlives eight hours")
	}
	if got := everything(t, raw); got != "" {
		t.Errorf("left on the server: %q", got)
	}
	// Sabotage: a server that puts the end off.
	_, cookie = create(t, s)
	if _, err := raw.Do("HSET", key(), "e", "99999999999999"); err != nil {
		t.Fatal(err)
	}
	c.add(8 * time.Hour)
	if find(t, s, cookie) != nil {
		t.Error("the server decides when a session ends")
	}
	// One that is idle goes by itself.
	short := open(t, srv, c, func(cfg *valkey.Config) { cfg.Idle = 20 * time.Millisecond })
	_, cookie = create(t, short)
	for deadline := time.Now().Add(10 * time.Second); ; {
		k, err := short.Find(t.Context(), cookie, site, true)
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("an idle session lives on, %v", err)
		}
		if k == nil {
			break
		}
	}
}

// The server holds neither the cookie nor anything that was typed, in any
// spelling, nor the names of values; and what it holds opens only where it
// stood.
func TestStore_SealsEverything(t *testing.T) {
	srv, c := valkeytest.Start(t), &clock{t: time.Now()}
	s, raw := open(t, srv, c), client(t, srv)
	k, cookie := create(t, s)
	const marker = "Geheimnis-4711-Lindenstrasse"
	put(t, k, "draft.kennung", marker)
	put(t, k, "staff.grant", "grant-"+marker)
	rotated, err := k.Rotate()
	if err != nil {
		t.Fatal(err)
	}
	dump := everything(t, raw)
	if len(dump) < 500 {
		t.Fatalf("the dump has %d bytes: it is not looked at", len(dump))
	}
	for _, id := range []string{cookie, rotated} {
		plain, err := base64.RawURLEncoding.DecodeString(id)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{id, string(plain), hex.EncodeToString(plain), base64.StdEncoding.EncodeToString(plain)} {
			if strings.Contains(dump, secret) {
				t.Error("the server holds the cookie")
			}
		}
	}
	for _, secret := range []string{marker, base64.StdEncoding.EncodeToString([]byte(marker))[:20], "kennung", "staff.grant", site, string(k.Secret())} {
		if strings.Contains(dump, secret) {
			t.Errorf("the server holds %q in the clear", secret)
		}
	}
	// Sabotage: one value in the place of the other, then one bit.
	keys, err := driver.Strings(raw.Do("KEYS", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		fields, err := driver.StringMap(raw.Do("HGETALL", key))
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for name := range fields {
			if strings.HasPrefix(name, "v") {
				names = append(names, name)
			}
		}
		if len(names) != 2 {
			continue
		}
		broken := fields[names[1]]
		broken = broken[:len(broken)-1] + string(broken[len(broken)-1]^1)
		if _, err := raw.Do("HSET", key, names[0], fields[names[1]], names[1], broken); err != nil {
			t.Fatal(err)
		}
		again := find(t, s, rotated)
		if again == nil || len(again.Keys("")) != 0 {
			t.Errorf("moved and damaged values were opened: %v", again.Keys(""))
		}
		err = again.Update("draft.kennung", func([]byte) ([]byte, error) { return []byte("x"), nil })
		if !errors.Is(err, fault.Conflict) {
			t.Errorf("Update() over a damaged value = %v", err)
		}
		if _, err := raw.Do("HSET", key, "h", fields[names[0]]); err != nil {
			t.Fatal(err)
		}
		if find(t, s, rotated) != nil {
			t.Error("a forged head was opened")
		}
		return
	}
	t.Fatal("no session with two values on the server")
}

func TestStore_SiteAndNonsense(t *testing.T) {
	srv, c := valkeytest.Start(t), &clock{t: time.Now()}
	s := open(t, srv, c)
	_, cookie := create(t, s)
	for what, ask := range map[string][2]string{
		"another site": {cookie, "beispielingen"}, "a planted id": {strings.Repeat("A", 43), site}, "no id": {"x", site}, "nothing": {"", site},
	} {
		if k, err := s.Find(t.Context(), ask[0], ask[1], false); k != nil || err != nil {
			t.Errorf("%s: %v, %v", what, k, err)
		}
	}
}

func TestStore_Limit(t *testing.T) {
	srv, c := valkeytest.Start(t), &clock{t: time.Now()}
	s := open(t, srv, c, func(cfg *valkey.Config) { cfg.Bytes = 4000 })
	k, cookie := create(t, s)
	put(t, k, "a", strings.Repeat("x", 2000))
	big := func([]byte) ([]byte, error) { return []byte(strings.Repeat("y", 3000)), nil }
	if err := k.Update("b", big); !errors.Is(err, fault.TooLarge) {
		t.Errorf("over the limit: %v", err)
	}
	if err := k.Update("a", big); err != nil {
		t.Errorf("in the place of another: %v", err)
	}
	if got := get(find(t, s, cookie), "b"); got != "none" {
		t.Errorf("refused, and there: %q", got)
	}
}

// A server that keeps sessions on disk, or throws them out, is refused.
func TestOpen_RefusesPersistence(t *testing.T) {
	c := &clock{t: time.Now()}
	for _, tc := range []struct {
		say      string
		settings []string
	}{
		{"snapshots", []string{"--save", "60 1"}},
		{"every change", []string{"--appendonly", "yes"}},
		{"throws out", []string{"--maxmemory-policy", "allkeys-lru"}},
		{"--session-store-trusted", []string{"--rename-command", "CONFIG", ""}},
	} {
		srv := valkeytest.Start(t, tc.settings...)
		s, err := valkey.Open(t.Context(), valkey.Config{URL: srv.URL, Now: c.now})
		if err == nil || !strings.Contains(err.Error(), tc.say) {
			t.Errorf("%v: %v, want %q", tc.settings, err, tc.say)
		}
		if err == nil {
			_ = s.Close()
		}
		if tc.say == "--session-store-trusted" {
			open(t, srv, c, func(cfg *valkey.Config) { cfg.Trusted = true })
		}
	}
}

func TestStore_Away(t *testing.T) {
	srv, c := valkeytest.Start(t), &clock{t: time.Now()}
	s := open(t, srv, c)
	k, cookie := create(t, s)
	srv.Stop()
	if _, err := s.Find(t.Context(), cookie, site, false); !errors.Is(err, fault.Unavailable) {
		t.Errorf("Find() = %v", err)
	}
	if _, _, err := s.Create(t.Context(), site); !errors.Is(err, fault.Unavailable) {
		t.Errorf("Create() = %v", err)
	}
	if err := k.Update("a", func([]byte) ([]byte, error) { return []byte("x"), nil }); !errors.Is(err, fault.Unavailable) {
		t.Errorf("Update() = %v", err)
	}
	if err := s.Check(context.Background()); !errors.Is(err, fault.Unavailable) {
		t.Errorf("Check() = %v", err)
	}
	srv.Resume()
	if got, err := s.Find(t.Context(), cookie, site, false); got != nil || err != nil {
		t.Errorf("after a restart: %v, %v", got, err)
	}
	create(t, s)
}
