package inbound_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"poststelle/internal/inbound"
	"poststelle/internal/mail"
	"poststelle/internal/tenant"
)

// desk is a listener with what it took in.
type desk struct {
	t    *testing.T
	addr string

	mu    sync.Mutex
	mails []inbound.Mail
	fails error
}

func newDesk(t *testing.T, p inbound.Protocol, change func(*inbound.Config)) *desk {
	t.Helper()
	d := &desk{t: t}
	c := inbound.Config{
		Name: "mx.example",
		Find: func(address string) (*tenant.Tenant, string, bool) {
			normal, sub := tenant.NormalMail(address)
			switch normal {
			case "info@a.example", "unsub@a.example":
				return &tenant.Tenant{ID: "a"}, sub, true
			case "info@b.example":
				return &tenant.Tenant{ID: "b"}, sub, true
			}
			return nil, "", false
		},
		Deliver: func(_ context.Context, m inbound.Mail) error {
			d.mu.Lock()
			defer d.mu.Unlock()
			if d.fails != nil {
				return d.fails
			}
			d.mails = append(d.mails, m)
			return nil
		},
		Own: "Poststelle <notice@mx.example>", Now: time.Now, Log: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&c)
	}
	on, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d.addr = on.Addr().String()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	s := inbound.New(c)
	go func() { done <- s.Serve(ctx, on, p) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return d
}

func (d *desk) taken() []inbound.Mail {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]inbound.Mail(nil), d.mails...)
}

// talk is a raw conversation.
type talk struct {
	t *testing.T
	c net.Conn
	r *bufio.Reader
}

func (d *desk) talk() *talk {
	d.t.Helper()
	c, err := net.Dial("tcp", d.addr)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	k := &talk{d.t, c, bufio.NewReader(c)}
	k.want("220")
	return k
}

// want reads one reply, which may have several lines, and compares its code.
func (k *talk) want(code string) string {
	k.t.Helper()
	var all string
	for {
		line, err := k.r.ReadString('\n')
		if err != nil {
			k.t.Fatalf("waiting for %s after %q: %v", code, all, err)
		}
		all += line
		if len(line) > 3 && line[3] == ' ' {
			break
		}
	}
	if !strings.HasPrefix(all, code) {
		k.t.Fatalf("answer %q, want %s", all, code)
	}
	return all
}

func (k *talk) say(line, code string) string {
	k.t.Helper()
	k.raw(line + "\r\n")
	return k.want(code)
}

func (k *talk) raw(s string) {
	k.t.Helper()
	if _, err := io.WriteString(k.c, s); err != nil {
		k.t.Fatal(err)
	}
}

// begin goes up to the point at which the mail may be sent.
func (k *talk) begin(to ...string) {
	k.t.Helper()
	k.say("EHLO client.example", "250")
	k.say("MAIL FROM:<p@post.example>", "250")
	for _, r := range to {
		k.say("RCPT TO:<"+r+">", "250")
	}
	k.say("DATA", "354")
}

// closed wants the connection to end.
func (k *talk) closed() {
	k.t.Helper()
	if _, err := k.r.ReadByte(); !errors.Is(err, io.EOF) {
		if ne, ok := errors.AsType[net.Error](err); err == nil || ok && ne.Timeout() {
			k.t.Fatalf("connection still open: %v", err)
		}
	}
}

const simple = "From: P <p@post.example>\r\nSubject: Lampe\r\nMessage-ID: <1@post.example>\r\n\r\nSie ist kaputt.\r\n"

func TestDialogue(t *testing.T) {
	d := newDesk(t, inbound.SMTP, nil)
	k := d.talk()
	k.say("MAIL FROM:<p@post.example>", "503")
	k.say("EHLO client.example", "250")
	k.say("RCPT TO:<info@a.example>", "503")
	k.say("MAIL FROM:<p@post.example> SIZE=100 BODY=8BITMIME", "250")
	unknown := k.say("RCPT TO:<nobody@a.example>", "550")
	if other := k.say("RCPT TO:<x@elsewhere.example>", "550"); other != unknown {
		t.Errorf("a stranger's address is answered %q, ours %q", other, unknown)
	}
	k.say("DATA", "503")
	k.say("RCPT TO:<Info+Extra@A.example>", "250")
	k.say("VRFY info", "252")
	k.say("DATA", "354")
	k.raw(simple + "..dot\r\n.\r\n")
	k.want("250")
	k.say("QUIT", "221")
	got := d.taken()
	if len(got) != 1 {
		t.Fatalf("%d mails", len(got))
	}
	m := got[0]
	if m.Sub != "Extra" || m.Envelope != "p@post.example" || m.From != (inbound.Person{Name: "P", Address: "p@post.example"}) || m.Subject != "Lampe" ||
		m.Text != "Sie ist kaputt.\n.dot" || m.MessageID != "<1@post.example>" || m.Machine {
		t.Errorf("mail = %+v", m)
	}
	if !strings.HasPrefix(string(m.Original), "Return-Path: <p@post.example>\r\nAuthentication-Results: mx.example;") || !strings.HasSuffix(string(m.Original), "kaputt.\r\n.dot\r\n") {
		t.Errorf("original = %q", m.Original)
	}
}

