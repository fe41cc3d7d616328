package proof_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "modernc.org/sqlite" // to check the files that were left

	"poststelle/internal/blob"
	"poststelle/internal/seal"
	"poststelle/internal/web"
	"poststelle/internal/web/webtest"
)

// sentLetter is what the test knows of a letter that it began to send.
type sentLetter struct {
	core    string
	code    string        // follows from the token of the check page
	check   *webtest.Page // to be pressed again
	known   bool          // acknowledged, or confirmed when pressed again
	answers []string      // acknowledged
	dying   bool          // a deletion was asked for
	gone    bool          // and acknowledged
	touched bool          // in this round
}

// ledger is what has been acknowledged, by the word in each letter.
type ledger struct {
	mu      sync.Mutex
	letters map[string]*sentLetter
	n       int
}

func (b *ledger) add(code string, check *webtest.Page, core string) *sentLetter {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := &sentLetter{core: core, code: code, check: check, touched: true}
	b.letters[core] = l
	return l
}

func (b *ledger) word() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.n++
	return fmt.Sprintf("Kernwort%05dx", b.n)
}

// of returns the letter that a page shows.
func (b *ledger) of(p *webtest.Page) *sentLetter {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := strings.Index(p.Body, "Kernwort")
	if at < 0 || len(p.Body) < at+14 {
		return nil
	}
	return b.letters[p.Body[at:at+14]]
}

func (b *ledger) do(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
}

// touched returns the letters of the last round and forgets that they were.
func (b *ledger) touched() (out []*sentLetter) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.letters {
		if l.touched {
			out = append(out, l)
			l.touched = false
		}
	}
	return out
}

// killed is the server of one round.
type killed struct {
	t     *testing.T
	addr  string
	books *ledger
	dead  atomic.Bool
	nets  *atomic.Int64
	seed  uint64
}

// gentle is a testing.TB for browsers whose server may die: a failure ends the
// worker, and counts only when the server was not killed.
type gentle struct {
	testing.TB
	k *killed
}

type ended struct{ reason string }

func (g gentle) Fatalf(format string, args ...any) { panic(ended{fmt.Sprintf(format, args...)}) }
func (g gentle) Errorf(format string, args ...any) { panic(ended{fmt.Sprintf(format, args...)}) }
func (g gentle) Fatal(args ...any)                 { panic(ended{fmt.Sprint(args...)}) }
func (g gentle) Helper()                           {}

// browser has a network of its own, so that limits per network do not count.
func (k *killed) browser(g gentle) *webtest.Client {
	c := webtest.Dial(g, k.addr)
	c.Host, c.MayBreak = musterstadt, true
	n := k.nets.Add(1)
	c.Header.Set("X-Forwarded-For", fmt.Sprintf("10.%d.%d.7", n>>8&255, n&255))
	return c
}

// run runs a worker until it ends or the server dies.
func (k *killed) run(wg *sync.WaitGroup, name string, work func(g gentle, r *rand.Rand)) {
	k.seed++
	r := rand.New(rand.NewPCG(k.seed, 1))
	wg.Go(func() {
		defer func() {
			if e := recover(); e != nil {
				end, ok := e.(ended)
				if !ok {
					panic(e)
				}
				if !k.dead.Load() {
					k.t.Errorf("%s: %s", name, end.reason)
				}
			}
		}()
		for !k.dead.Load() {
			work(gentle{k.t, k}, r)
		}
	})
}

// went looks at the answer to a form that changes something: true when it was
// acknowledged. An error of the server that was not killed ends the worker.
func (k *killed) went(g gentle, p *webtest.Page) bool {
	if p.Status >= 500 {
		g.Fatalf("%s: %d %s", p.Path, p.Status, p.Text("main"))
	}
	return p.Status == http.StatusSeeOther
}

// citizen sends letters.
func (k *killed) citizen(g gentle, r *rand.Rand) {
	c := k.browser(g)
	core := k.books.word()
	check := filed(g, c, letter{
		mailbox: "tiefbauamt", topic: "schaden", subject: "Betreff " + core, body: "Ein Text mit dem " + core + " darin.",
		files: []file{textFile("a.txt", core, 500+r.IntN(90_000))},
	})
	token, err := seal.ParseToken(formTo(g, check, "/nachricht/5").Get("token"))
	if err != nil {
		g.Fatalf("check page: %v", err)
	}
	l := k.books.add(string(token.Code()), check, core)
	c.NoFollow = true
	if p := press(g, check); k.went(g, p) {
		k.books.do(func() { l.known = true })
	}
}

