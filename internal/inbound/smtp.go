package inbound

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Server takes mail in on the listeners that it is given.
type Server struct {
	Config
	rate    quota[network]
	replies quota[string]
	gate    gate
}

// New returns a server. It starts nothing: Serve does.
func New(c Config) *Server {
	c.Limits = c.Limits.withDefaults()
	return &Server{
		Config: c, rate: quota[network]{most: c.Limits.MailsPerHour, every: time.Hour},
		replies: quota[string]{most: c.Limits.RepliesPerDay, every: 24 * time.Hour},
	}
}

// Protocol is what is spoken on a listener.
type Protocol uint8

// The protocols. LMTP (RFC 2033) is for a mail server of ours that stands in
// front: its clients are neither counted nor checked by SPF.
const (
	SMTP Protocol = iota
	LMTP
)

// Bounds of one connection.
const (
	maxLine     = 2048 // bytes of a command
	maxCommands = 2000
	maxMistakes = 10
	// drainTime is how long a mail that is being taken in may take after the
	// server was asked to stop.
	drainTime = 25 * time.Second
)

// Serve takes mail in until ctx ends; then it lets the mails that are on their way
// finish, at most for half a minute.
func (s *Server) Serve(ctx context.Context, on net.Listener, p Protocol) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	stop := context.AfterFunc(ctx, func() { _ = on.Close() })
	defer stop()
	for {
		c, err := on.Accept()
		if ctx.Err() != nil {
			if err == nil {
				_ = c.Close()
			}
			return nil
		}
		if err != nil {
			if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
				continue
			}
			if errors.Is(err, net.ErrClosed) {
				return fmt.Errorf("inbound: accept: %w", err)
			}
			if !waitOr(ctx, 100*time.Millisecond) { // too many open files, mostly
				return nil
			}
			continue
		}
		wg.Go(func() { s.serve(ctx, c, p) })
	}
}