// No line end but CR LF is one, wherever it stands (SMTP smuggling).
func TestSmuggling(t *testing.T) {
	for name, data := range map[string]string{
		"bare LF":            "Subject: x\n\r\na\r\n.\r\n",
		"bare CR":            "Subject: x\r\n\r\na\rb\r\n.\r\n",
		"LF dot LF":          "a\r\n\n.\nMAIL FROM:<evil@post.example>\r\n.\r\n",
		"LF dot CR LF":       "a\n.\r\nMAIL FROM:<evil@post.example>\r\n.\r\n",
		"CR LF dot LF":       "a\r\n.\nMAIL FROM:<evil@post.example>\r\n.\r\n",
		"CR LF dot CR":       "a\r\n.\rMAIL FROM:<evil@post.example>\r\n.\r\n",
		"CR dot CR LF":       "a\r.\r\nMAIL FROM:<evil@post.example>\r\n.\r\n",
		"CR CR LF dot CR LF": "a\r\r\n.\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, inbound.SMTP, nil)
			k := d.talk()
			k.begin("info@a.example")
			k.raw(data)
			k.want("521")
			k.closed()
			if got := d.taken(); len(got) != 0 {
				t.Errorf("took %d mails in", len(got))
			}
		})
	}
	d := newDesk(t, inbound.SMTP, nil)
	for _, command := range []string{"EHLO client.example\n", "EHLO a\rb\r\n"} {
		k := d.talk()
		k.raw(command)
		k.want("521")
		k.closed()
	}
	k := d.talk()
	k.say("EHLO client.example", "250")
	k.say("MAIL FROM:<p@post.example>", "250")
	k.raw("RCPT TO:<info@a.example>\r\nDATA\r\nSubject: ahead\r\n\r\nx\r\n.\r\n")
	k.want("250")
	k.want("521") // it cannot have read the 354
	k.closed()
	if got := d.taken(); len(got) != 0 {
		t.Errorf("took %d mails in", len(got))
	}
}

func TestRefusals(t *testing.T) {
	d := newDesk(t, inbound.SMTP, func(c *inbound.Config) {
		c.Limits = inbound.Limits{MaxSize: 2000, Recipients: 2, MailsPerHour: 4}
	})
	k := d.talk()
	k.say("EHLO "+strings.Repeat("a", 300), "501")
	k.say("EHLO client.example", "250")
	k.say("MAIL FROM:<p@post.example> SIZE=2001", "552")
	k.say("MAIL FROM:<p@post.example> RET=FULL", "555")
	k.say("MAIL FROM:p@post.example", "501")
	k.say("MAIL FROM:<a b@post.example>", "501")
	k.say("MAIL FROM:<>", "250")
	k.say("RCPT TO:<info@a.example>", "250")
	k.say("RCPT TO:<unsub+x@a.example>", "250")
	k.say("RCPT TO:<info@b.example>", "452")
	k.say("DATA", "354")
	k.raw("Subject: x\r\n\r\n" + strings.Repeat("a", 3000) + "\r\n.\r\n")
	k.want("552")
	for range 3 {
		k.say("MAIL FROM:<p@post.example>", "250")
		k.say("RSET", "250")
	}
	k.say("MAIL FROM:<p@post.example>", "451")
	k.say("AUTH PLAIN", "502")
	k.say("BDAT 3 LAST", "502")
	for range 4 {
		k.say("WHAT", "500")
	}
	k.raw("WHAT\r\n")
	k.want("500")
	k.want("421")
	k.closed()

	k = d.talk()
	k.raw(strings.Repeat("x", 40<<10) + "\r\n")
	k.want("500")
}

// A slow client is cut off, and one that sends nothing.
func TestSlow(t *testing.T) {
	d := newDesk(t, inbound.SMTP, func(c *inbound.Config) {
		c.Limits = inbound.Limits{CommandTimeout: 100 * time.Millisecond, DataTimeout: 300 * time.Millisecond}
	})
	k := d.talk()
	k.want("421")
	k.closed()
	k = d.talk()
	k.begin("info@a.example")
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ { // always in time for one command, never at the end
		<-tick.C
		if _, err := io.WriteString(k.c, "x\r\n"); err != nil {
			break
		}
		if i > 500 {
			t.Fatal("the mail may go on for ever")
		}
	}
}

