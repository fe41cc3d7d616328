// Package accesslog records every page access and every retrieval of a file:
// exactly the nine fields that the notice names, no tenth.
//
// What it keeps true:
//
//   - A record holds the route pattern, never a query, a header, a cookie or
//     the value of a path parameter; browser and system only as coarse types.
//     The raw header is gone before anything is written.
//   - Records lie sealed in one set of files per tenant and day. The key of a
//     file is sealed to the log key of its day, whose private half only the
//     vault has. When the vault destroys that half after 30 days, no copy of
//     the files opens any more, in no backup either; Sweep then only tidies.
//   - This process can append and cannot read back.
//   - Record does not wait for the disk, and drops nothing silently.
//
// What it does not do: rotate or hand out day keys (package vault), decide who
// may export (the caller asks for a ground and writes the journal), or look up
// names in the DNS, ever.
//
// Durability: records reach the file within Config.FlushEvery, where they
// survive the death of the process, and the disk within Config.SyncEvery.
// Flush and Close make everything durable at once.
package accesslog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"poststelle/internal/fault"
	"poststelle/internal/seal"
)

// Config says where and for whom to write.
type Config struct {
	// Dir is the directory of the segments: Dir/<tenant>/<day>/<name>.seg.
	// It is made when it does not exist.
	Dir string
	// DayKey returns the vault's public log key of a day (UTC, "2006-01-02"),
	// from the delegation that the process holds. It must not block.
	DayKey func(day string) (seal.Public, error)
	// Now is the clock.
	Now func() time.Time
	// Mode says how much of an address a tenant keeps; nil means Full.
	Mode func(tenant string) Mode
	// Provider names the operator of a network; nil means that it is unknown.
	Provider Provider
	// Log receives changes of health.
	Log *slog.Logger
	// FlushEvery is the pause between two writes of Run; 0 means 500 ms.
	FlushEvery time.Duration
	// SyncEvery is the pause between two syncs of Run; 0 means 5 s.
	SyncEvery time.Duration
	// MaxPending bounds the memory for records not yet written, in bytes; 0
	// means 16 MB.
	MaxPending int
	// Period is how long files stay; 0 means 30 days.
	Period time.Duration
}

// Bounds of what is kept per open segment.
const (
	maxOpen = 4096
	idle    = time.Hour
)

// Log writes records. Its methods may be called from any goroutine.
type Log struct {
	cfg  Config
	root *os.Root
	kick chan struct{} // asks Run for a write before its time

	mu      sync.Mutex
	pending map[slot]*batch
	size    int // bytes in pending and in the hands of the writer
	health  error
	lost    int64
	closed  bool

	writer   chan struct{} // held by whoever writes; guards what follows
	open     map[slot]*segment
	lastSync time.Time
}

type slot struct{ tenant, day string }

type batch struct{ lines []byte }

// New opens the directory. It starts nothing: without Run, records stay in
// memory until Flush or Close.
func New(cfg Config) (*Log, error) {
	if cfg.Dir == "" || cfg.DayKey == nil || cfg.Now == nil {
		return nil, errors.New("accesslog: Dir, DayKey and Now are required")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	cfg.FlushEvery = cmp.Or(cfg.FlushEvery, 500*time.Millisecond)
	cfg.SyncEvery = cmp.Or(cfg.SyncEvery, 5*time.Second)
	cfg.MaxPending = cmp.Or(cfg.MaxPending, 16<<20)
	cfg.Period = cmp.Or(cfg.Period, Period)
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("accesslog: %w", err)
	}
	root, err := os.OpenRoot(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("accesslog: %w", err)
	}
	return &Log{
		cfg: cfg, root: root, kick: make(chan struct{}, 1), pending: map[slot]*batch{},
		writer: make(chan struct{}, 1), open: map[slot]*segment{},
	}, nil
}

