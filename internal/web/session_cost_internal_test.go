package web

import (
	"testing"
	"time"
)

// fillSessions begins sessions until memory is full, each with a value.
func fillSessions(tb testing.TB, s *Sessions) (n int) {
	tb.Helper()
	for {
		e, _, err := s.create("musterstadt")
		if err != nil {
			return n
		}
		n++
		if !s.reserve(e, 64) {
			return n
		}
	}
}

// BenchmarkSessions_RefusedNewcomer is what a visitor costs for whom there is no
// room, under the lock that all others need.
func BenchmarkSessions_RefusedNewcomer(b *testing.B) {
	now := time.Now()
	s := NewSessions(SessionConfig{Now: func() time.Time { return now }})
	n := fillSessions(b, s)
	b.ReportMetric(float64(n), "sessions")
	for b.Loop() {
		if _, _, err := s.create("musterstadt"); err == nil {
			b.Fatal("there is room")
		}
	}
}

// TestSessions_RefusedNewcomerIsCheap allows a thousand times what one costs.
func TestSessions_RefusedNewcomerIsCheap(t *testing.T) {
	now := time.Now()
	s := NewSessions(SessionConfig{Now: func() time.Time { return now }, MemoryBytes: 64 << 20})
	n := fillSessions(t, s)
	start := time.Now()
	for range 1000 {
		if _, _, err := s.create("musterstadt"); err == nil {
			t.Fatal("there is room")
		}
	}
	if took := time.Since(start); took > time.Second {
		t.Errorf("with %d sessions 1000 refused newcomers cost %v", n, took)
	}
}

// TestSessions_EmptyMakeRoom keeps those with values and ends the empty ones in
// the order of their last visit.
func TestSessions_EmptyMakeRoom(t *testing.T) {
	now := time.Now()
	s := NewSessions(SessionConfig{Now: func() time.Time { return now }, MemoryBytes: 4 * emptySize})
	var all []*entry
	for range 3 {
		e, _, err := s.create("musterstadt")
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
		now = now.Add(time.Second)
	}
	if !s.reserve(all[0], emptySize) { // the oldest has a value
		t.Fatal("no room")
	}
	s.mu.Lock()
	s.touch(all[1], now)
	s.mu.Unlock()
	if _, _, err := s.create("musterstadt"); err == nil {
		t.Error("a session of this minute made room")
	}
	now = now.Add(2 * time.Minute)
	if _, _, err := s.create("musterstadt"); err != nil {
		t.Errorf("an empty idle session made no room: %v", err)
	}
	if s.byID[all[2].id] != nil || s.byID[all[1].id] == nil || s.byID[all[0].id] == nil {
		t.Error("another session than the empty one that was seen first had to go")
	}
	now = now.Add(SessionIdle)
	s.Sweep()
	if n, bytes := s.Len(); n != 0 || bytes != 0 || s.born.Len()+s.seen.Len()+s.empty.Len() != 0 {
		t.Errorf("%d sessions, %d bytes, %d+%d+%d places are left", n, bytes, s.born.Len(), s.seen.Len(), s.empty.Len())
	}
}