func TestConnections(t *testing.T) {
	d := newDesk(t, inbound.SMTP, func(c *inbound.Config) { c.Limits = inbound.Limits{PerNetwork: 1} })
	d.talk()
	c, err := net.Dial("tcp", d.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	k := &talk{t, c, bufio.NewReader(c)}
	k.want("421")
}

// Not stored is never said to be, and the sender is told to try again.
func TestNotStored(t *testing.T) {
	d := newDesk(t, inbound.SMTP, nil)
	d.fails = errors.New("the disk is full of secrets")
	k := d.talk()
	k.begin("info@a.example")
	k.raw(simple + ".\r\n")
	if got := k.want("451"); strings.Contains(got, "secret") {
		t.Errorf("the answer says too much: %q", got)
	}
}

// One mail is one letter for each tenant, whatever the number of its recipients.
func TestTenants(t *testing.T) {
	d := newDesk(t, inbound.SMTP, nil)
	k := d.talk()
	k.begin("info@a.example", "unsub+x@a.example", "info@b.example")
	k.raw(simple + ".\r\n")
	k.want("250")
	got := d.taken()
	if len(got) != 2 || got[0].Tenant.ID != "a" || got[1].Tenant.ID != "b" || string(got[0].Mark) != string(got[1].Mark) {
		t.Errorf("%d mails", len(got))
	}
}

func TestLMTP(t *testing.T) {
	d := newDesk(t, inbound.LMTP, nil)
	k := d.talk()
	k.say("EHLO client.example", "500")
	k.say("LHLO client.example", "250")
	k.say("MAIL FROM:<p@post.example>", "250")
	k.say("RCPT TO:<info@a.example>", "250")
	k.say("RCPT TO:<info@b.example>", "250")
	k.say("DATA", "354")
	k.raw(simple + ".\r\n")
	k.want("250")
	k.want("250")
	k.say("QUIT", "221")
}

// Recognisers are asked first; what they answer goes to people, once a day, and
// never to machines. Who cannot be answered gets a clerk.
func TestRecognisers(t *testing.T) {
	var sent []mail.Message
	d := newDesk(t, inbound.SMTP, func(c *inbound.Config) {
		c.Recognisers = []inbound.Recogniser{
			func(context.Context, inbound.Mail) (bool, *mail.Message, error) {
				return false, nil, errors.New("broken")
			},
			func(_ context.Context, m inbound.Mail) (bool, *mail.Message, error) {
				switch {
				case strings.HasPrefix(m.Subject, "quiet"):
					return true, nil, nil
				case strings.HasPrefix(m.Subject, "ask"):
					return true, &mail.Message{To: m.From.Address}, nil
				}
				return false, nil, nil
			},
		}
		c.Send = func(_ context.Context, m mail.Message) error { sent = append(sent, m); return nil }
	})
	n := 0
	send := func(from, head string) {
		if n++; !strings.Contains(head, "again") { // everybody else asks for the first time
			head += fmt.Sprintf("From: p%d@post.example\r\n", n)
		} else {
			head += fmt.Sprintf("From: p%d@post.example\r\n", n-1)
		}
		k := d.talk()
		k.say("EHLO client.example", "250")
		k.say("MAIL FROM:<"+from+">", "250")
		k.say("RCPT TO:<info@a.example>", "250")
		k.say("DATA", "354")
		k.raw(head + "\r\nx\r\n.\r\n")
		k.want("250")
	}
	for i, c := range []struct {
		from, head    string
		sent, letters int
	}{
		{"p@post.example", "Subject: quiet\r\n", 0, 0},
		{"p@post.example", "Subject: letter\r\n", 0, 1},
		{"p@post.example", "Subject: ask\r\n", 1, 1},
		{"p@post.example", "Subject: ask again\r\n", 1, 2},
		{"", "Subject: ask\r\n", 1, 3},
		{"q@post.example", "Subject: ask\r\nAuto-Submitted: auto-replied\r\n", 1, 4},
	} {
		send(c.from, c.head)
		if got := len(d.taken()); got != c.letters || len(sent) != c.sent {
			t.Errorf("step %d: %d letters, %d answers; want %d, %d", i, got, len(sent), c.letters, c.sent)
		}
	}
}

func TestLoops(t *testing.T) {
	d := newDesk(t, inbound.SMTP, nil)
	for _, head := range []string{
		strings.Repeat("Received: from x by y; Mon, 1 Jan 2026 00:00:00 +0000\r\n", 51),
		"From: Poststelle <notice@mx.example>\r\nAuto-Submitted: auto-generated\r\n",
	} {
		k := d.talk()
		k.begin("info@a.example")
		k.raw(head + "Subject: x\r\n\r\nx\r\n.\r\n")
		k.want("554")
	}
	if got := d.taken(); len(got) != 0 {
		t.Errorf("took %d mails in", len(got))
	}
}

// The same by a program that others wrote.
func TestSwaks(t *testing.T) {
	path, err := exec.LookPath("swaks")
	if err != nil {
		t.Fatal("swaks is missing; dev/setup installs it")
	}
	d := newDesk(t, inbound.SMTP, nil)
	out, err := exec.CommandContext(t.Context(), path, "--server", d.addr, "--from", "erika@post.example", "--to", "info@a.example",
		"--h-From", "Erika Müster <erika@post.example>", "--h-Subject", "Straße", "--body", "Grüße", "--attach-type", "text/plain",
		"--attach-name", "notiz.txt", "--attach", "Notiz").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	got := d.taken()
	if len(got) != 1 || got[0].Subject != "Straße" || got[0].Text != "Grüße" || got[0].From.Name != "Erika Müster" || len(got[0].Files) != 1 ||
		got[0].Files[0].Name != "notiz.txt" || string(got[0].Files[0].Content) != "Notiz" {
		t.Errorf("mails = %+v", got)
	}
}
