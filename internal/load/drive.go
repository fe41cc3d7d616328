package load

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"poststelle/internal/fault"
)

// Scenario names what is measured.
type Scenario string

// The scenarios. Text and Files count the final POST of a prepared draft; Files
// with the upload of three files of 1 MB before it.
const (
	Text    Scenario = "text"
	Files   Scenario = "files"
	Inbox   Scenario = "inbox"   // GET /amt/eingang with Rows letters, signed in
	Collect Scenario = "collect" // POST /abholen with a valid code, and the page it leads to
	Page    Scenario = "page"    // GET /
	// Comments is the POST of a comment under Post from a form that was opened
	// before; Newsletter is an issue to Count subscribers, by way of Sink.
	Comments   Scenario = "comments"
	Newsletter Scenario = "newsletter"
)

// Scenarios returns all names, for help texts.
func Scenarios() []Scenario {
	return []Scenario{Text, Files, Inbox, Collect, Page, Comments, Newsletter}
}

// DriveConfig says what to measure where.
type DriveConfig struct {
	// URL is the address of a tenant's pages on this machine, such as
	// http://127.0.0.1:8080. Another machine is fault.Denied.
	URL      string
	Scenario Scenario
	// Clients work at the same time; default 64.
	Clients int
	// Count is how many operations to measure; default 2000. Duration ends the
	// measuring before; default one minute. Both are bounds, not targets: the
	// run always ends.
	Count    int
	Duration time.Duration
	// Mailbox receives the letters; default the first that is offered.
	Mailbox string
	// Post is the last part of the address of a post that takes comments, for
	// Comments; default the newest.
	Post string
	// Sink is an address of this machine on which Newsletter takes mail in: that
	// which the server has as its relay, without TLS.
	Sink string
	// Login and Password are of a member of staff, for Inbox and Newsletter. Rows is how many
	// letters a page of theirs lists; default 50. A size that the inbox does not
	// offer is an error, fewer letters than that are not.
	Login, Password string
	Rows            int
	// PID is the server's process, for memory and processor time; 0 leaves
	// them out.
	PID int
	// Progress is told what is being done; it may be nil.
	Progress func(what string)
}

// Run measures one scenario. Operations that fail are counted, not returned;
// the error is for a run that could not be prepared.
func Run(ctx context.Context, c DriveConfig) (Report, error) {
	base, err := target(c.URL)
	if err != nil {
		return Report{}, fmt.Errorf("load: %w", err)
	}
	if c.Clients <= 0 {
		c.Clients = 64
	}
	if c.Count <= 0 {
		c.Count = 2000
	}
	if c.Duration <= 0 {
		c.Duration = time.Minute
	}
	if c.Rows <= 0 {
		c.Rows = 50
	}
	d := &driving{DriveConfig: c, base: base, tr: transport(c.Clients, nil)}
	defer d.hangUp()
	if c.Scenario == Newsletter {
		r, err := d.runNewsletter(ctx)
		if err != nil {
			return Report{}, fmt.Errorf("load: %s: %w", c.Scenario, err)
		}
		return r, nil
	}
	ops, err := d.prepare(ctx)
	if err != nil {
		return Report{}, fmt.Errorf("load: prepare %s: %w", c.Scenario, err)
	}
	d.say("measuring")
	r, err := d.measure(ctx, ops)
	if err != nil {
		return Report{}, fmt.Errorf("load: %s: %w", c.Scenario, err)
	}
	return r, nil
}

type driving struct {
	DriveConfig
	base *url.URL
	tr   *http.Transport

	mu   sync.Mutex
	nets []*http.Transport // see network
	rows int               // letters on a page of the inbox, as found
}

func (d *driving) hangUp() {
	d.tr.CloseIdleConnections()
	for _, tr := range d.nets {
		tr.CloseIdleConnections()
	}
}

// tries is how many codes one network may try in a burst, with room to spare.
const tries = 20

// network returns how the nth attempt to collect connects. The server allows a
// network, a /24, only so many attempts in a minute; the attempts of a measuring
// come from different parts of 127.0.0.0/8, all of which is this machine.
func (d *driving) network(n int) *http.Transport {
	d.mu.Lock()
	defer d.mu.Unlock()
	at := n / tries
	for len(d.nets) <= at {
		k := len(d.nets)
		var from net.IP
		if ip := net.ParseIP(d.base.Hostname()); ip == nil || ip.To4() != nil {
			from = net.IPv4(127, byte(1+k/250%250), byte(k%250), 1)
		}
		d.nets = append(d.nets, transport(tries, from))
	}
	return d.nets[at]
}

// operation is one thing to measure; it is run once.
type operation func(context.Context) error

func (d *driving) say(what string) {
	if d.Progress != nil {
		d.Progress(what)
	}
}

