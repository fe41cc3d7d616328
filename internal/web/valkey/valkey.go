// Package valkey keeps sessions in a Valkey or Redis server, so that several
// nodes share them.
//
// What it keeps true:
//
//   - The server is a store of sealed bytes in memory. The name of a session
//     there and the key that opens it both come from the random id in the
//     browser's cookie (HKDF, different labels, bound to the site); the server
//     holds neither that id nor anything that leads to it or opens a value.
//     Names of values are hidden too, and lengths are rounded up (package seal).
//   - Nothing is kept for good: Open refuses a server that writes snapshots or
//     an append-only file, or that throws out keys when memory is full.
//   - A session ends after Idle without a visit, by the server's clock, and at
//     Max by the sealed time of its beginning, whatever the server says. End
//     removes it at once.
//     A rotation that begins the time anew draws a new key, so that no server
//     carries values over into it.
//   - Two nodes that change the same value do not lose each other's change.
//
// What the server's operator can still do: see how many sessions there are, when
// they are used and how large they are about, delete them, and put an older
// value of a living session back in its place. Replicas of the server must not
// persist either; nobody but their operator can check that.
//
// It speaks to one primary, not to a cluster: a session moves from one name to
// another when its cookie changes.
package valkey

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	driver "github.com/gomodule/redigo/redis"

	"poststelle/internal/fault"
	"poststelle/internal/web"
)

// Config configures a Store; zero fields take the default.
type Config struct {
	// URL is the server: redis://user:password@host:port/number of the database,
	// the same with rediss:// for TLS, or unix://path?db=number.
	URL string
	// Trusted skips the check of the server's configuration, for a server that
	// does not let its clients ask. Whoever sets it answers for persistence
	// being off.
	Trusted   bool
	Now       func() time.Time // required
	Idle, Max time.Duration    // 30 minutes, 8 hours
	Bytes     int64            // sealed values of one session, 1 MiB
}

// timeout bounds each question to the server.
const timeout = 2 * time.Second

// Store is a web.Store on a server.
type Store struct {
	cfg    Config
	pool   *driver.Pool
	find   *driver.Script
	set    *driver.Script
	rotate *driver.Script
	end    *driver.Script
}

// Open connects to the server and checks that it keeps nothing for good. The
// error says what to change in its configuration, and never holds the URL.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	cfg.Idle = cmp.Or(cfg.Idle, web.SessionIdle)
	cfg.Max = cmp.Or(cfg.Max, web.SessionMax)
	cfg.Bytes = cmp.Or(cfg.Bytes, web.SessionBytes)
	to, ok := parse(cfg.URL)
	if !ok {
		return nil, errors.New("valkey: the address of the session store is not redis://host:port, rediss://host:port or unix://path")
	}
	s := &Store{
		cfg: cfg, pool: newPool(to),
		find: driver.NewScript(1, findScript), set: driver.NewScript(1, setScript), rotate: driver.NewScript(2, rotateScript), end: driver.NewScript(1, endScript),
	}
	if err := s.open(ctx); err != nil {
		_ = s.pool.Close()
		return nil, err
	}
	return s, nil
}

func (s *Store) open(ctx context.Context) error {
	dial, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	c, err := s.pool.GetContext(dial)
	if err != nil {
		return fmt.Errorf("valkey: session store cannot be reached: %w", errors.Join(err, fault.Unavailable))
	}
	_ = c.Close() // back to the pool
	return s.Check(ctx)
}

// Close ends the connections. The sessions go on, for the other nodes.
func (s *Store) Close() error {
	return s.pool.Close()
}

// wanted is how the server must be configured, and why.
var wanted = [...]struct{ name, value, why string }{
	{"save", "", "it writes snapshots to disk"},
	{"appendonly", "no", "it writes every change to disk"},
	{"maxmemory-policy", "noeviction", "it throws out sessions when memory is full"},
}

