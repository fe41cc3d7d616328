package proof_test

import (
	"bytes"
	"context"
	"log/slog"
	"mime"
	"net"
	netmail "net/mail"
	"net/url"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"poststelle/internal/account"
	"poststelle/internal/app"
	"poststelle/internal/db"
	"poststelle/internal/inbound"
	"poststelle/internal/mail"
	"poststelle/internal/mail/mailtest"
	"poststelle/internal/tenant"
	"poststelle/internal/web/webtest"
)

// names is a name service in memory.
type names struct {
	mu  sync.Mutex
	txt map[string]string
}

func (n *names) LookupTXT(_ context.Context, name string) ([]string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if r, ok := n.txt[strings.TrimSuffix(name, ".")]; ok {
		return []string{r}, nil
	}
	return nil, noName(name)
}

func noName(name string) error {
	return &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}

func (*names) LookupMX(_ context.Context, name string) ([]*net.MX, error) { return nil, noName(name) }

func (*names) LookupIPAddr(_ context.Context, name string) ([]net.IPAddr, error) {
	return nil, noName(name)
}

func (*names) LookupAddr(_ context.Context, name string) ([]string, error) { return nil, noName(name) }

// farSide is the mail server of the subscribers: it takes what the program sends
// by SMTP, and checks its signature.
type farSide struct {
	t    *testing.T
	addr string
	mu   sync.Mutex
	got  []inbound.Mail
}

func newFarSide(t *testing.T, ns *names) *farSide {
	t.Helper()
	f := &farSide{t: t}
	s := inbound.New(inbound.Config{
		Name: "mx.post.example", Resolver: ns, Now: time.Now, Log: slog.New(slog.DiscardHandler), Limits: inbound.Limits{MailsPerHour: -1},
		Find: func(address string) (*tenant.Tenant, string, bool) {
			return &tenant.Tenant{ID: "post"}, "", strings.HasSuffix(address, "@post.example")
		},
		Deliver: func(_ context.Context, m inbound.Mail) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.got = append(f.got, m)
			return nil
		},
	})
	f.addr = serveSMTP(t, func(ctx context.Context, on net.Listener) { must(t, s.Serve(ctx, on, inbound.SMTP)) })
	return f
}

// serveSMTP runs a server on a free port until the test ends.
func serveSMTP(t *testing.T, serve func(context.Context, net.Listener)) string {
	t.Helper()
	on, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); serve(ctx, on) }()
	t.Cleanup(func() { stop(); <-done })
	return on.Addr().String()
}

// to returns the mails to an address, oldest first.
func (f *farSide) to(address string) []inbound.Mail {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(f.got), func(m inbound.Mail) bool { return m.To != address })
}

// next waits until an address has so many mails and returns the last of them.
func (f *farSide) next(address string, n int) inbound.Mail {
	f.t.Helper()
	eventually(f.t, "mail to "+address, func() bool { return len(f.to(address)) >= n })
	all := f.to(address)
	if len(all) != n {
		f.t.Fatalf("%d mails to %s, want %d", len(all), address, n)
	}
	mailtest.Check(f.t, withoutTrace(all[n-1].Original))
	return all[n-1]
}

// withoutTrace is a mail as it came over the wire.
func withoutTrace(raw []byte) []byte {
	for bytes.HasPrefix(raw, []byte("Return-Path:")) || bytes.HasPrefix(raw, []byte("Authentication-Results:")) || bytes.HasPrefix(raw, []byte("Received:")) {
		_, raw, _ = bytes.Cut(raw, []byte("\r\n"))
		for raw[0] == ' ' {
			_, raw, _ = bytes.Cut(raw, []byte("\r\n"))
		}
	}
	return raw
}

// swaks sends a mail with a program that others wrote.
func swaks(t *testing.T, args ...string) {
	t.Helper()
	path, err := exec.LookPath("swaks")
	if err != nil {
		t.Fatal("swaks is missing; dev/setup installs it")
	}
	if out, err := exec.CommandContext(t.Context(), path, append([]string{"--helo", "mail.post.example"}, args...)...).CombinedOutput(); err != nil {
		t.Fatalf("swaks %q: %v\n%s", args, err, out)
	}
}