// prepare makes all operations ready before the clock starts.
func (d *driving) prepare(ctx context.Context) ([]operation, error) {
	d.say("preparing")
	switch d.Scenario {
	case Text:
		return d.each(ctx, func(ctx context.Context, n int) (operation, error) {
			p, err := d.draft(ctx, n)
			return p.send, err
		})
	case Files:
		files := threeFiles()
		return d.each(ctx, func(ctx context.Context, n int) (operation, error) {
			p, err := d.draft(ctx, n)
			if err == nil && p.files == nil {
				err = fmt.Errorf("no page of the assistant takes files: %w", fault.NotFound)
			}
			return func(ctx context.Context) error { return p.sendFiles(ctx, files) }, err
		})
	case Inbox:
		return d.prepareInbox(ctx)
	case Collect:
		return d.prepareCollect(ctx)
	case Comments:
		return d.prepareComments(ctx)
	case Page:
		return d.each(ctx, func(context.Context, int) (operation, error) {
			return func(ctx context.Context) error { return d.look(ctx, newBrowser(d.base, d.tr), "/") }, nil
		})
	}
	return nil, fmt.Errorf("unknown scenario: %w", fault.Invalid)
}

// each prepares Count operations with all clients and stops at the first that
// fails.
func (d *driving) each(ctx context.Context, one func(context.Context, int) (operation, error)) ([]operation, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	ops := make([]operation, d.Count)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range d.Clients {
		wg.Go(func() {
			for n := int(next.Add(1)) - 1; n < len(ops) && ctx.Err() == nil; n = int(next.Add(1)) - 1 {
				op, err := one(ctx, n)
				if err != nil {
					stop(err)
					return
				}
				ops[n] = op
			}
		})
	}
	wg.Wait()
	return ops, context.Cause(ctx)
}

// measure runs the operations with all clients until they are done or the time
// is over. Those that are running then may finish.
func (d *driving) measure(ctx context.Context, ops []operation) (Report, error) {
	watch, err := startWatch(d.PID)
	if err != nil {
		return Report{}, err
	}
	r := Report{Scenario: string(d.Scenario), Clients: d.Clients, Rows: d.rows}
	var mu sync.Mutex
	var took []time.Duration
	var next atomic.Int64
	var wg sync.WaitGroup
	start := time.Now()
	for range d.Clients {
		wg.Go(func() {
			var mine []time.Duration
			var failed int
			var first error
			for n := int(next.Add(1)) - 1; n < len(ops) && ctx.Err() == nil && time.Since(start) < d.Duration; n = int(next.Add(1)) - 1 {
				began := time.Now()
				if err := ops[n](ctx); err != nil {
					failed++
					if first == nil {
						first = err
					}
					continue
				}
				mine = append(mine, time.Since(began))
			}
			mu.Lock()
			defer mu.Unlock()
			took = append(took, mine...)
			r.Errors += failed
			if r.FirstError == "" && first != nil {
				r.FirstError = first.Error()
			}
		})
	}
	wg.Wait()
	r.summarise(took, time.Since(start))
	if r.Server = watch.stop(); r.Server != nil && r.Server.CPUSeconds > 0 {
		r.Server.PerCPUSecond = float64(r.Done) / r.Server.CPUSeconds
	}
	return r, ctx.Err()
}

func (d *driving) look(ctx context.Context, b *browser, path string) error {
	u, err := d.base.Parse(path)
	if err != nil {
		return err
	}
	a, err := b.do(ctx, http.MethodGet, u, "", nil)
	if err == nil && a.status != http.StatusOK {
		err = a.refused()
	}
	return err
}

// prepareInbox signs in once; all clients are windows of the same person.
func (d *driving) prepareInbox(ctx context.Context) ([]operation, error) {
	b, err := d.signIn(ctx)
	if err != nil {
		return nil, err
	}
	path := "/amt/eingang?n=" + strconv.Itoa(d.Rows)
	page, err := b.getPath(ctx, path)
	if err != nil {
		return nil, err
	}
	d.rows = bytes.Count(page.body, []byte(`name="vorgang"`))
	if more := bytes.Contains(page.body, []byte(`rel="next"`)); d.rows > d.Rows || more && d.rows != d.Rows {
		return nil, fmt.Errorf("the inbox lists %d letters on a page, not %d: %w", d.rows, d.Rows, fault.Invalid)
	}
	return d.each(ctx, func(context.Context, int) (operation, error) {
		own := newBrowser(d.base, d.tr)
		for name, value := range b.cookies {
			own.cookies[name] = value
		}
		return func(ctx context.Context) error { return d.look(ctx, own, path) }, nil
	})
}

// codes is how many letters are written to be collected; the operations share
// them.
const codes = 32

