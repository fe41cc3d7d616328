// Package valkeytest starts a real server for sessions, for tests.
package valkeytest

import (
	"context"
	"net"
	"os/exec"
	"testing"
	"time"
)

// Server is a running redis-server or valkey-server on the loopback address.
type Server struct {
	URL string

	t    testing.TB
	addr string
	args []string
	cmd  *exec.Cmd
}

// Start starts a server without persistence, with more settings ("--save",
// "60 1") if given; it ends with the test. A machine without a server fails the
// test: dev/setup installs one.
func Start(t testing.TB, settings ...string) *Server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(addr)
	s := &Server{t: t, addr: addr, URL: "redis://" + addr}
	s.args = append([]string{"--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no", "--dir", t.TempDir()}, settings...)
	t.Cleanup(s.Stop)
	s.Resume()
	return s
}

// Resume starts a stopped server anew, empty, at the same address.
func (s *Server) Resume() {
	s.t.Helper()
	name, err := exec.LookPath("redis-server")
	if err != nil {
		if name, err = exec.LookPath("valkey-server"); err != nil {
			s.t.Fatal("neither redis-server nor valkey-server is installed: run dev/setup")
		}
	}
	s.cmd = exec.Command(name, s.args...)
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for ctx.Err() == nil {
		c, err := new(net.Dialer).DialContext(ctx, "tcp", s.addr)
		if err == nil {
			_ = c.Close()
			return
		}
	}
	s.t.Fatalf("%s does not answer at %s", name, s.addr)
}

// Stop ends the server at once.
func (s *Server) Stop() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	s.cmd = nil
}