var newsLink = regexp.MustCompile(`https://musterstadt\.example(/newsletter/[a-z]+/[A-Za-z0-9_-]+)`)

func linkIn(t *testing.T, m inbound.Mail) string {
	t.Helper()
	found := newsLink.FindStringSubmatch(m.Text)
	if found == nil {
		t.Fatalf("no link in %q", m.Text)
	}
	return found[1]
}

// pressAt opens a page of the newsletter and presses its button.
func pressAt(t *testing.T, c *webtest.Client, path string) {
	t.Helper()
	c.Get(path).Want(200).Form("form[action='" + path + "']").Submit().Want(200)
}

// TestNewsletter_ByMail goes the whole way by real SMTP in both directions: sign
// up, mail, confirm, signed issue, unsubscribe by mail in each of its ways.
func TestNewsletter_ByMail(t *testing.T) {
	ns := &names{txt: map[string]string{"post.example": "v=spf1 ip4:127.0.0.1 -all"}}
	far := newFarSide(t, ns)
	h := newHouseNow(t)
	h.close()
	relay, err := mail.NewSMTP(mail.SMTPConfig{Addr: far.addr, TLS: mail.TLSNone, From: "poststelle@betreiber.example"})
	must(t, err)
	cfg := h.config()
	cfg.TLS, cfg.Resolver = true, ns
	h.App, err = app.Open(t.Context(), cfg, mailtest.Wrap(t, relay))
	must(t, err)
	h.exec(`update tenant_tenants set email = 'info@musterstadt.example' where id = 'musterstadt'`)
	must(t, tenant.AddMail(t.Context(), h.DB, "musterstadt", "unsub@musterstadt.example"))
	must(t, tenant.SetModule(t.Context(), h.DB, "musterstadt", tenant.Newsletter, true))
	must(t, h.Directory.Refresh(t.Context()))
	must(t, h.Newsletter.Prepare(t.Context()))
	key, err := h.Signing.Make(t.Context(), "musterstadt", "betreiber.example", func(*db.Tx, mail.SigningKey) error { return nil })
	must(t, err)
	ns.txt[key.Name()] = key.Record()
	_, err = h.Staff.AddStaff(t.Context(), account.NewStaff{
		Tenant: "musterstadt", Login: "presse", Name: "Petra Presse", Password: "Kennwort-presse-2026", Role: account.Editor, Mail: "presse@musterstadt.example",
	})
	must(t, err)
	in := serveSMTP(t, h.ServeMail)
	c := h.serve()
	c.Secure = true

	// Sign up, mail, confirm.
	people := []string{"anna@post.example", "ben@post.example", "carla@post.example", "dora@post.example"}
	for _, p := range people {
		c.Get("/newsletter").Want(200).Form("form[action='/newsletter']").Set("email", p).Submit().Want(200)
		pressAt(t, c, linkIn(t, far.next(p, 1)))
	}
	if m := far.to(people[0])[0]; !strings.Contains(m.Check.Signatures(), "pass (betreiber.example)") {
		t.Errorf("the mail to confirm: %s", m.Check.Signatures())
	}

	// A day later, an issue.
	h.clock.advance(25 * time.Hour)
	ed := c.Other()
	formTo(t, ed.Get("/amt/anmelden").Want(200), "/amt/anmelden").Set("login", "presse").Set("password", "Kennwort-presse-2026").Submit().Want(200)
	p := ed.Get("/amt/redaktion/newsletter/neu").Want(200).Form("form[action='/amt/redaktion/newsletter/neu']").Set("subject", "Neues").Set("body", "Guten Tag.").Submit().Want(200)
	path := p.Attr("main form", "action")
	pressAt(t, ed, path+"/senden")
	ways := map[string]*url.URL{}
	for _, p := range people {
		m := far.next(p, 2)
		if !strings.Contains(m.Check.Signatures(), "pass (betreiber.example)") || !m.Check.Trusted() {
			t.Errorf("issue to %s: %s", p, m.Check.Signatures())
		}
		ways[p] = mailtoOf(t, m)
	}
	h.forged(far)

	active := func() int { return h.count(`select count(*) from newsletter_subscribers where state = 'active'`) }
	letters := func() int { return h.count(`select count(*) from mailbox_threads`) }
	mailFrom := func(from, to, subject, body string, more ...string) {
		t.Helper()
		if body == "" {
			body = "\n" // swaks would ask for one
		}
		swaks(t, append([]string{"--server", in, "--from", from, "--to", to, "--h-Subject", subject, "--body", body}, more...)...)
	}
	// As the mail program does that follows the header of the issue.
	mailFrom("weiter@anders.example", ways[people[0]].Opaque, ways[people[0]].Query().Get("subject"), "")
	if active() != 3 || letters() != 0 {
		t.Fatalf("by the address of the header: %d active, %d letters", active(), letters())
	}
	// A reply with the wish in its text, from where the domain says its mail comes from.
	mailFrom(people[1], "info@musterstadt.example", "Re: Neues", "Bitte abmelden.\n\n> Guten Tag.")
	if active() != 2 || letters() != 0 {
		t.Fatalf("by a reply: %d active, %d letters", active(), letters())
	}
	if m := far.next(people[1], 3); !strings.Contains(decoded(t, m.Subject), "Abgemeldet") {
		t.Errorf("told %q", m.Subject)
	}
	// The same from elsewhere in the same name: asked, not unsubscribed, once.
	for range 2 {
		mailFrom("x@anders.example", "info@musterstadt.example", "abmelden", "", "--h-From", people[2])
	}
	if active() != 2 || letters() != 1 {
		t.Fatalf("forged: %d active, %d letters", active(), letters())
	}
	pressAt(t, c, linkIn(t, far.next(people[2], 3)))
	if active() != 1 {
		t.Errorf("the link of the question: %d active", active())
	}
	// An automatic answer and a report: no answer, nobody unsubscribed, a clerk sees them.
	mailFrom(people[3], "info@musterstadt.example", "Automatische Antwort: abmelden", "abmelden", "--add-header", "Auto-Submitted: auto-replied")
	mailFrom("<>", "info@musterstadt.example", "abmelden", "", "--h-From", people[3])
	if active() != 1 || letters() != 3 {
		t.Errorf("machines: %d active, %d letters", active(), letters())
	}
	// Who says more unsubscribes and is heard.
	mailFrom(people[3], "info@musterstadt.example", "abmelden", "Außerdem ist die Laterne kaputt.")
	far.next(people[3], 3)
	if active() != 0 || letters() != 4 {
		t.Errorf("a wish and more: %d active, %d letters", active(), letters())
	}
}

