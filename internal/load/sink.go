package load

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"poststelle/internal/fault"
)

// sink is a mail server that takes everything, keeps nothing, and looks whether
// each message has a link of its own to unsubscribe. It does as little as a
// server can, so that the sender is what is measured.
type sink struct {
	on   net.Listener
	more chan struct{} // told when messages have come
	wg   sync.WaitGroup

	mu    sync.Mutex
	open  map[net.Conn]bool
	most  int // connections at the same time
	words map[string]bool
	bad   int
	first string
}

// listenSink opens the sink on an address of this machine.
func listenSink(ctx context.Context, address string) (*sink, error) {
	host, _, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("the sink listens on this machine only, not on %q: %w", address, fault.Denied)
	}
	on, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	s := &sink{on: on, more: make(chan struct{}, 1), open: map[net.Conn]bool{}, words: map[string]bool{}}
	s.wg.Go(func() {
		for {
			c, err := on.Accept()
			if err != nil {
				return
			}
			s.wg.Go(func() { s.serve(c) })
		}
	})
	return s, nil
}

func (s *sink) close() {
	_ = s.on.Close()
	s.mu.Lock()
	for c := range s.open {
		_ = c.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
}

// await returns when so many messages have come, or the time is over.
func (s *sink) await(ctx context.Context, count int, most time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	for {
		if done, bad, _ := s.outcome(); done+bad >= count {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-s.more:
		}
	}
}

func (s *sink) outcome() (good, bad int, first string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.words), s.bad, s.first
}

func (s *sink) lines() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.most
}

// serve speaks the server's part of RFC 5321 with PIPELINING.
func (s *sink) serve(c net.Conn) {
	s.mu.Lock()
	s.open[c] = true
	s.most = max(s.most, len(s.open))
	s.mu.Unlock()
	defer func() {
		_ = c.Close()
		s.mu.Lock()
		delete(s.open, c)
		s.mu.Unlock()
	}()
	r, w := bufio.NewReaderSize(c, 64<<10), bufio.NewWriter(c)
	say := func(text string) { _, _ = w.WriteString(text + "\r\n") }
	say("220 sink")
	for {
		if r.Buffered() == 0 && w.Flush() != nil {
			return
		}
		command, err := r.ReadSlice('\n')
		if err != nil {
			return
		}
		switch verb := string(bytes.ToUpper(command[:min(4, len(command))])); verb {
		case "EHLO":
			say("250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES")
		case "DATA":
			say("354 go on")
			if w.Flush() != nil || s.take(r) != nil {
				return
			}
			say("250 2.0.0 taken")
		case "QUIT":
			say("221 2.0.0 bye")
			_ = w.Flush()
			return
		default:
			say("250 2.0.0 ok")
		}
	}
}

var (
	listUnsubscribe = []byte("List-Unsubscribe:")
	wayOut          = []byte("/newsletter/abmelden/")
)

// take reads a message up to the dot.
func (s *sink) take(r *bufio.Reader) error {
	word, looking := "", false
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) == 3 && line[0] == '.' {
			break
		}
		looking = looking && len(line) > 0 && line[0] == ' ' || bytes.HasPrefix(line, listUnsubscribe)
		if at := bytes.Index(line, wayOut); looking && word == "" && at >= 0 {
			rest := line[at+len(wayOut):]
			word = string(rest[:max(bytes.IndexByte(rest, '>'), 0)])
		}
	}
	s.mu.Lock()
	switch {
	case word == "":
		s.wrong("a message without a link to unsubscribe")
	case s.words[word]:
		s.wrong("a message with the link of another one")
	default:
		s.words[word] = true
	}
	s.mu.Unlock()
	select {
	case s.more <- struct{}{}:
	default:
	}
	return nil
}

// wrong counts a message that is not as it should be.
func (s *sink) wrong(why string) {
	s.bad++
	if s.first == "" {
		s.first = why
	}
}