// office returns a browser of a signed-in clerk.
func (k *killed) office(g gentle, who clerk) *webtest.Client {
	c := k.browser(g)
	p := formTo(g, c.Get("/amt/anmelden"), "/amt/anmelden").Set("login", who.login).Set("password", who.password).Submit()
	if p.Status != http.StatusOK {
		g.Fatalf("sign-in: %d", p.Status)
	}
	return c
}

// pick opens one of the newest threads.
func (k *killed) pick(g gentle, c *webtest.Client, r *rand.Rand) (string, *webtest.Page, *sentLetter) {
	all := links(c.Get("/amt/eingang"), "/amt/vorgang/")
	if len(all) == 0 {
		return "", nil, nil
	}
	path := all[r.IntN(len(all))]
	p := c.Get(path)
	l := k.books.of(p)
	if p.Status != http.StatusOK || l == nil {
		return "", nil, nil
	}
	return path, p, l
}

func (k *killed) answerOne(g gentle, c *webtest.Client, r *rand.Rand) {
	_, p, l := k.pick(g, c, r)
	if l == nil {
		return
	}
	said := "Antwort" + k.books.word()
	f := formTo(g, p, "/antwort").Set("body", "Zu Ihrem Anliegen: "+said)
	if r.IntN(2) == 0 {
		x := textFile("antwort.txt", said, 3000)
		f.File("files", x.name, x.typ, x.data)
	}
	c.NoFollow = true
	defer func() { c.NoFollow = false }()
	if k.went(g, f.Submit("aktion=senden")) {
		k.books.do(func() { l.answers, l.touched = append(l.answers, said), true })
	}
}

func (k *killed) deleteOne(g gentle, c *webtest.Client, r *rand.Rand) {
	path, _, l := k.pick(g, c, r)
	if l == nil {
		return
	}
	p := c.Get(path + "/loeschen")
	if p.Status != http.StatusOK {
		return
	}
	f := formTo(g, p, "/loeschen").Set("grund", "erledigt")
	k.books.do(func() { l.dying, l.touched = true, true })
	c.NoFollow = true
	defer func() { c.NoFollow = false }()
	if k.went(g, f.Submit()) {
		k.books.do(func() { l.gone = true })
	}
}

// check looks at every letter of the last round on the new server.
func (k *killed) check(g gentle) {
	c := k.browser(g)
	c.MayBreak = false
	for _, l := range k.books.touched() {
		if !l.known {
			k.pressAgain(g, l)
		}
		p := collect(g, k.browser(g), l.code)
		open := p.Status == http.StatusOK
		if !open && p.Status != http.StatusUnprocessableEntity && p.Status != http.StatusNotFound {
			k.t.Errorf("%s: the code is answered with %d", l.core, p.Status)
		}
		switch {
		case open && l.gone:
			k.t.Errorf("%s: deleted and acknowledged, and opens", l.core)
		case !open && l.known && !l.dying:
			k.t.Errorf("%s: acknowledged and lost", l.core)
		case open && !l.known:
			k.t.Errorf("%s: opens although pressing again said it was not sent", l.core)
		case open && !strings.Contains(p.Body, l.core):
			k.t.Errorf("%s: the code opens something else", l.core)
		}
		for _, a := range l.answers {
			if open && strings.Count(p.Body, a) != 1 {
				k.t.Errorf("%s: the acknowledged answer %s stands there %d times", l.core, a, strings.Count(p.Body, a))
			}
		}
	}
}

// pressAgain sends the check page of an unacknowledged letter once more, as a
// browser does after a broken connection.
func (k *killed) pressAgain(g gentle, l *sentLetter) {
	c := k.browser(g)
	f := formTo(g, l.check, "/nachricht/5")
	p := c.PostForm("/nachricht/5", "token", f.Get("token"), "aktion", "senden")
	switch p.Status {
	case http.StatusOK:
		if got, err := seal.ParseCode(p.Text("#abholcode")); err != nil || string(got) != l.code {
			k.t.Errorf("%s: pressing again shows another code", l.core)
		}
		l.known = true
	case http.StatusForbidden: // nothing was stored, and the page says so
	default:
		k.t.Errorf("%s: pressing again is answered with %d", l.core, p.Status)
	}
}