// tenantForm reports whether id can be a directory name. "-" stands for
// requests that belong to no tenant.
func tenantForm(id string) bool {
	if id == "" || len(id) > 64 {
		return false
	}
	for i := range len(id) {
		c := id[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return true
}

// Record takes an entry for the tenant ("-" for a request to no tenant). It
// fills in the provider, shortens the address as the tenant wants, and brings
// every field inside its rules.
//
// It waits only while the memory for records is full and the writer works. If
// the disk or the day key fails for so long that the memory is full, entries
// are dropped, counted, and reported by Health: a letter to the office is
// worth more than the record of a page.
func (l *Log) Record(tenant string, e Entry) {
	if e.Provider == "" && l.cfg.Provider != nil && e.IP.IsValid() {
		e.Provider = l.cfg.Provider.Lookup(e.IP.Unmap().WithZone(""))
	}
	now := l.cfg.Now().UTC()
	if e.Time.IsZero() {
		e.Time = now
	}
	mode := Full
	if l.cfg.Mode != nil {
		mode = l.cfg.Mode(tenant)
	}
	var room [512]byte
	line := e.normal(mode).appendJSON(room[:0])
	// The day is that of the recording. A record never lies under the key of
	// an earlier day than the access, so it never outlives its period.
	s := slot{tenant, now.Format(dayForm)}

	l.mu.Lock()
	for l.size+len(line) > l.cfg.MaxPending && l.health == nil && !l.closed {
		l.mu.Unlock()
		_ = l.write(context.Background(), false) // waits for a write under way, or makes room itself
		l.mu.Lock()
	}
	defer l.mu.Unlock()
	if l.closed || !tenantForm(tenant) || l.size+len(line) > l.cfg.MaxPending {
		if l.lost++; l.lost == 1 {
			l.cfg.Log.Error("access log drops records")
		}
		return
	}
	b := l.pending[s]
	if b == nil {
		b = &batch{}
		l.pending[s] = b
	}
	b.lines = append(b.lines, line...)
	l.size += len(line)
	if l.size > l.cfg.MaxPending/2 && l.health == nil {
		l.hurry()
	}
}

func (l *Log) hurry() {
	select {
	case l.kick <- struct{}{}:
	default:
	}
}

// Run writes until ctx ends, and then once more.
func (l *Log) Run(ctx context.Context) error {
	t := time.NewTicker(l.cfg.FlushEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return l.Flush(context.WithoutCancel(ctx))
		case <-t.C:
		case <-l.kick:
		}
		_ = l.write(ctx, false) // kept as health, tried again at the next tick
	}
}

// Flush makes every entry recorded so far durable, or says why it cannot; the
// entries are kept then.
func (l *Log) Flush(ctx context.Context) error { return l.write(ctx, true) }

// Close flushes, ends the open segments and closes the log. Entries recorded
// afterwards are lost and counted.
func (l *Log) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	l.mu.Unlock()
	err := l.write(context.Background(), true)
	l.writer <- struct{}{}
	for k, s := range l.open {
		err = errors.Join(err, l.end(k, s))
	}
	err = errors.Join(err, l.root.Close())
	<-l.writer
	return err
}

// Health returns nil, or why entries wait in memory or have been lost.
func (l *Log) Health() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.health
	if l.lost > 0 {
		err = errors.Join(err, fmt.Errorf("accesslog: %d entries lost", l.lost))
	}
	if err == nil {
		return nil
	}
	return &fault.Error{Kind: fault.Unavailable, Err: err}
}

// write brings everything pending into segments. Callers wait for each other.
func (l *Log) write(ctx context.Context, sync bool) error {
	select {
	case l.writer <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("accesslog: flush: %w", ctx.Err())
	}
	defer func() { <-l.writer }()

	l.mu.Lock()
	taken := l.pending
	l.pending = map[slot]*batch{}
	l.mu.Unlock()

	var errs []error
	done := 0
	for s, b := range taken {
		n, err := l.append(s, b.lines)
		done += n
		if b.lines = b.lines[n:]; err == nil {
			delete(taken, s)
		} else {
			errs = append(errs, err)
		}
	}
	l.tidy()
	now := l.cfg.Now()
	if sync || now.Sub(l.lastSync) >= l.cfg.SyncEvery {
		l.lastSync = now
		for k, s := range l.open {
			if err := s.sync(l.root); err != nil {
				delete(l.open, k)
				errs = append(errs, fmt.Errorf("accesslog: sync: %w", err))
			}
		}
	}
	err := errors.Join(errs...)
	l.settle(taken, done, err)
	return err
}

