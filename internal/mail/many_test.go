package mail_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"poststelle/internal/fault"
	"poststelle/internal/mail"
)

// moody answers by the local part of the recipient.
type moody struct {
	mu    sync.Mutex
	taken []string
	raw   []string
}

type moodySession struct {
	m    *moody
	conn *smtp.Conn
	to   string
}

func (m *moody) NewSession(c *smtp.Conn) (smtp.Session, error) {
	return &moodySession{m: m, conn: c}, nil
}
func (s *moodySession) Mail(string, *smtp.MailOptions) error { return nil }
func (s *moodySession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = to
	switch strings.TrimRight(to[:strings.Index(to, "@")], "0123456789") {
	case "gone":
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user " + to}
	case "later":
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "greylisted"}
	case "cut":
		s.conn.Conn().Close()
	}
	return nil
}
func (s *moodySession) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if strings.HasPrefix(s.to, "spam") {
		return &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: "no"}
	}
	s.m.mu.Lock()
	s.m.taken, s.m.raw = append(s.m.taken, s.to), append(s.m.raw, string(b))
	s.m.mu.Unlock()
	if strings.HasPrefix(s.to, "lost") {
		s.conn.Conn().Close()
	}
	return nil
}
func (s *moodySession) Reset()        {}
func (s *moodySession) Logout() error { return nil }

func newMoody(t *testing.T) (*moody, *mail.SMTP) {
	t.Helper()
	m := &moody{}
	srv := smtp.NewServer(m)
	srv.Domain, srv.ErrorLog = "relay.example", quiet{}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.Serve(l) }()
	t.Cleanup(func() { srv.Close(); <-done })
	return m, sender(t, mail.SMTPConfig{Addr: l.Addr().String(), TLS: mail.TLSNone, From: "info@stadt.example", Timeout: 5 * time.Second})
}

func feed(names ...string) func(bool) (mail.Recipient, bool) {
	i := 0
	return func(bool) (mail.Recipient, bool) {
		if i == len(names) {
			return mail.Recipient{}, false
		}
		i++
		return mail.Recipient{To: mail.Address(names[i-1] + "@post.example"), ID: fmt.Sprintf("n.%d", i), Slot: "x"}, true
	}
}

func TestMany(t *testing.T) {
	for _, stepwise := range []bool{false, true} {
		m, s := newMoody(t)
		if stepwise {
			s.Stepwise()
		}
		tpl, err := mail.NewTemplate(series())
		if err != nil {
			t.Fatal(err)
		}
		names := []string{"a", "gone", "b", "later", "gone2", "spam", "c", "d"}
		got := map[string]error{}
		var order []string
		err = s.Many(t.Context(), tpl, feed(names...), func(r mail.Recipient, err error) {
			name := strings.TrimSuffix(string(r.To), "@post.example")
			order, got[name] = append(order, name), err
		})
		if err != nil || !slices.Equal(order, names) {
			t.Fatalf("Many() = %v, told %v", err, order)
		}
		for name, want := range map[string]mail.Error{
			"gone": {Stage: "rcpt", Code: 550, Enhanced: "5.1.1", Permanent: true}, "gone2": {Stage: "rcpt", Code: 550, Enhanced: "5.1.1", Permanent: true},
			"later": {Stage: "rcpt", Code: 451, Enhanced: "4.7.1"}, "spam": {Stage: "end", Code: 554, Enhanced: "5.7.1", Permanent: true},
		} {
			e, ok := errors.AsType[*mail.Error](got[name])
			if !ok || *e != want {
				t.Errorf("%s: %v, want %v", name, got[name], &want)
			}
		}
		if want := []string{"a@post.example", "b@post.example", "c@post.example", "d@post.example"}; !slices.Equal(m.taken, want) {
			t.Errorf("taken: %v, want %v", m.taken, want)
		}
		for i, raw := range m.raw {
			if !strings.Contains(raw, "To: <"+m.taken[i]+">") {
				t.Errorf("%s got another one's message", m.taken[i])
			}
		}
	}
}

// A connection that breaks: what was under way is told as temporary, the rest is
// not asked for.
func TestMany_Breaks(t *testing.T) {
	for _, stepwise := range []bool{false, true} {
		for _, how := range []string{"cut", "lost"} {
			m, s := newMoody(t)
			if stepwise {
				s.Stepwise()
			}
			tpl, err := mail.NewTemplate(series())
			if err != nil {
				t.Fatal(err)
			}
			told := map[string]error{}
			err = s.Many(t.Context(), tpl, feed("a", "b", how, "c", "d", "e"), func(r mail.Recipient, err error) { told[string(r.To)] = err })
			if !errors.Is(err, fault.Unavailable) {
				t.Errorf("%s: Many() = %v, want Unavailable", how, err)
			}
			if told["a@post.example"] != nil || told["b@post.example"] != nil || !errors.Is(told[how+"@post.example"], fault.Unavailable) {
				t.Errorf("%s: told %v", how, told)
			}
			if _, asked := told["d@post.example"]; asked || len(m.taken) > 3 {
				t.Errorf("%s: went on after the connection was gone: %v, taken %v", how, told, m.taken)
			}
		}
	}
}

func TestMany_CancelledAndDown(t *testing.T) {
	_, s := newMoody(t)
	tpl, err := mail.NewTemplate(series())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	err = s.Many(ctx, tpl, func(bool) (mail.Recipient, bool) {
		if n++; n == 3 {
			cancel()
		}
		return mail.Recipient{To: "a@post.example", ID: fmt.Sprint(n), Slot: "x"}, true
	}, func(mail.Recipient, error) {})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Many() after cancelling = %v", err)
	}
	down := sender(t, mail.SMTPConfig{Addr: "127.0.0.1:1", TLS: mail.TLSNone, From: "info@stadt.example"})
	var told error
	if err := down.Many(t.Context(), tpl, feed("a", "b"), func(_ mail.Recipient, err error) { told = err }); !errors.Is(err, fault.Unavailable) || !errors.Is(told, fault.Unavailable) {
		t.Errorf("Many() without a relay = %v, told %v", err, told)
	}
}