// prepareCollect writes letters, waits until their keys are taken in, and opens
// the page with the field for the code once for each operation.
func (d *driving) prepareCollect(ctx context.Context) ([]operation, error) {
	var list []string
	for n := range min(codes, d.Count) {
		p, err := d.draft(ctx, n)
		if err != nil {
			return nil, err
		}
		page, err := p.b.submitAndFollow(ctx, p.final)
		if err != nil {
			return nil, err
		}
		code := byID(page.body, "abholcode")
		if code == "" {
			return nil, fmt.Errorf("no code on the confirmation: %w", fault.NotFound)
		}
		list = append(list, code)
	}
	used, err := d.awaitIntake(ctx, list[len(list)-1])
	if err != nil {
		return nil, err
	}
	return d.each(ctx, func(ctx context.Context, n int) (operation, error) {
		b, f, err := d.collectForm(ctx, used+n, list[n%len(list)])
		return func(ctx context.Context) error {
			_, err := b.submitAndFollow(ctx, f)
			return err
		}, err
	})
}

func (d *driving) collectForm(ctx context.Context, n int, code string) (*browser, *form, error) {
	b := newBrowser(d.base, d.network(n))
	page, err := b.getPath(ctx, "/abholen")
	if err != nil {
		return nil, nil, err
	}
	all, err := forms(page.body, page.url)
	if err != nil {
		return nil, nil, err
	}
	f := mainForm(all, map[string]string{"code": ""})
	if f == nil {
		return nil, nil, fmt.Errorf("no form for the code: %w", fault.NotFound)
	}
	f.set("code", code)
	return b, f, nil
}

// awaitIntake tries a code until the vault knows it, for half a minute at most,
// and returns how many attempts that took.
func (d *driving) awaitIntake(ctx context.Context, code string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		b, f, err := d.collectForm(ctx, n, code)
		if err != nil {
			return 0, err
		}
		if _, err = b.submitAndFollow(ctx, f); err == nil {
			return n + 1, nil
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("letter not taken in: %w", err)
		case <-tick.C:
		}
	}
}

// prepared is a letter that waits on the check page.
type prepared struct {
	b     *browser
	files *form // of the page that takes files; nil when none was met
	final *form
}

// maxSteps is how many pages the assistant may have before the check page.
const maxSteps = 12

// draft walks through the assistant to the check page, as a new visitor.
func (d *driving) draft(ctx context.Context, n int) (prepared, error) {
	p := prepared{b: newBrowser(d.base, d.tr)}
	words := map[string]string{
		"mailbox": d.Mailbox, "topic": "", "subject": fmt.Sprintf("Laterne %d ist ausgefallen", n), "reply": "code",
		"body": "Guten Tag,\n\nvor unserem Haus ist es seit Montag dunkel. " + strings.Repeat("Besonders morgens ist das für die Kinder gefährlich. ", 6) + "\n\nBitte kümmern Sie sich darum.",
		"name": "Ida Beispiel", "address": "Lindenstraße 1\n79999 Musterstadt",
	}
	page, err := p.b.getPath(ctx, "/nachricht")
	for range maxSteps {
		if err != nil {
			return p, err
		}
		all, err2 := forms(page.body, page.url)
		if err2 != nil {
			return p, err2
		}
		f := mainForm(all, words)
		if f == nil {
			return p, fmt.Errorf("no form at %s: %w", page.url.Path, fault.NotFound)
		}
		if strings.HasSuffix(page.url.Path, "/5") {
			p.final = f
			return p, nil
		}
		if len(f.files) > 0 {
			p.files = f
		}
		for name, value := range words {
			if value != "" && f.has(name) || f.open(name) {
				f.set(name, value)
			}
		}
		page, err = p.b.submitAndFollow(ctx, f)
	}
	return p, fmt.Errorf("no check page after %d pages: %w", maxSteps, fault.NotFound)
}

// send is the final POST: it counts when the server leads to the confirmation.
func (p prepared) send(ctx context.Context) error {
	a, err := p.b.submit(ctx, p.final)
	if err != nil {
		return err
	}
	if a.location == nil || !strings.HasSuffix(a.location.Path, "/gesendet") {
		return a.refused()
	}
	return nil
}

// sendFiles uploads files and sends.
func (p prepared) sendFiles(ctx context.Context, files []upload) error {
	a, err := p.b.submit(ctx, p.files, files...)
	if err != nil {
		return err
	}
	if a.location == nil {
		return a.refused()
	}
	return p.send(ctx)
}

// threeFiles are what the scenario Files sends: 1 MB each, not compressible.
func threeFiles() []upload {
	files := make([]upload, 3)
	for i := range files {
		files[i] = upload{name: fmt.Sprintf("Anlage-%d.pdf", i+1), content: bigPDF(1 << 20)}
	}
	return files
}

// bigPDF has the beginning of a PDF and n bytes.
func bigPDF(n int) []byte {
	b := make([]byte, n)
	copy(b, "%PDF-1.4\n")
	x := uint32(2463534242)
	for i := 9; i < n; i++ {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		b[i] = byte(x)
	}
	return b
}
