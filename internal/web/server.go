package web

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// Server returns an http.Server with the limits of this package: five seconds
// for a request header of at most 16 KiB, two minutes of idleness; deadlines of
// bodies and responses are the Router's. Its error log is silent, because net/http
// writes addresses of clients into it.
func Server(h http.Handler) *http.Server {
	return &http.Server{
		Handler:                      h,
		ReadHeaderTimeout:            5 * time.Second,
		IdleTimeout:                  2 * time.Minute,
		MaxHeaderBytes:               16 << 10,
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     log.New(io.Discard, "", 0),
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: 100,
			SendPingTimeout:      30 * time.Second,
			PingTimeout:          15 * time.Second,
			WriteByteTimeout:     writeWait,
		},
	}
}

// KeyPair names a certificate chain and its key, both PEM files.
type KeyPair struct {
	CertFile, KeyFile string
}

// TLSConfig configures ListenTLS.
type TLSConfig struct {
	// Pairs are the certificates; the one whose names fit is used, otherwise
	// the first.
	Pairs []KeyPair
	// AllowTLS12 accepts TLS 1.2 beside 1.3 (BSI TR-02102-2 allows it).
	AllowTLS12 bool
}

// ListenTLS listens on a TCP address with TLS and offers HTTP/2. Certificate
// files are read again when they change: a renewal needs no restart. While a
// changed pair cannot be read, the old one stays in use.
func ListenTLS(ctx context.Context, addr string, cfg TLSConfig) (net.Listener, error) {
	if len(cfg.Pairs) == 0 {
		return nil, errors.New("web: no certificate configured")
	}
	certs := &certificates{}
	for _, p := range cfg.Pairs {
		c := &certificate{pair: p}
		if err := c.reload(); err != nil {
			return nil, err
		}
		certs.all = append(certs.all, c)
	}
	tc := &tls.Config{MinVersion: tls.VersionTLS13, GetCertificate: certs.get, NextProtos: []string{"h2", "http/1.1"}}
	if cfg.AllowTLS12 {
		tc.MinVersion = tls.VersionTLS12
		// Forward secrecy and AEAD only; TLS 1.3 chooses for itself.
		tc.CipherSuites = []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
		}
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("web: listen: %w", err)
	}
	return tls.NewListener(l, tc), nil
}

type certificates struct{ all []*certificate }

type certificate struct {
	pair KeyPair

	mu    sync.Mutex
	stamp [2]fileStamp
	cert  *tls.Certificate
}

type fileStamp struct {
	mod  time.Time
	size int64
}

func (cs *certificates) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	for _, c := range cs.all {
		if cert := c.current(); hello.SupportsCertificate(cert) == nil {
			return cert, nil
		}
	}
	return cs.all[0].current(), nil
}

func (c *certificate) current() *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if stamp, err := c.stamps(); err == nil && stamp != c.stamp {
		_ = c.read(stamp) // half written: the next handshake tries again
	}
	return c.cert
}

func (c *certificate) reload() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	stamp, err := c.stamps()
	if err != nil {
		return fmt.Errorf("web: certificate: %w", err)
	}
	return c.read(stamp)
}

func (c *certificate) read(stamp [2]fileStamp) error {
	cert, err := tls.LoadX509KeyPair(c.pair.CertFile, c.pair.KeyFile)
	if err != nil {
		return fmt.Errorf("web: certificate: %w", err)
	}
	c.cert, c.stamp = &cert, stamp
	return nil
}

func (c *certificate) stamps() (s [2]fileStamp, err error) {
	for i, name := range [...]string{c.pair.CertFile, c.pair.KeyFile} {
		info, err := os.Stat(name)
		if err != nil {
			return s, err
		}
		s[i] = fileStamp{info.ModTime(), info.Size()}
	}
	return s, nil
}