func rounds(t *testing.T) int {
	if s := os.Getenv("POSTSTELLE_PROOF_ROUNDS"); s != "" {
		n, err := strconv.Atoi(s)
		must(t, err)
		return n
	}
	if testing.Short() {
		return 5
	}
	return 100
}

func TestKill_NothingAcknowledgedIsLost(t *testing.T) {
	h := newHouseNow(t)
	var clerks []clerk
	for i := range 12 {
		clerks = append(clerks, h.hire("musterstadt", fmt.Sprintf("clerk%d", i), false, "tiefbauamt"))
	}
	h.close()
	books := &ledger{letters: map[string]*sentLetter{}}
	nets := new(atomic.Int64)
	r := rand.New(rand.NewPCG(20261120, 1))
	for round := range rounds(t) {
		if r.IntN(8) == 0 {
			h.spawn(time.Duration(1+r.IntN(400)) * time.Millisecond) // killed while it starts
		}
		c := h.spawn(0)
		k := &killed{t: t, addr: c.addr, books: books, nets: nets, seed: r.Uint64()}
		var wg sync.WaitGroup
		k.attempt(func(g gentle) { k.check(g) })
		for range 2 {
			k.run(&wg, "citizen", k.citizen)
		}
		who := clerks[round%len(clerks)]
		k.run(&wg, "clerk", func(g gentle, r *rand.Rand) {
			c := k.office(g, who)
			for !k.dead.Load() {
				if r.IntN(3) == 0 {
					k.deleteOne(g, c, r)
				} else {
					k.answerOne(g, c, r)
				}
			}
		})
		pause(time.Duration(80+r.IntN(900)) * time.Millisecond)
		k.dead.Store(true)
		c.kill()
		wg.Wait()
		if t.Failed() {
			t.Fatalf("round %d\n%s", round, tail(h.logs.Bytes()))
		}
	}
	c := h.spawn(0)
	k := &killed{t: t, addr: c.addr, books: books, nets: nets}
	k.attempt(func(g gentle) { k.check(g) })
	c.kill()

	h.finish()
	for _, wrong := range h.audit(clerks, books) {
		t.Error(wrong)
	}
	acknowledged, answers, deleted := books.totals()
	t.Logf("%d letters acknowledged, %d answers, %d deleted", acknowledged, answers, deleted)
	if acknowledged == 0 || answers == 0 || deleted == 0 {
		t.Error("the rounds were too short to prove anything")
	}
	h.close()
	h.sound()
	h.open()
	h.sabotageAudit(clerks, books)
}

// attempt runs f, whose failures count.
func (k *killed) attempt(f func(g gentle)) {
	k.t.Helper()
	defer func() {
		if e := recover(); e != nil {
			end, ok := e.(ended)
			if !ok {
				panic(e)
			}
			k.t.Fatalf("after a restart: %s", end.reason)
		}
	}()
	f(gentle{k.t, k})
}

// pause lets the workers work for a while.
func pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	<-timer.C
}

// finish lets the background finish what was interrupted, on an opened house.
func (h *house) finish() {
	h.t.Helper()
	h.clock.advance(time.Minute) // what was interrupted comes due
	h.open()
	h.serve()
	eventually(h.t, "all boxes are taken in and all jobs done", func() bool {
		return h.count(`select count(*) from mailbox_intake where state = 'queued'`) == 0 &&
			h.count(`select count(*) from jobs where kind = 'mailbox.settle' and state = 'ready'`) == 0
	})
	h.stop()
	h.stop = nil
	h.clock.advance(web.SessionMax + time.Hour) // uploads of the killed processes are over-aged
	must(h.t, h.SweepUploads(h.t.Context()))
}

// perClerk is how many threads one clerk opens in an audit: the vault allows
// 300 messages an hour.
const perClerk = 60

