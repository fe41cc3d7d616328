package mail

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	netmail "net/mail"
	"net/textproto"
	"strconv"
	"sync"
	"time"

	gomail "github.com/wneessen/go-mail"
)

// TLS says how the connection to the relay is protected.
type TLS string

// The modes. None of them falls back to another.
const (
	// TLSRequired speaks TLS from the first byte, as on port 465 (RFC 8314).
	// It is the zero value's meaning.
	TLSRequired TLS = "required"
	// TLSStart begins in the clear and requires STARTTLS before anything
	// else is said (RFC 3207).
	TLSStart TLS = "starttls"
	// TLSNone never encrypts. Only for a relay on the same machine.
	TLSNone TLS = "none"
)

// Secret is a password that does not print.
type Secret string

const hidden = "[secret]"

// Format writes a placeholder for every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(hidden)) }

// LogValue is a placeholder.
func (Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText refuses, so that a configuration cannot be dumped by accident.
func (Secret) MarshalText() ([]byte, error) {
	return nil, errors.New("mail: a secret cannot be written out")
}

// SMTPConfig describes the relay.
type SMTPConfig struct {
	// Addr is host:port. The certificate must be valid for host.
	Addr string
	// Username and Password sign in at the relay; both empty means no
	// sign-in. The password only ever travels inside TLS, or to localhost.
	Username string
	Password Secret
	// TLS is the mode; empty means TLSRequired.
	TLS TLS
	// HELO is the name given in EHLO; empty means the domain of From.
	HELO string
	// From is the default sender. Its bare address is also the envelope
	// sender of every message: bounces go there.
	From string
	// Roots verifies the relay's certificate; nil means the system's roots.
	Roots *x509.CertPool
	// Timeout bounds one whole Send; 0 means a minute.
	Timeout time.Duration
}

// SMTP sends through one relay, with a connection of its own for every
// message. It may be used by several goroutines.
type SMTP struct {
	cfg        SMTPConfig
	host, port string
	from       netmail.Address
	stepwise   bool // tests: as if the relay knew no pipelining
}

var _ Sender = (*SMTP)(nil)

// NewSMTP checks the configuration. It does not connect.
func NewSMTP(cfg SMTPConfig) (*SMTP, error) {
	s := &SMTP{cfg: cfg}
	var err error
	if s.host, s.port, err = net.SplitHostPort(cfg.Addr); err != nil {
		return nil, fmt.Errorf("mail: relay address: %w", err)
	}
	if n, err := strconv.Atoi(s.port); err != nil || n < 1 || n > 65535 || s.host == "" {
		return nil, errors.New("mail: relay address must be host:port")
	}
	s.cfg.TLS = cmp.Or(cfg.TLS, TLSRequired)
	switch s.cfg.TLS {
	case TLSRequired, TLSStart, TLSNone:
	default:
		return nil, fmt.Errorf("mail: unknown TLS mode %q", cfg.TLS)
	}
	if (cfg.Username == "") != (cfg.Password == "") {
		return nil, errors.New("mail: user name and password belong together")
	}
	if s.from, err = parseFrom(cfg.From); err != nil {
		return nil, fmt.Errorf("mail: default sender: %w", err)
	}
	if s.cfg.HELO == "" {
		a := s.from.Address
		for i := range len(a) {
			if a[i] == '@' {
				s.cfg.HELO = a[i+1:]
			}
		}
	}
	if !oneLine(s.cfg.HELO) {
		return nil, errors.New("mail: bad EHLO name")
	}
	if s.cfg.Timeout <= 0 {
		s.cfg.Timeout = time.Minute
	}
	return s, nil
}

// Host is the name or address of the relay.
func (s *SMTP) Host() string { return s.host }

// Send hands m to the relay and returns when it has answered. Every error is
// an *Error.
func (s *SMTP) Send(ctx context.Context, m Message) error {
	c, err := check(m, s.from.String())
	if err != nil {
		return err
	}
	msg := build(c)
	msg.EnvelopeFromMailAddress(&netmail.Address{Address: s.from.Address})

	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	wire := &wire{}
	defer wire.close()
	// The library knows the context only while dialling. Closing the
	// connection ends whatever it waits for.
	defer context.AfterFunc(ctx, wire.close)()

	client, err := s.client(wire)
	if err != nil {
		return &Error{Stage: "connect", Err: err}
	}
	conn, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return s.failed(ctx, err)
	}
	err = client.SendWithSMTPClient(conn, msg)
	if msg.IsDelivered() {
		// The relay said 250. Whatever went wrong after that (a lost RSET
		// or QUIT) is not a reason to send the message again.
		_ = client.CloseWithSMTPClient(conn)
		return nil
	}
	return s.failed(ctx, err)
}

