package accesslog_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"poststelle/internal/accesslog"
	"poststelle/internal/fault"
	"poststelle/internal/seal"
)

// keys plays the vault: a pair per day, which can be destroyed.
type keys struct {
	mu   sync.Mutex
	days map[string]seal.Private
	gone map[string]bool
	fail error
}

func newKeys() *keys { return &keys{days: map[string]seal.Private{}, gone: map[string]bool{}} }

func (k *keys) public(day string) (seal.Public, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fail != nil || k.gone[day] {
		return seal.Public{}, errors.Join(k.fail, fault.Unavailable)
	}
	if _, ok := k.days[day]; !ok {
		p, err := seal.NewPair()
		if err != nil {
			return seal.Public{}, err
		}
		k.days[day] = p
	}
	return k.days[day].Public(), nil
}

func (k *keys) open(day string, boxes, ads [][]byte) ([]seal.Key, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	p, ok := k.days[day]
	if !ok || k.gone[day] {
		return nil, fault.NotFound
	}
	var out []seal.Key
	for i := range boxes {
		b, err := p.OpenBox(boxes[i], ads[i])
		if err != nil {
			return nil, err
		}
		out = append(out, seal.Key(b))
	}
	return out, nil
}

func (k *keys) failing(err error) { k.mu.Lock(); defer k.mu.Unlock(); k.fail = err }

type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time      { c.mu.Lock(); defer c.mu.Unlock(); return c.t }
func (c *clock) add(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.t = c.t.Add(d) }

type world struct {
	dir   string
	keys  *keys
	clock *clock
	log   *accesslog.Log
	cfg   accesslog.Config
}

func newWorld(t testing.TB, set func(*accesslog.Config)) *world {
	t.Helper()
	w := &world{dir: t.TempDir(), keys: newKeys(), clock: &clock{t: noon}}
	w.cfg = accesslog.Config{Dir: w.dir, DayKey: w.keys.public, Now: w.clock.now}
	if set != nil {
		set(&w.cfg)
	}
	w.start(t)
	return w
}

func (w *world) start(t testing.TB) {
	t.Helper()
	l, err := accesslog.New(w.cfg)
	if err != nil {
		t.Fatal(err)
	}
	w.log = l
	t.Cleanup(func() { l.Close() })
}

func (w *world) entry(i int) accesslog.Entry {
	return accesslog.Entry{File: fmt.Sprintf("/seite/%d", i), Time: w.clock.now(), Bytes: 42, Success: 200, Browser: accesslog.Firefox,
		OS: accesslog.Linux, Referrer: "/abholen", IP: netip.MustParseAddr("192.0.2.77")}
}

func (w *world) export(t testing.TB, tenant string, f accesslog.Format) (string, accesslog.Report, error) {
	t.Helper()
	var b bytes.Buffer
	rep, err := accesslog.Export(t.Context(), w.dir, w.keys.open,
		accesslog.Span{Tenant: tenant, From: noon.AddDate(-1, 0, 0), To: noon.AddDate(1, 0, 0)}, f, &b)
	return b.String(), rep, err
}