// audit compares everything that is stored with what was acknowledged, and the
// stores with themselves. It returns what is wrong.
func (h *house) audit(clerks []clerk, books *ledger) (wrong []string) {
	t := h.t
	t.Helper()
	bad := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	found := map[string]int{}
	h.clock.advance(time.Hour + time.Minute) // the hourly limit of openings begins anew
	var office *webtest.Client
	for i, id := range h.texts(`select id from mailbox_threads order by id`) {
		if i%perClerk == 0 {
			if i > 0 && i/perClerk%len(clerks) == 0 {
				h.clock.advance(time.Hour + time.Minute)
			}
			office = h.clerkBrowser(clerks[i/perClerk%len(clerks)])
		}
		p := threadPage(office, id)
		l := books.of(p)
		if p.Status != http.StatusOK || l == nil {
			bad("thread %s does not open for the clerk: %d %q", id, p.Status, p.Text("h1"))
			continue
		}
		found[l.core]++
		for _, a := range l.answers {
			if !strings.Contains(p.Body, a) {
				bad("%s: the clerk does not see the acknowledged answer %s", l.core, a)
			}
		}
	}
	for core, l := range books.letters {
		switch n := found[core]; {
		case l.gone && n != 0:
			bad("%s: deleted, and the clerk still reads it", core)
		case l.known && !l.dying && n != 1:
			bad("%s: acknowledged, and stored %d times", core, n)
		case n > 1 || !l.known && n > 0:
			bad("%s: known %t and stored %d times", core, l.known, n)
		}
	}
	refs, files, blobs := h.count(`select count(*) from blob_refs where owner <> ''`), h.count(`select count(*) from mailbox_files`), h.blobCount()
	if refs != files || blobs != refs {
		bad("%d files in letters, %d references, %d objects on disk", files, refs, blobs)
	}
	ctx := context.Background()
	for name, err := range map[string]error{
		"audit of the vault": h.Vault.VerifyAudit(ctx), "journal": errors.Join(h.Chain.Extend(ctx), h.Chain.Verify(ctx, "musterstadt")),
	} {
		if err != nil {
			bad("%s: %v", name, err)
		}
	}
	return wrong
}

// sound checks the files of a closed house.
func (h *house) sound() {
	t := h.t
	t.Helper()
	names := []string{filepath.Join("vault", "vault.db")}
	if !h.isPostgres() {
		names = append(names, "poststelle.db")
	}
	for _, name := range names {
		if got := integrity(t, filepath.Join(h.dir, name)); got != "ok" {
			t.Errorf("%s: integrity_check says %s", name, got)
		}
	}
}

// totals says how much the rounds have proved.
func (b *ledger) totals() (acknowledged, answers, deleted int) {
	for _, l := range b.letters {
		answers += len(l.answers)
		if l.known {
			acknowledged++
		}
		if l.gone {
			deleted++
		}
	}
	return acknowledged, answers, deleted
}

// sabotageAudit breaks what the audit looks at, one thing at a time.
func (h *house) sabotageAudit(clerks []clerk, books *ledger) {
	t := h.t
	t.Helper()
	red := func(name string, breakIt func(), word string) {
		t.Helper()
		breakIt()
		if wrong := h.audit(clerks, books); !strings.Contains(strings.Join(wrong, "\n"), word) {
			t.Errorf("sabotage: %s is not noticed: %q", name, wrong)
		}
	}
	red("an object without a letter", func() {
		_, err := h.Blobs.Put(context.Background(), blob.NewID(), strings.NewReader("nobody's"))
		must(t, err)
	}, "objects on disk")
	var lost, back *sentLetter
	for _, l := range books.letters {
		switch {
		case l.known && !l.dying && (lost == nil || lost.core > l.core):
			lost = l
		case l.known && !l.dying && l != lost:
			back = l
		}
	}
	if lost == nil || back == nil {
		t.Fatal("too few letters are left to break one")
	}
	red("a deleted letter that opens", func() { back.gone = true }, back.core+": deleted")
	back.gone = false
	red("an answer that was lost", func() { back.answers = append(back.answers, "nie gesagt") }, back.core+": the clerk does not see")
	shown := collect(t, h.browser(), lost.code).Want(http.StatusOK).Body
	red("a lost letter", func() {
		for _, n := range h.texts(`select number from mailbox_threads`) {
			if strings.Contains(shown, n) {
				id := h.text(`select id from mailbox_threads where number = $1`, n)
				for _, table := range []string{"mailbox_files", "mailbox_messages", "mailbox_intake"} {
					h.exec(`delete from `+table+` where thread_id = $1`, id)
				}
				h.exec(`delete from mailbox_threads where id = $1`, id)
			}
		}
	}, lost.core+": acknowledged, and stored 0 times")
}

func integrity(t *testing.T, path string) (s string) {
	t.Helper()
	d, err := sql.Open("sqlite", path)
	must(t, err)
	defer d.Close()
	must(t, d.QueryRowContext(t.Context(), `pragma integrity_check`).Scan(&s))
	return s
}
