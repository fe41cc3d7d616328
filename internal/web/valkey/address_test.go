package valkey_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	driver "github.com/gomodule/redigo/redis"

	"poststelle/internal/fault"
	"poststelle/internal/web/valkey"
	"poststelle/internal/web/valkey/valkeytest"
)

// Password, number of the database and socket come from the address.
func TestOpen_Address(t *testing.T) {
	c := &clock{t: time.Now()}
	socket := filepath.Join(t.TempDir(), "s")
	srv := valkeytest.Start(t, "--requirepass", "geheim-4711", "--unixsocket", socket)
	host := strings.TrimPrefix(srv.URL, "redis://")
	for _, url := range []string{
		"redis://:geheim-4711@" + host + "/3", "redis://default:geheim-4711@" + host + "?db=3", "unix://:geheim-4711@" + socket + "?db=3",
	} {
		raw, err := driver.Dial("tcp", host, driver.DialPassword("geheim-4711"), driver.DialDatabase(3))
		if err != nil {
			t.Fatal(err)
		}
		s := open(t, srv, c, func(cfg *valkey.Config) { cfg.URL = url })
		create(t, s)
		if n, err := driver.Int(raw.Do("DBSIZE")); n != 1 || err != nil {
			t.Errorf("%s: %d sessions in the database, %v", url, n, err)
		}
		if _, err := raw.Do("FLUSHDB"); err != nil {
			t.Error(err)
		}
		_ = raw.Close()
	}
	for _, url := range []string{"redis://:falsch-0815@" + host, "redis://" + host, "redis://127.0.0.1:1"} {
		s, err := valkey.Open(t.Context(), valkey.Config{URL: url, Now: c.now})
		if err == nil {
			_ = s.Close()
			t.Errorf("%s was opened", url)
		} else if strings.Contains(err.Error(), "0815") {
			t.Errorf("the password stands in %v", err)
		}
	}
	for _, url := range []string{"", "http://" + host, "unix://", "redis://nur-ein-name@" + host, "redis://" + host + "/x", "rediss://" + host + "?skip_verify=true"} {
		s, err := valkey.Open(t.Context(), valkey.Config{URL: url, Now: c.now})
		if err == nil {
			_ = s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "the address of the session store") {
			t.Errorf("%q: %v", url, err)
		}
	}
}

// The certificate of a server is checked.
func TestOpen_TLS(t *testing.T) {
	srv := httptest.NewTLSServer(nil)
	defer srv.Close()
	s, err := valkey.Open(t.Context(), valkey.Config{URL: "rediss://" + srv.Listener.Addr().String(), Now: time.Now})
	if err == nil {
		_ = s.Close()
	}
	if _, is := errors.AsType[*tls.CertificateVerificationError](err); !is || !errors.Is(err, fault.Unavailable) {
		t.Errorf("a server with a certificate of its own: %v", err)
	}
}

// A server that accepts and never answers holds nobody longer than the caller
// wants, nor longer than the bound of each question.
func TestOpen_Silent(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for wait, most := range map[time.Duration]time.Duration{50 * time.Millisecond: time.Second, time.Hour: 20 * time.Second} {
		ctx, cancel := context.WithTimeout(t.Context(), wait)
		begin := time.Now()
		_, err := valkey.Open(ctx, valkey.Config{URL: "redis://" + l.Addr().String(), Trusted: true, Now: time.Now})
		cancel()
		if took := time.Since(begin); !errors.Is(err, fault.Unavailable) || took > most {
			t.Errorf("after %v: %v", took, err)
		}
	}
}