func (w *world) segments(t testing.TB) []string {
	t.Helper()
	var out []string
	if err := filepath.WalkDir(w.dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			out = append(out, p)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestExport_ExactlyNineFields(t *testing.T) {
	w := newWorld(t, nil)
	w.log.Record("T1", w.entry(1))
	w.log.Record("T2", w.entry(2))
	if err := w.log.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, rep, err := w.export(t, "T1", accesslog.JSON)
	const want = `{"file":"/seite/1","time":"2026-11-22T12:00:00.123Z","bytes":42,"success":200,"browser":"Firefox","os":"Linux","referrer":"/abholen","provider":"unknown","ip":"192.0.2.77"}` + "\n"
	if err != nil || got != want || rep.Records != 1 || rep.Segments != 1 || len(rep.Unfinished) != 1 || len(rep.Cut) != 0 {
		t.Fatalf("export = %q, %+v, %v", got, rep, err)
	}
	var names []string
	d := json.NewDecoder(strings.NewReader(got))
	for depth, key := 0, true; ; {
		tok, err := d.Token()
		if err != nil {
			break
		}
		if _, ok := tok.(json.Delim); ok {
			depth++
			continue
		}
		if key {
			names = append(names, tok.(string))
		}
		key = !key
	}
	if !slices.Equal(names, accesslog.Fields()) {
		t.Errorf("fields = %q, want %q", names, accesslog.Fields())
	}
	var declared []string
	for _, c := range accesslog.Personal().Stores[0].Personal {
		declared = append(declared, c.Name)
	}
	if !slices.Equal(declared, names) || len(accesslog.Personal().Stores[0].Neutral) != 0 {
		t.Errorf("declared = %q, want %q", declared, names)
	}
	if err := accesslog.Personal().Validate(); err != nil {
		t.Error(err)
	}
	if err := w.log.Close(); err != nil {
		t.Fatal(err)
	}
	if _, rep, err := w.export(t, "T1", accesslog.JSON); err != nil || len(rep.Unfinished) != 0 {
		t.Errorf("after Close: %+v, %v", rep, err)
	}
}

func TestRecord_HostileEntry(t *testing.T) {
	w := newWorld(t, func(c *accesslog.Config) { c.Provider = fixed("Evil\r\n\x1b[31m\u202e\"Net\\") })
	e := w.entry(1)
	e.File, e.Referrer = "/a\"}\n{\"x\":\"", "https://x/\r\n\x1b]0;\u2028"
	e.Browser, e.OS = "<script>", "Plan 9\n"
	w.log.Record("T1", e)
	if err := w.log.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, f := range []accesslog.Format{accesslog.JSON, accesslog.Combined} {
		got, _, err := w.export(t, "T1", f)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Count(got, "\n") != 1 || strings.ContainsAny(got, "\r\x1b\u202e\u2028") || strings.Contains(got, "script") {
			t.Errorf("%s: %q", f, got)
		}
	}
	got, _, _ := w.export(t, "T1", accesslog.JSON)
	var v map[string]any
	if err := json.Unmarshal([]byte(got), &v); err != nil || len(v) != 9 || v["provider"] != `Evil[31m"Net\` || v["browser"] != accesslog.Unknown {
		t.Errorf("%q: %v, %v", got, v, err)
	}
}

type fixed string

func (f fixed) Lookup(netip.Addr) string { return string(f) }

func TestRecord_Mode(t *testing.T) {
	w := newWorld(t, func(c *accesslog.Config) {
		c.Mode = func(tenant string) accesslog.Mode {
			if tenant == "short" {
				return accesslog.Truncated
			}
			return accesslog.Full
		}
	})
	for _, ip := range []string{"203.0.113.77", "::ffff:203.0.113.77", "2001:db8:1:2:3:4:5:6%eth0"} {
		e := w.entry(0)
		e.IP = netip.MustParseAddr(ip)
		w.log.Record("short", e)
		w.log.Record("full", e)
	}
	if err := w.log.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	for tenant, want := range map[string][]string{
		"short": {"203.0.113.0", "203.0.113.0", "2001:db8:1::"}, "full": {"203.0.113.77", "203.0.113.77", "2001:db8:1:2:3:4:5:6"},
	} {
		got, _, err := w.export(t, tenant, accesslog.Combined)
		if err != nil {
			t.Fatal(err)
		}
		var ips []string
		for l := range strings.Lines(got) {
			ips = append(ips, strings.Fields(l)[0])
		}
		if !slices.Equal(ips, want) {
			t.Errorf("%s: %q, want %q", tenant, ips, want)
		}
	}
}

// A marker in query, header, cookie and path parameter is nowhere: not in the
// files, not in an export.
func TestCanary(t *testing.T) {
	const canary = "CANARYx7q"
	w := newWorld(t, nil)
	w.log.Record("T1", accesslog.FromRequest(accesslog.Request{
		Route: "GET /amt/vorgang/{id}?" + canary, Time: noon, Status: 200, UserAgent: "Mozilla/5.0 (X11; Linux) Firefox/1 " + canary,
		Referer: "https://stadt.example/amt/vorgang/" + canary + "?a=" + canary, IP: netip.MustParseAddr("192.0.2.1"), Own: own, RouteOf: routeOf,
	}))
	w.log.Record("T1", accesslog.FromRequest(accesslog.Request{
		Route: "", Time: noon, Status: 404, Referer: "https://" + canary + "@x.example/a?" + canary, IP: netip.MustParseAddr("192.0.2.1"),
	}))
	if err := w.log.Close(); err != nil {
		t.Fatal(err)
	}
	got, _, err := w.export(t, "T1", accesslog.JSON)
	if err != nil || strings.Count(got, "\n") != 2 || strings.Contains(got, canary) {
		t.Errorf("export = %q, %v", got, err)
	}
	for _, f := range w.segments(t) {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []string{canary, "192.0.2.1", "vorgang", "Firefox", "x.example"} {
			if bytes.Contains(b, []byte(s)) {
				t.Errorf("%s stands in the file", s)
			}
		}
	}
}

func TestExport_KeyDestroyed(t *testing.T) {
	w := newWorld(t, nil)
	w.log.Record("T1", w.entry(1))
	if err := w.log.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.clock.add(24 * time.Hour)
	w.log.Record("T1", w.entry(2))
	if err := w.log.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, rep, err := w.export(t, "T1", accesslog.JSON); err != nil || rep.Records != 2 || rep.Segments != 2 {
		t.Fatalf("export = %q, %+v, %v", got, rep, err)
	}
	w.keys.gone["2026-11-22"] = true
	got, rep, err := w.export(t, "T1", accesslog.JSON)
	if err != nil || rep.Records != 1 || !slices.Equal(rep.Gone, []string{"2026-11-22"}) || strings.Contains(got, "/seite/1") {
		t.Errorf("export = %q, %+v, %v", got, rep, err)
	}
	// A key of another day does not help.
	w.keys.gone["2026-11-22"] = false
	w.keys.days["2026-11-22"] = w.keys.days["2026-11-23"]
	if got, _, err := w.export(t, "T1", accesslog.JSON); err == nil || got != "" {
		t.Errorf("export with another key = %q, %v", got, err)
	}
}

func TestSweep(t *testing.T) {
	w := newWorld(t, nil)
	for range 32 {
		w.log.Record("T1", w.entry(1))
		if err := w.log.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.clock.add(24 * time.Hour)
	}
	w.clock.add(-24 * time.Hour) // day 32; days 1 and 2 are 31 and 30 days old
	n, err := w.log.Sweep(t.Context())
	if left := len(w.segments(t)); n != 2 || err != nil || left != 30 {
		t.Errorf("Sweep() = %d, %v, %d left", n, err, left)
	}
}

// Every change of a finished file is noticed.
func TestExport_Tampered(t *testing.T) {
	w := newWorld(t, nil)
	for i := range 3 {
		w.log.Record("T1", w.entry(i))
		if err := w.log.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.log.Close(); err != nil {
		t.Fatal(err)
	}
	file := w.segments(t)[0]
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	put := func(b []byte) {
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for i := 0; i < len(good); i += 7 {
		bad := bytes.Clone(good)
		bad[i] ^= 1
		put(bad)
		if got, rep, err := w.export(t, "T1", accesslog.JSON); err == nil && len(rep.Cut) == 0 {
			t.Fatalf("flipped bit at %d unnoticed: %q, %+v", i, got, rep)
		}
	}
	for i := range good {
		put(good[:i])
		got, rep, err := w.export(t, "T1", accesslog.JSON)
		if err == nil && len(rep.Cut)+len(rep.Unfinished) == 0 {
			t.Fatalf("cut at %d unnoticed: %q, %+v", i, got, rep)
		}
	}
	put(append(bytes.Clone(good), 0, 0, 0, 16))
	if _, rep, err := w.export(t, "T1", accesslog.JSON); err == nil && len(rep.Cut) == 0 {
		t.Error("trailing bytes unnoticed")
	}
	// Two frames swapped.
	head := len(good)
	var frames [][]byte
	for p := 10 + int(good[8])<<8 + int(good[9]); p < len(good); {
		head = min(head, p)
		n := 4 + int(good[p+2])<<8 + int(good[p+3])
		frames = append(frames, good[p:p+n])
		p += n
	}
	if len(frames) != 4 {
		t.Fatalf("%d frames", len(frames))
	}
	put(slices.Concat(good[:head], frames[1], frames[0], frames[2], frames[3]))
	if got, _, err := w.export(t, "T1", accesslog.JSON); !errors.Is(err, accesslog.ErrForged) || got != "" {
		t.Errorf("swapped frames: %q, %v", got, err)
	}
	put(slices.Concat(good[:head], frames[0], frames[2], frames[3]))
	if _, _, err := w.export(t, "T1", accesslog.JSON); !errors.Is(err, accesslog.ErrForged) {
		t.Errorf("frame left out: %v", err)
	}
	// The file in another tenant's directory.
	put(good)
	other := filepath.Join(w.dir, "T2", "2026-11-22")
	if err := os.MkdirAll(other, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file, filepath.Join(other, filepath.Base(file))); err != nil {
		t.Fatal(err)
	}
	if got, _, err := w.export(t, "T2", accesslog.JSON); err == nil || got != "" {
		t.Errorf("foreign file: %q, %v", got, err)
	}
}

func TestLog_NewSegmentAfterMidnightAndRestart(t *testing.T) {
	w := newWorld(t, nil)
	for i := range 3 {
		w.log.Record("T1", w.entry(i))
		if err := w.log.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		switch i {
		case 0:
			w.clock.add(13 * time.Hour)
		case 1:
			if err := w.log.Close(); err != nil {
				t.Fatal(err)
			}
			w.start(t)
		}
	}
	if n := len(w.segments(t)); n != 3 {
		t.Errorf("%d segments, want 3", n)
	}
	if _, rep, err := w.export(t, "T1", accesslog.JSON); err != nil || rep.Records != 3 || len(rep.Unfinished) != 1 {
		t.Errorf("%+v, %v", rep, err)
	}
}

func TestLog_DiskFails(t *testing.T) {
	w := newWorld(t, func(c *accesslog.Config) { c.MaxPending = 20_000 })
	w.keys.failing(errors.New("no key"))
	w.log.Record("T1", w.entry(0))
	if err := w.log.Flush(t.Context()); err == nil {
		t.Fatal("Flush() = nil")
	}
	if err := w.log.Health(); !errors.Is(err, fault.Unavailable) || strings.Contains(err.Error(), "lost") {
		t.Fatalf("Health() = %v", err)
	}
	for i := range 10 {
		w.log.Record("T1", w.entry(i+1))
	}
	w.keys.failing(nil)
	if err := w.log.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.log.Health(); err != nil {
		t.Errorf("Health() = %v", err)
	}
	got, rep, err := w.export(t, "T1", accesslog.JSON)
	if err != nil || rep.Records != 11 {
		t.Errorf("%+v, %v", rep, err)
	}
	i := 0
	for l := range strings.Lines(got) {
		if !strings.Contains(l, fmt.Sprintf(`"/seite/%d"`, i)) {
			t.Errorf("record %d is %s", i, l)
		}
		i++
	}
	// Beyond the bound entries are dropped, counted and reported.
	w.keys.failing(errors.New("no key"))
	w.clock.add(24 * time.Hour)
	w.log.Record("T1", w.entry(0))
	_ = w.log.Flush(t.Context())
	for i := range 200 {
		w.log.Record("T1", w.entry(i))
	}
	if err := w.log.Health(); err == nil || !strings.Contains(err.Error(), "entries lost") {
		t.Errorf("Health() = %v", err)
	}
	w.keys.failing(nil)
}

// With a healthy disk a full buffer makes callers wait; nothing is lost.
func TestLog_FullBufferWaits(t *testing.T) {
	w := newWorld(t, func(c *accesslog.Config) { c.MaxPending = 2_000 })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.log.Run(ctx) }()
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 250 {
				w.log.Record(fmt.Sprint("T", g), w.entry(i))
			}
		})
	}
	wg.Wait()
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	for g := range 4 {
		if _, rep, err := w.export(t, fmt.Sprint("T", g), accesslog.JSON); err != nil || rep.Records != 250 {
			t.Errorf("T%d: %+v, %v", g, rep, err)
		}
	}
	if err := w.log.Health(); err != nil {
		t.Error(err)
	}
}

// TestMain lets the test binary be the process that is killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("ACCESSLOG_CHILD"); dir != "" {
		child(dir, os.Getenv("ACCESSLOG_KEY"))
		return
	}
	os.Exit(m.Run())
}

func child(dir, key string) {
	pub, err := os.ReadFile(key)
	if err != nil {
		panic(err)
	}
	p, err := seal.ParsePublic(pub)
	if err != nil {
		panic(err)
	}
	l, err := accesslog.New(accesslog.Config{Dir: dir, Now: func() time.Time { return noon },
		DayKey: func(string) (seal.Public, error) { return p, nil }})
	if err != nil {
		panic(err)
	}
	w := world{clock: &clock{t: noon}}
	for i := 0; ; i++ {
		l.Record("T1", w.entry(i))
		if i%10 == 9 {
			if err := l.Flush(context.Background()); err != nil {
				panic(err)
			}
			fmt.Println(i + 1)
		}
	}
}

func TestLog_Killed(t *testing.T) {
	w := newWorld(t, nil)
	pub, err := w.keys.public("2026-11-22")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, pub.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "ACCESSLOG_CHILD="+w.dir, "ACCESSLOG_KEY="+file)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	acked := 0
	for s := bufio.NewScanner(out); s.Scan(); {
		if _, err := fmt.Sscan(s.Text(), &acked); err != nil {
			t.Fatal(err)
		}
		if acked >= 200 && cmd.Process != nil {
			if err := cmd.Process.Kill(); err != nil {
				break
			}
		}
	}
	_ = cmd.Wait()
	got, rep, err := w.export(t, "T1", accesslog.JSON)
	if err != nil || rep.Records < acked || acked < 200 || len(rep.Unfinished)+len(rep.Cut) != 1 {
		t.Errorf("%d acknowledged, %+v, %v", acked, rep, err)
	}
	if n := strings.Count(got, "\n"); n != rep.Records {
		t.Errorf("%d lines for %d records", n, rep.Records)
	}
}

func BenchmarkRecord(b *testing.B) {
	w := newWorld(b, nil)
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- w.log.Run(ctx) }()
	e := w.entry(1)
	b.ReportAllocs()
	for b.Loop() {
		w.log.Record("T1", e)
	}
	cancel()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
}