func waitOr(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// conn is one conversation.
type conn struct {
	s        *Server
	c        net.Conn
	r        *bufio.Reader
	ctx      context.Context
	lmtp     bool
	secure   bool
	network  network
	remote   string
	helo     string
	from     *string // nil before MAIL
	to       []recipient
	mistakes int
}

func (s *Server) serve(ctx context.Context, c net.Conn, p Protocol) {
	defer c.Close()
	k := &conn{s: s, c: c, r: bufio.NewReaderSize(c, 32<<10), ctx: ctx, lmtp: p == LMTP}
	if a, err := netip.ParseAddrPort(c.RemoteAddr().String()); err == nil && !k.lmtp {
		k.network, k.remote = networkOf(a.Addr()), a.Addr().Unmap().WithZone("").String()
	}
	if !s.gate.enter(k.network, s.Limits) {
		k.reply(421, "4.7.0", "too many connections, try again later")
		return
	}
	defer s.gate.leave(k.network)
	// Whoever waits for a command when the server stops is told so.
	stop := context.AfterFunc(ctx, func() { _ = c.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	defer func() {
		if p := recover(); p != nil { // a mail that breaks the parser ends its own connection
			s.Log.Error("mail dialogue broke", "panic", true)
			k.reply(421, "4.3.0", "internal error")
		}
	}()
	k.talk()
}

// talk runs the dialogue until one side ends it.
func (k *conn) talk() {
	greeting := " ESMTP Poststelle"
	if k.lmtp {
		greeting = " LMTP Poststelle"
	}
	k.write("220 " + k.s.Name + greeting)
	for range maxCommands {
		k.c.SetReadDeadline(k.s.Now().Add(k.s.Limits.CommandTimeout))
		if k.ctx.Err() != nil {
			k.reply(421, "4.3.2", "closing")
			return
		}
		line, err := k.line()
		switch {
		case errors.Is(err, errBare):
			k.reply(521, "5.5.2", "lines end with CR LF")
			return
		case errors.Is(err, errLong):
			k.reply(500, "5.5.2", "line too long")
			return
		case k.ctx.Err() != nil:
			k.reply(421, "4.3.2", "closing")
			return
		case err != nil:
			if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
				k.reply(421, "4.4.2", "timeout")
			}
			return
		}
		if !k.command(line) {
			return
		}
		if k.mistakes > maxMistakes {
			k.reply(421, "4.7.0", "too many errors")
			return
		}
	}
	k.reply(421, "4.7.0", "too many commands")
}

var (
	errBare = errors.New("inbound: bare CR or LF")
	errLong = errors.New("inbound: line too long")
	errBig  = errors.New("inbound: mail too large")
	errFull = errors.New("inbound: no memory left")
)

// line reads one command line, which ends with CR LF and holds neither apart.
func (k *conn) line() (string, error) {
	raw, err := k.r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) || len(raw) > maxLine {
		return "", errLong
	}
	if err != nil {
		return "", err
	}
	text, ok := bytes.CutSuffix(raw, []byte("\r\n"))
	if !ok || bytes.IndexByte(text, '\r') >= 0 {
		return "", errBare
	}
	return string(text), nil
}

// write sends one line. An error shows when the next command is read.
func (k *conn) write(line string) {
	_ = k.c.SetWriteDeadline(k.s.Now().Add(k.s.Limits.CommandTimeout))
	_, _ = io.WriteString(k.c, line+"\r\n")
}

// reply sends a reply with its enhanced status code (RFC 3463). Texts are
// constants: nothing that a client sent comes back.
func (k *conn) reply(code int, status, text string) {
	k.write(strconv.Itoa(code) + " " + status + " " + text)
}

func (k *conn) mistake(code int, status, text string) {
	k.mistakes++
	k.reply(code, status, text)
}

// command does one command; false ends the connection.
func (k *conn) command(line string) bool {
	verb, arg, _ := strings.Cut(line, " ")
	arg = strings.TrimSpace(arg)
	switch strings.ToUpper(verb) {
	case "EHLO", "HELO", "LHLO":
		return k.greet(strings.ToUpper(verb), arg)
	case "MAIL":
		k.mail(arg)
	case "RCPT":
		k.rcpt(arg)
	case "DATA":
		return k.data(arg)
	case "STARTTLS":
		return k.startTLS(arg)
	case "RSET":
		k.reset()
		k.reply(250, "2.0.0", "ok")
	case "NOOP":
		k.reply(250, "2.0.0", "ok")
	case "VRFY": // RFC 5321, 3.5.3: a server need not say who is there
		k.reply(252, "2.5.2", "send some mail")
	case "QUIT":
		k.reply(221, "2.0.0", "bye")
		return false
	case "AUTH", "BDAT", "EXPN", "HELP", "ETRN", "TURN":
		k.mistake(502, "5.5.1", "not offered")
	default:
		k.mistake(500, "5.5.2", "unknown command")
	}
	return true
}

func (k *conn) reset() { k.from, k.to = nil, nil }

// ahead reports whether the client has sent more than it may before it gets an
// answer (RFC 2920, 3.1): whoever does cannot have read what was answered.
func (k *conn) ahead() bool { return k.r.Buffered() > 0 }

func (k *conn) greet(verb, arg string) bool {
	if k.lmtp != (verb == "LHLO") {
		k.mistake(500, "5.5.1", "other protocol")
		return true
	}
	if k.ahead() {
		k.reply(521, "5.5.1", "wait for the answer")
		return false
	}
	if arg == "" || len(arg) > 255 || strings.ContainsFunc(arg, func(r rune) bool { return r <= ' ' || r > '~' }) {
		k.mistake(501, "5.5.4", "name yourself")
		return true
	}
	k.reset()
	k.helo = arg
	if verb == "HELO" {
		k.write("250 " + k.s.Name)
		return true
	}
	k.write("250-" + k.s.Name)
	k.write("250-PIPELINING")
	k.write("250-SIZE " + strconv.FormatInt(k.s.Limits.MaxSize, 10))
	if k.s.TLS != nil && !k.secure {
		k.write("250-STARTTLS")
	}
	k.write("250-ENHANCEDSTATUSCODES")
	k.write("250 8BITMIME")
	return true
}

func (k *conn) startTLS(arg string) bool {
	switch {
	case arg != "":
		k.mistake(501, "5.5.4", "no parameters")
	case k.s.TLS == nil:
		k.mistake(502, "5.5.1", "not offered")
	case k.secure:
		k.mistake(503, "5.5.1", "is on already")
	case k.ahead(): // what stands before the handshake would count as after it (CVE-2011-0411)
		k.reply(521, "5.5.1", "wait for the answer")
		return false
	default:
		return k.handshake()
	}
	return true
}

func (k *conn) handshake() bool {
	k.reply(220, "2.0.0", "go ahead")
	c := tls.Server(k.c, k.s.TLS)
	ctx, cancel := context.WithTimeout(k.ctx, k.s.Limits.CommandTimeout)
	defer cancel()
	if c.HandshakeContext(ctx) != nil {
		return false
	}
	k.c, k.r, k.secure, k.helo = c, bufio.NewReaderSize(c, 32<<10), true, ""
	k.reset()
	return true
}

func (k *conn) mail(arg string) {
	path, params, ok := parsePath(arg, "FROM:")
	switch {
	case k.helo == "":
		k.mistake(503, "5.5.1", "say hello first")
		return
	case k.from != nil:
		k.mistake(503, "5.5.1", "one mail after the other")
		return
	case !ok:
		k.mistake(501, "5.1.7", "no address")
		return
	}
	for _, p := range params {
		name, value, _ := strings.Cut(strings.ToUpper(p), "=")
		switch name {
		case "SIZE":
			n, err := strconv.ParseInt(value, 10, 64)
			if err != nil || n < 0 {
				k.mistake(501, "5.5.4", "no size")
				return
			}
			if n > k.s.Limits.MaxSize {
				k.reply(552, "5.3.4", "too large")
				return
			}
		case "BODY":
			if value != "7BIT" && value != "8BITMIME" {
				k.mistake(501, "5.5.4", "no such body")
				return
			}
		default:
			k.mistake(555, "5.5.4", "parameter not offered")
			return
		}
	}
	if !k.lmtp && !k.s.rate.take(k.network, k.s.Now()) {
		k.reply(451, "4.7.1", "too much mail from your network, try again later")
		return
	}
	k.from = &path
	k.reply(250, "2.1.0", "ok")
}

func (k *conn) rcpt(arg string) {
	path, params, ok := parsePath(arg, "TO:")
	switch {
	case k.from == nil:
		k.mistake(503, "5.5.1", "say from whom first")
		return
	case !ok || path == "":
		k.mistake(501, "5.1.3", "no address")
		return
	case len(params) > 0:
		k.mistake(555, "5.5.4", "parameter not offered")
		return
	case len(k.to) >= k.s.Limits.Recipients:
		k.reply(452, "4.5.3", "too many recipients")
		return
	}
	t, sub, known := k.s.Find(path)
	if !known {
		// The same for every address that is not published, here or elsewhere: it
		// says neither who is served here nor what exists.
		k.mistake(550, "5.1.1", "no such recipient here")
		return
	}
	k.to = append(k.to, recipient{address: path, sub: sub, tenant: t})
	k.reply(250, "2.1.5", "ok")
}

// parsePath reads "FROM:<a@b> SIZE=1" after its verb. The address may be empty;
// a source route is dropped, as RFC 5321, 4.1.1.3 asks.
func parsePath(arg, word string) (path string, params []string, ok bool) {
	if len(arg) < len(word) || !strings.EqualFold(arg[:len(word)], word) {
		return "", nil, false
	}
	rest := strings.TrimSpace(arg[len(word):])
	if !strings.HasPrefix(rest, "<") {
		return "", nil, false
	}
	i := strings.IndexByte(rest, '>')
	if i < 0 {
		return "", nil, false
	}
	path, params = rest[1:i], strings.Fields(rest[i+1:])
	if route, address, found := strings.Cut(path, ":"); found && strings.HasPrefix(route, "@") {
		path = address
	}
	if path == "" {
		return "", params, true
	}
	if strings.EqualFold(path, "postmaster") {
		return "postmaster", params, true
	}
	return path, params, writable(path) != ""
}

// data takes one mail in and answers when it is stored.
func (k *conn) data(arg string) bool {
	switch {
	case arg != "":
		k.mistake(501, "5.5.4", "no parameters")
		return true
	case k.from == nil || len(k.to) == 0:
		k.mistake(503, "5.5.1", "no valid recipients")
		return true
	case k.ahead():
		k.reply(521, "5.5.1", "wait for the answer")
		return false
	}
	k.write("354 go ahead")
	raw, err := k.body()
	defer k.s.gate.shrink(int64(cap(raw)))
	switch {
	case errors.Is(err, errBare):
		k.reply(521, "5.5.2", "lines end with CR LF")
		return false
	case errors.Is(err, errBig):
		return k.refuseAll(552, "5.3.4", "too large")
	case errors.Is(err, errFull):
		return k.refuseAll(452, "4.3.1", "no room, try again later")
	case err != nil:
		return false // the sender has no answer and sends again
	}
	e := envelope{remote: k.remote, helo: k.helo, tls: k.secure, lmtp: k.lmtp, from: *k.from, recipients: k.to}
	k.answer(k.s.take(context.WithoutCancel(k.ctx), e, raw))
	k.reset()
	return true
}

// refuseAll answers for every recipient and ends the mail.
func (k *conn) refuseAll(code int, status, text string) bool {
	n := 1
	if k.lmtp {
		n = len(k.to)
	}
	for range n {
		k.reply(code, status, text)
	}
	k.reset()
	return true
}

// answer says what became of a mail: one reply, or one for each recipient in LMTP
// (RFC 2033, 4.2). Where one tenant could not take it, the sender tries again for
// all; the others know the mail by its mark.
func (k *conn) answer(errs []error) {
	if !k.lmtp {
		for _, err := range errs {
			if err != nil {
				errs = []error{err}
				break
			}
		}
		errs = errs[:1]
	}
	for _, err := range errs {
		switch {
		case err == nil:
			k.reply(250, "2.0.0", "stored")
		case errors.Is(err, errLoop):
			k.reply(554, "5.4.6", "mail goes round")
		default:
			k.s.Log.Error("mail not taken in", "error", err)
			k.reply(451, "4.3.0", "not stored, try again later")
		}
	}
}