// settle puts back what could not be written, before what came meanwhile.
func (l *Log) settle(rest map[slot]*batch, done int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for s, b := range rest {
		if newer := l.pending[s]; newer != nil {
			b.lines = append(b.lines, newer.lines...)
		}
		l.pending[s] = b
	}
	l.size -= done
	if (err == nil) != (l.health == nil) {
		if err != nil {
			l.cfg.Log.Error("access log cannot write", "kind", fault.KindOf(err).Error())
		} else {
			l.cfg.Log.Info("access log writes again", "lost", l.lost)
		}
	}
	l.health = err
}

// append writes lines in frames and returns how many bytes are in the file.
func (l *Log) append(k slot, lines []byte) (n int, err error) {
	for n < len(lines) {
		s := l.open[k]
		if s == nil {
			if s, err = l.begin(k); err != nil {
				return n, fmt.Errorf("accesslog: open segment: %w", err)
			}
			l.open[k] = s
		}
		end := n + min(len(lines)-n, maxFrame)
		if end < len(lines) {
			end = n + lastLine(lines[n:end])
		}
		if err := s.write(l.root, 'f', lines[n:end]); err != nil {
			delete(l.open, k) // its next frame number is spent
			return n, fmt.Errorf("accesslog: write: %w", err)
		}
		s.used = l.cfg.Now()
		n = end
	}
	return n, nil
}

// lastLine returns the length of the whole lines in b.
func lastLine(b []byte) int {
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] == '\n' {
			return i + 1
		}
	}
	return len(b)
}

// begin opens a segment. Entries that waited over midnight, and whose day's
// key is no longer delegated, go under today's key.
func (l *Log) begin(k slot) (*segment, error) {
	day := k.day
	pub, err := l.cfg.DayKey(day)
	if today := l.cfg.Now().UTC().Format(dayForm); err != nil && day < today {
		day = today
		pub, err = l.cfg.DayKey(day)
	}
	if err != nil {
		return nil, err
	}
	return create(l.root, k.tenant, day, pub)
}

// end writes the final frame.
func (l *Log) end(k slot, s *segment) error {
	delete(l.open, k)
	return errors.Join(s.write(l.root, 'e', nil), s.sync(l.root))
}

// tidy ends segments of past days and idle ones, and the longest unused ones
// beyond maxOpen.
func (l *Log) tidy() {
	now := l.cfg.Now()
	today := now.UTC().Format(dayForm)
	for k, s := range l.open {
		if s.day != today || now.Sub(s.used) > idle {
			_ = l.end(k, s) // an unfinished segment is readable too
		}
	}
	if len(l.open) <= maxOpen {
		return
	}
	keys := make([]slot, 0, len(l.open))
	for k := range l.open {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b slot) int { return l.open[a].used.Compare(l.open[b].used) })
	for _, k := range keys[:len(keys)-maxOpen] {
		_ = l.end(k, l.open[k])
	}
}

// Provider names the operator of the network an address belongs to.
// Implementations look into a table at hand and never ask the network.
type Provider interface {
	// Lookup returns the name, or UnknownProvider.
	Lookup(netip.Addr) string
}

// Sweep removes the files of days that lie Period or longer in the past and
// returns how many days it removed. The period itself is kept by the vault,
// which destroys the keys; this frees the space.
func (l *Log) Sweep(ctx context.Context) (int, error) {
	limit := l.cfg.Now().UTC().Add(-l.cfg.Period).Format(dayForm)
	tenants, err := subdirs(l.root, ".")
	if err != nil {
		return 0, fmt.Errorf("accesslog: sweep: %w", err)
	}
	n := 0
	for _, t := range tenants {
		days, err := subdirs(l.root, t)
		if err != nil {
			return n, fmt.Errorf("accesslog: sweep: %w", err)
		}
		for _, d := range days {
			if err := ctx.Err(); err != nil {
				return n, err
			}
			if _, err := time.Parse(dayForm, d); err != nil || d > limit {
				continue
			}
			if err := l.root.RemoveAll(t + "/" + d); err != nil {
				return n, fmt.Errorf("accesslog: sweep: %w", err)
			}
			n++
		}
	}
	return n, nil
}

// subdirs lists the directories below dir.
func subdirs(root *os.Root, dir string) ([]string, error) {
	f, err := root.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	entries, err := f.ReadDir(-1)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			out = append(out, e.Name())
		}
	}
	slices.Sort(out)
	return out, nil
}
