package mailbox_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"poststelle/internal/db"
)

// TestNumbers_NoneTwiceNoneLeftOut draws numbers from many goroutines, across
// several blocks: each exactly once, and those of another year from the start.
func TestNumbers_NoneTwiceNoneLeftOut(t *testing.T) {
	p := newPost(t)
	const senders, each = 64, 40
	drawn := make([][]string, senders)
	var wg sync.WaitGroup
	for i := range senders {
		wg.Go(func() {
			for range each {
				n, err := p.Service.NextNumber(t.Context(), "musterstadt", p.Now())
				if err != nil {
					t.Error(err)
					return
				}
				drawn[i] = append(drawn[i], n)
			}
		})
	}
	wg.Wait()
	seen := map[string]bool{}
	for _, of := range drawn {
		for _, n := range of {
			if seen[n] {
				t.Errorf("%s was given twice", n)
			}
			seen[n] = true
		}
	}
	year := p.Now().Year()
	for i := range senders * each {
		if n := fmt.Sprintf("%d-%06d", year, i+1); !seen[n] {
			t.Errorf("%s was left out", n)
		}
	}
	n, err := p.Service.NextNumber(t.Context(), "musterstadt", p.Now().AddDate(1, 0, 0))
	if want := fmt.Sprintf("%d-000001", year+1); err != nil || n != want {
		t.Errorf("first number of the next year: %q, %v", n, err)
	}
}

// TestNumbers_WaitEndsWithTheCaller holds the database: who has no number waits
// no longer than its context, and the next one gets a number.
func TestNumbers_WaitEndsWithTheCaller(t *testing.T) {
	p := newPost(t)
	ctx, cancel := context.WithCancel(t.Context())
	held := func(*db.Tx) error {
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if _, err := p.Service.NextNumber(ctx, "musterstadt", p.Now()); !errors.Is(err, context.Canceled) {
					t.Errorf("cancelled wait: %v", err)
				}
			})
		}
		cancel()
		wg.Wait()
		return nil
	}
	p.must(p.DB.Update(t.Context(), held))
	if n, err := p.Service.NextNumber(t.Context(), "musterstadt", p.Now()); err != nil || n == "" {
		t.Errorf("after a cancelled reservation: %q, %v", n, err)
	}
}
