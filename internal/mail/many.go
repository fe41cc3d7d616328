package mail

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/wneessen/go-mail/smtp"
)

// BulkSender sends series besides single messages.
type BulkSender interface {
	Sender
	// Many sends a series over one connection. It asks next for each recipient
	// immediately before the relay hears of them, and tells done what became of
	// each, in the same order: nil, or an *Error as from Send. next may be asked
	// for one recipient more before done is told of the one before; then wait is
	// false, and it answers false when there is none at the moment. With wait it
	// returns when there is one, and false at the end. Both are called on the
	// goroutine of Many.
	//
	// When the connection breaks Many returns its error; recipients that were
	// under way are told as temporary failures, and one whose message was written
	// whole may have been taken by the relay.
	Many(ctx context.Context, t *Template, next func(wait bool) (Recipient, bool), done func(Recipient, error)) error
}

var (
	_ BulkSender = (*SMTP)(nil)
	_ BulkSender = (*Memory)(nil)
)

// Many is that of BulkSender. Where the relay allows it, commands are pipelined
// (RFC 2920): one write and one read for each message.
func (s *SMTP) Many(ctx context.Context, t *Template, next func(wait bool) (Recipient, bool), done func(Recipient, error)) error {
	first, ok := next(true)
	if !ok {
		return nil
	}
	wire := &wire{}
	defer wire.close()
	defer context.AfterFunc(ctx, wire.close)()
	client, err := s.client(wire)
	if err != nil {
		err = &Error{Stage: "connect", Err: err}
		done(first, err)
		return err
	}
	conn, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		err = s.failed(ctx, err)
		done(first, err)
		return err
	}
	l := &line{s: s, t: t, conn: conn, r: conn.Text.R, w: conn.Text.W, from: t.envelope, ctx: ctx}
	if l.from == "" {
		l.from = s.from.Address
	}
	l.pipelined, _ = conn.Extension("PIPELINING")
	l.pipelined = l.pipelined && !s.stepwise
	if err := l.run(first, next, done); err != nil {
		return err
	}
	_ = client.CloseWithSMTPClient(conn) // everything is answered
	return nil
}

// line is one connection over which a series goes.
type line struct {
	s         *SMTP
	t         *Template
	conn      *smtp.Client
	r         *bufio.Reader
	w         *bufio.Writer
	from      string
	pipelined bool
	ctx       context.Context
	buf       []byte
}

func (l *line) run(now Recipient, next func(wait bool) (Recipient, bool), done func(Recipient, error)) error {
	if !l.pipelined {
		for more := true; more; now, more = next(true) {
			told, err := l.one(now)
			done(now, told)
			if err != nil {
				return err
			}
		}
		return nil
	}
	reset := false
	l.envelope(now)
	for {
		told, ready, err := l.opened(reset)
		if err != nil {
			done(now, err)
			return err
		}
		reset = false
		switch {
		case ready && told == nil:
			if l.buf, told = l.t.Append(l.buf[:0], now); told == nil {
				l.w.Write(l.buf)
				l.w.WriteString(".\r\n")
				break
			}
			// Nothing of a malformed message is sent: cut the connection in the middle of the data.
			done(now, told)
			return told
		case ready:
			l.w.WriteString(".\r\n") // no recipient was accepted: an empty message is refused (RFC 2920, 3.1)
		default:
			l.w.WriteString("RSET\r\n")
			reset = true
		}
		follow, more := next(false)
		if more {
			l.envelope(follow)
		}
		if err := l.flush(); err == nil && ready {
			var end error
			if end, err = l.reply("end", 250); told == nil {
				told = end
			}
			if err != nil {
				told = err
			}
		} else if err != nil && told == nil {
			told = err
		}
		done(now, told)
		if err != nil {
			if more {
				done(follow, l.broken("connect"))
			}
			return err
		}
		if !more {
			if follow, more = next(true); !more {
				return nil
			}
			l.envelope(follow)
		}
		now = follow
	}
}

// opened reads the answers to an envelope: told is what was refused, ready that
// the relay waits for a message, err that the connection broke.
func (l *line) opened(reset bool) (told error, ready bool, err error) {
	if err := l.flush(); err != nil {
		return nil, false, err
	}
	if reset {
		if _, err := l.reply("connect", 250); err != nil {
			return nil, false, err
		}
	}
	for _, step := range [...]struct {
		stage string
		want  int
	}{{"mail", 250}, {"rcpt", 25}, {"data", 354}} {
		refused, err := l.reply(step.stage, step.want)
		if err != nil {
			return nil, false, err
		}
		if refused != nil && told == nil {
			told = refused
		}
		ready = refused == nil
	}
	return told, ready, nil
}