// client makes a client for one connection; the library's client changes its
// own state while it signs in, so it is not shared.
func (s *SMTP) client(w *wire) (*gomail.Client, error) {
	port, err := strconv.Atoi(s.port)
	if err != nil {
		return nil, err
	}
	conf := &tls.Config{ServerName: s.host, RootCAs: s.cfg.Roots, MinVersion: tls.VersionTLS12}
	opts := []gomail.Option{
		gomail.WithPort(port), gomail.WithTimeout(s.cfg.Timeout + 5*time.Second), gomail.WithHELO(s.cfg.HELO),
		gomail.WithTLSConfig(conf), gomail.WithoutNoop(), gomail.WithoutRset(), gomail.WithoutSMTPUTF8(),
	}
	switch s.cfg.TLS {
	case TLSRequired:
		opts = append(opts, gomail.WithSSL(), gomail.WithDialContextFunc(w.dialer(conf)))
	case TLSStart:
		opts = append(opts, gomail.WithTLSPolicy(gomail.TLSMandatory), gomail.WithDialContextFunc(w.dialer(nil)))
	case TLSNone:
		opts = append(opts, gomail.WithTLSPolicy(gomail.NoTLS), gomail.WithDialContextFunc(w.dialer(nil)))
	}
	if s.cfg.Username != "" {
		opts = append(opts, gomail.WithUsername(s.cfg.Username), gomail.WithPassword(string(s.cfg.Password)),
			gomail.WithOpportunisticSMTPAuth(gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthPlain, gomail.SMTPAuthLogin))
	}
	return gomail.NewClient(s.host, opts...)
}

// failed turns an error of the library into one that can be logged.
func (s *SMTP) failed(ctx context.Context, err error) error {
	e := &Error{Stage: "connect"}
	if sent, ok := errors.AsType[*gomail.SendError](err); ok {
		e.Stage, e.Code, e.Enhanced = stage(sent.Reason), sent.ErrorCode(), sent.EnhancedStatusCode()
		// 530, 534, 535 and 538 are about our sign-in, not the message.
		e.Permanent = e.Code >= 500 && e.Code <= 599 && e.Code != 530 && e.Code != 534 && e.Code != 535 && e.Code != 538
		if e.Code == 0 {
			e.Err = errors.New("connection broke")
		}
	} else {
		e.Err = cause(err)
	}
	if ctx.Err() != nil && e.Code == 0 {
		e.Err = ctx.Err()
	}
	return e
}

func stage(r gomail.SendErrReason) string {
	switch r {
	case gomail.ErrSMTPMailFrom, gomail.ErrGetSender:
		return "mail"
	case gomail.ErrSMTPRcptTo, gomail.ErrGetRcpts:
		return "rcpt"
	case gomail.ErrSMTPData:
		return "data"
	case gomail.ErrWriteContent:
		return "content"
	case gomail.ErrSMTPDataClose:
		return "end"
	}
	return "connect"
}

// wire remembers the connection, because the library loses hold of it when
// the greeting, TLS or the sign-in fails.
type wire struct {
	mu     sync.Mutex
	conn   net.Conn
	closed bool
}

func (w *wire) dialer(conf *tls.Config) gomail.DialContextFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		var d net.Dialer
		conn, err := d.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		w.mu.Lock()
		w.conn = conn
		if w.closed {
			conn.Close()
		}
		w.mu.Unlock()
		if conf == nil {
			return conn, nil
		}
		t := tls.Client(conn, conf)
		if err := t.HandshakeContext(ctx); err != nil {
			return nil, err
		}
		return t, nil
	}
}

func (w *wire) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	if w.conn != nil {
		w.conn.Close()
	}
}

// cause keeps the errors of this side (network, certificate) and replaces a
// reply of the relay by its code: relays like to repeat names in their text.
func cause(err error) error {
	if reply, ok := errors.AsType[*textproto.Error](err); ok {
		return fmt.Errorf("reply %d", reply.Code)
	}
	return err
}