// forged sends an issue on with one byte of List-Unsubscribe changed: it arrives,
// and its signature no longer holds.
func (h *house) forged(far *farSide) {
	h.t.Helper()
	raw := withoutTrace(far.to("anna@post.example")[1].Original)
	bad := bytes.Replace(raw, []byte("\r\nList-Unsubscribe: <https://m"), []byte("\r\nList-Unsubscribe: <https://n"), 1)
	if bytes.Equal(raw, bad) {
		h.t.Fatal("nothing was changed")
	}
	swaks(h.t, "--server", far.addr, "--from", "x@anders.example", "--to", "forged@post.example", "--data", string(bad))
	eventually(h.t, "the forged issue", func() bool { return len(far.to("forged@post.example")) == 1 })
	if m := far.to("forged@post.example")[0]; strings.Contains(m.Check.Signatures(), "pass") || !strings.Contains(m.Check.Signatures(), "fail (betreiber.example)") {
		h.t.Errorf("forged issue: %s", m.Check.Signatures())
	}
}

// mailtoOf returns the way by mail out of the header of an issue.
func mailtoOf(t *testing.T, m inbound.Mail) *url.URL {
	t.Helper()
	parsed, err := netmail.ReadMessage(bytes.NewReader(m.Original))
	must(t, err)
	for way := range strings.SplitSeq(parsed.Header.Get("List-Unsubscribe"), ",") {
		if u, err := url.Parse(strings.Trim(way, " <>")); err == nil && u.Scheme == "mailto" {
			return u
		}
	}
	t.Fatalf("no way by mail in %q", parsed.Header.Get("List-Unsubscribe"))
	return nil
}

func decoded(t *testing.T, s string) string {
	t.Helper()
	out, err := new(mime.WordDecoder).DecodeHeader(s)
	must(t, err)
	return out
}