func (l *line) envelope(r Recipient) {
	l.w.WriteString("MAIL FROM:<" + l.from + ">\r\nRCPT TO:<" + string(r.To) + ">\r\nDATA\r\n")
}

// one sends to a relay that wants each command answered before the next.
func (l *line) one(r Recipient) (told, err error) {
	for _, step := range [...]struct {
		command, stage string
		want           int
	}{{"MAIL FROM:<" + l.from + ">", "mail", 250}, {"RCPT TO:<" + string(r.To) + ">", "rcpt", 25}, {"DATA", "data", 354}} {
		l.w.WriteString(step.command + "\r\n")
		if err := l.flush(); err != nil {
			return err, err
		}
		told, err := l.reply(step.stage, step.want)
		if err != nil {
			return err, err
		}
		if told != nil {
			l.w.WriteString("RSET\r\n")
			if err := l.flush(); err != nil {
				return told, err
			}
			_, err := l.reply("connect", 250)
			return told, err
		}
	}
	l.buf, told = l.t.Append(l.buf[:0], r)
	if told != nil {
		return told, told
	}
	l.w.Write(l.buf)
	l.w.WriteString(".\r\n")
	if err := l.flush(); err != nil {
		return err, err
	}
	if told, err = l.reply("end", 250); err != nil {
		told = err
	}
	return told, err
}

func (l *line) flush() error {
	if err := l.conn.UpdateDeadline(l.s.cfg.Timeout); err != nil {
		return l.broken("connect")
	}
	if l.w.Flush() != nil {
		return l.broken("content")
	}
	return nil
}

// reply reads one answer. told is a refusal, err a connection that can no longer
// be used: broken, or closed by the relay (421).
func (l *line) reply(stage string, want int) (told, err error) {
	code, enhanced, err := readReply(l.r)
	if err != nil {
		return nil, l.broken(stage)
	}
	if code == want || want < 100 && code/10 == want {
		return nil, nil
	}
	e := &Error{Stage: stage, Code: code, Enhanced: enhanced, Permanent: code >= 500 && code <= 599}
	if code == 421 {
		return nil, e
	}
	return e, nil
}

func (l *line) broken(stage string) error {
	if l.ctx.Err() != nil {
		return &Error{Stage: stage, Err: l.ctx.Err()}
	}
	return &Error{Stage: stage, Err: errors.New("connection broke")}
}

// readReply reads a reply of one or several lines (RFC 5321, 4.2) without keeping
// its words, which often repeat an address.
func readReply(r *bufio.Reader) (code int, enhanced string, err error) {
	for n := 0; n < 100; n++ {
		b, err := r.ReadSlice('\n')
		if err != nil {
			return 0, "", err
		}
		if len(b) < 4 {
			return 0, "", errors.New("short reply")
		}
		if code, err = strconv.Atoi(string(b[:3])); err != nil || code < 200 || code > 599 {
			return 0, "", errors.New("not a reply")
		}
		if n == 0 {
			enhanced = enhancedCode(string(b[4:]))
		}
		if b[3] != '-' {
			return code, enhanced, nil
		}
	}
	return 0, "", errors.New("endless reply")
}

// enhancedCode returns the status code at the beginning of a text (RFC 3463).
func enhancedCode(text string) string {
	word, _, _ := strings.Cut(strings.TrimRight(text, "\r\n"), " ")
	var class, subject, detail int
	if n, err := fmt.Sscanf(word, "%1d.%3d.%3d", &class, &subject, &detail); err != nil || n != 3 || strings.Count(word, ".") != 2 {
		return ""
	}
	return fmt.Sprintf("%d.%d.%d", class, subject, detail)
}

// Many keeps the messages of a series.
func (m *Memory) Many(ctx context.Context, t *Template, next func(wait bool) (Recipient, bool), done func(Recipient, error)) error {
	for r, ok := next(true); ok; r, ok = next(true) {
		_, err := t.Append(nil, r)
		if err == nil {
			err = m.Send(ctx, t.message(r))
		}
		done(r, err)
		if ctx.Err() != nil {
			return err
		}
	}
	return nil
}