// Check asks the server whether it answers and is configured as it must be.
func (s *Store) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	c, err := s.pool.GetContext(ctx)
	if err != nil {
		return away(err)
	}
	defer c.Close()
	if s.cfg.Trusted {
		_, err := driver.DoContext(c, ctx, "PING")
		return away(err)
	}
	for _, w := range wanted {
		got, err := driver.StringMap(driver.DoContext(c, ctx, "CONFIG", "GET", w.name))
		if _, refused := errors.AsType[driver.Error](err); refused {
			return fmt.Errorf("valkey: the session store does not let us ask whether it keeps nothing on disk (CONFIG GET %s): allow the command, or say that it does not with --session-store-trusted: %w", w.name, fault.Denied)
		}
		if err != nil {
			return away(err)
		}
		if got[w.name] != w.value {
			return fmt.Errorf("valkey: the session store is not fit for sessions: %s (%s is %q, must be %q): %w", w.why, w.name, got[w.name], w.value, fault.Invalid)
		}
	}
	return nil
}

// away turns what went wrong with the server into fault.Unavailable.
func away(err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[driver.Error](err); ok && strings.HasPrefix(e.Error(), "OOM") {
		return fmt.Errorf("valkey: memory for sessions is full: %w", fault.Unavailable)
	}
	return fmt.Errorf("valkey: session store: %w: %w", err, fault.Unavailable)
}

// A session is one hash: "h" its sealed head, "e" the end that no visit puts
// off, in ms, "b" the bytes of the values, and a field for each value. For a
// minute after a rotation the old name holds "m" alone, sealed, for requests
// that began before.
const (
	findScript = `
local e = redis.call('HGET', KEYS[1], 'e')
if not e then return {} end
local left = tonumber(e) - tonumber(ARGV[2])
if left <= 0 then redis.call('DEL', KEYS[1]); return {} end
if ARGV[3] == '0' then
  redis.call('PEXPIRE', KEYS[1], string.format('%d', math.min(left, tonumber(ARGV[1]))))
end
return {redis.call('PTTL', KEYS[1]), redis.call('HGETALL', KEYS[1])}`

	setScript = `
local moved = redis.call('HGET', KEYS[1], 'm')
if moved then return {'moved', moved} end
if redis.call('HEXISTS', KEYS[1], 'h') == 0 then return {'gone', ''} end
local old = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if string.sub(old, 1, 34) ~= ARGV[2] then return {'other', old} end
local delta = #ARGV[3] - #old
local used = tonumber(redis.call('HGET', KEYS[1], 'b') or '0')
if delta > 0 and used + delta > tonumber(ARGV[4]) then return {'full', ''} end
if ARGV[3] == '' then redis.call('HDEL', KEYS[1], ARGV[1]) else redis.call('HSET', KEYS[1], ARGV[1], ARGV[3]) end
redis.call('HINCRBY', KEYS[1], 'b', delta)
return {'ok', ''}`

	rotateScript = `
local moved = redis.call('HGET', KEYS[1], 'm')
if moved then return {'moved', moved} end
if redis.call('HEXISTS', KEYS[1], 'h') == 0 then return {'gone', ''} end
redis.call('RENAME', KEYS[1], KEYS[2])
local chosen, m = 'kept', ARGV[4]
if redis.call('HGET', KEYS[2], 'b') == '0' then
  chosen, m = 'fresh', ARGV[5]
  redis.call('HSET', KEYS[2], 'h', ARGV[2], 'e', ARGV[3])
else
  redis.call('HSET', KEYS[2], 'h', ARGV[1])
end
local left = tonumber(redis.call('HGET', KEYS[2], 'e')) - tonumber(ARGV[6])
redis.call('PEXPIRE', KEYS[2], string.format('%d', math.max(1, math.min(left, tonumber(ARGV[7])))))
redis.call('HSET', KEYS[1], 'm', m)
redis.call('PEXPIRE', KEYS[1], 60000)
return {'ok', chosen}`

	endScript = `
local moved = redis.call('HGET', KEYS[1], 'm')
if moved then return {'moved', moved} end
redis.call('DEL', KEYS[1])
return {'ok', ''}`
)

// prefixSize is how much of a sealed value tells it from every other: suite,
// version and the random salt. The scripts know it as 34.
const prefixSize = 34
