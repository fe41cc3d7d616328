package seal

import (
	"runtime"
	"sync"
)

// Must lets a test see that impossible errors end in a panic.
func Must(n int, err error) int { return must(n, err) }

// Together runs f n times at once and has all boxes that they seal to p, one
// each, share one round.
func Together(p Public, n int, f func()) {
	p.rounds.turn.Lock()
	var all sync.WaitGroup
	for range n {
		all.Go(f)
	}
	for gathered := 0; gathered < n; runtime.Gosched() {
		p.rounds.mu.Lock()
		if p.rounds.next != nil {
			gathered = p.rounds.next.places
		}
		p.rounds.mu.Unlock()
	}
	p.rounds.turn.Unlock()
	all.Wait()
}

// TogetherBroken has n callers of f share a round whose leader panics; f calls
// what seals, one at a time.
func TogetherBroken(p Public, n int, f func(seal func() error)) {
	var one sync.Mutex
	broken := Public{key: nil, rounds: p.rounds}
	Together(p, n, func() {
		r, err := func() (r any, err error) {
			defer func() { r = recover() }()
			round, _ := broken.rounds.join(broken.key)
			return nil, round.err
		}()
		one.Lock()
		defer one.Unlock()
		f(func() error {
			if r != nil {
				panic(r)
			}
			return err
		})
	})
}
