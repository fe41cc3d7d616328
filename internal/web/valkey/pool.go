package valkey

import (
	"context"
	"crypto/tls"
	"net"
	"net/url"
	"strconv"
	"time"

	driver "github.com/gomodule/redigo/redis"
)

const (
	// maxConns bounds the connections of one node. A request that finds none
	// free waits for one, within its timeout.
	maxConns = 32
	// maxIdle is how many of them stay open without work, and maxIdleTime how long.
	maxIdle     = 8
	maxIdleTime = 5 * time.Minute
)

// target is what the address of a server says.
type target struct {
	network, address string
	options          []driver.DialOption
}

// parse reads the address of a server. It refuses what it does not understand:
// an option that is passed over could be the one that somebody relies on.
func parse(raw string) (to target, ok bool) {
	u, err := url.Parse(raw)
	if err != nil || u.Opaque != "" || u.Fragment != "" {
		return to, false
	}
	number := u.Query().Get("db")
	for name := range u.Query() {
		if name != "db" {
			return to, false
		}
	}
	switch u.Scheme {
	case "unix":
		to.network, to.address = "unix", u.Path
		if u.Host != "" || u.Path == "" {
			return to, false
		}
	case "redis", "rediss", "valkey", "valkeys":
		host, port := u.Hostname(), u.Port()
		if host == "" {
			host = "localhost"
		}
		if port == "" {
			port = "6379"
		}
		to.network, to.address = "tcp", net.JoinHostPort(host, port)
		if u.Scheme == "rediss" || u.Scheme == "valkeys" {
			to.options = append(to.options, driver.DialUseTLS(true),
				driver.DialTLSConfig(&tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}))
		}
		if len(u.Path) > 1 && number == "" {
			number = u.Path[1:]
		}
	default:
		return to, false
	}
	if number != "" {
		n, err := strconv.Atoi(number)
		if err != nil || n < 0 {
			return to, false
		}
		to.options = append(to.options, driver.DialDatabase(n))
	}
	if u.User != nil {
		password, _ := u.User.Password()
		if password == "" {
			return to, false // the driver would not sign in at all
		}
		to.options = append(to.options, driver.DialUsername(u.User.Username()), driver.DialPassword(password))
	}
	return to, true
}

func newPool(to target) *driver.Pool {
	options := append(to.options,
		driver.DialConnectTimeout(timeout), driver.DialTLSHandshakeTimeout(timeout),
		driver.DialReadTimeout(timeout), driver.DialWriteTimeout(timeout))
	return &driver.Pool{
		MaxActive: maxConns, Wait: true, MaxIdle: maxIdle, IdleTimeout: maxIdleTime,
		DialContext: func(ctx context.Context) (driver.Conn, error) {
			return driver.DialContext(ctx, to.network, to.address, options...)
		},
		// A restart of the server costs no request: most scripts may not be tried
		// twice, so the connection is tried first.
		TestOnBorrowContext: func(ctx context.Context, c driver.Conn, _ time.Time) error {
			_, err := driver.DoContext(c, ctx, "PING")
			return err
		},
	}
}
