package load

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"poststelle/internal/account"
	"poststelle/internal/fault"
	"poststelle/internal/mailbox"
	"poststelle/internal/tenant"
)

// FillConfig says what to write where. Nothing but Letters, Mailboxes and
// Tenants is required.
type FillConfig struct {
	// Letters is how many letters to write, spread over the mailboxes of
	// Tenants in turn.
	Letters   int
	Mailboxes *mailbox.Service
	Tenants   []*tenant.Tenant
	// Workers write at the same time; default 64. Group commit needs company.
	Workers int
	// FileEvery adds a small file to each nth letter; 0 adds none.
	FileEvery int
	// Closed is the share of letters, in percent, that Staff closes, as in an
	// office that has worked for years. It needs a signed-in member of staff of
	// each tenant who is a member of all its mailboxes.
	Closed int
	Staff  map[tenant.ID]account.Actor
	// Progress is told now and then how many letters are written; it may be
	// nil.
	Progress func(done int)
}

// Filled is what Fill has written.
type Filled struct {
	Letters int     `json:"letters"`
	Closed  int     `json:"closed"`
	Seconds float64 `json:"seconds"`
	Rate    float64 `json:"rate"`
}

// Fill writes letters and returns when the vault has taken in the last one. It
// stops at the first error; what is written stays.
func Fill(ctx context.Context, c FillConfig) (Filled, error) {
	if c.Letters < 0 || c.Mailboxes == nil || len(c.Tenants) == 0 || c.Closed < 0 || c.Closed > 100 {
		return Filled{}, fmt.Errorf("load: fill: %w", fault.Invalid)
	}
	if c.Workers <= 0 {
		c.Workers = 64
	}
	f := &filling{FillConfig: c}
	for _, t := range c.Tenants {
		for _, m := range t.Mailboxes {
			f.offices = append(f.offices, office{t, m})
		}
	}
	if len(f.offices) == 0 {
		return Filled{}, fmt.Errorf("load: fill: no mailbox: %w", fault.Invalid)
	}
	start := time.Now()
	err := f.run(ctx)
	out := Filled{Letters: int(f.written.Load()), Closed: int(f.closed.Load()), Seconds: time.Since(start).Seconds()}
	if out.Seconds > 0 {
		out.Rate = float64(out.Letters) / out.Seconds
	}
	if err != nil {
		return out, fmt.Errorf("load: fill: %w", err)
	}
	return out, nil
}

type office struct {
	of  *tenant.Tenant
	box tenant.Mailbox
}

type filling struct {
	FillConfig
	offices []office
	next    atomic.Int64
	written atomic.Int64
	closed  atomic.Int64
}

// run writes with all workers while one goroutine hands keys to the vault.
func (f *filling) run(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var writers, taker sync.WaitGroup
	over := make(chan struct{})
	taker.Go(func() {
		if err := f.takeIn(ctx, over); err != nil {
			stop(err)
		}
	})
	for range f.Workers {
		writers.Go(func() {
			for n := f.next.Add(1) - 1; n < int64(f.Letters) && ctx.Err() == nil; n = f.next.Add(1) - 1 {
				if err := f.write(ctx, int(n)); err != nil {
					stop(err)
					return
				}
			}
		})
	}
	writers.Wait()
	close(over)
	taker.Wait()
	if err := context.Cause(ctx); err != nil {
		return err
	}
	_, err := f.Mailboxes.TakeIn(ctx)
	return err
}

// takeIn empties the queue again and again until the writers are done.
func (f *filling) takeIn(ctx context.Context, over <-chan struct{}) error {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-over:
			return nil
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if _, err := f.Mailboxes.TakeIn(ctx); err != nil && ctx.Err() == nil {
			return err
		}
	}
}

func (f *filling) write(ctx context.Context, n int) error {
	o := f.offices[n%len(f.offices)]
	done, err := f.Mailboxes.Deliver(ctx, o.of, compose(n, o.box, f.FileEvery))
	if err != nil {
		return err
	}
	if total := f.written.Add(1); f.Progress != nil && total%1000 == 0 {
		f.Progress(int(total))
	}
	// Every hundredth stays or goes as a block, evenly over the mailboxes.
	if (n/len(f.offices))%100 >= f.Closed {
		return nil
	}
	who, ok := f.Staff[o.of.ID]
	if !ok {
		return fmt.Errorf("nobody of %s to close letters: %w", o.of.ID, fault.Invalid)
	}
	err = f.Mailboxes.CloseThread(ctx, who, done.Thread)
	if errors.Is(err, fault.NotFound) {
		return fmt.Errorf("%s is no member of %s/%s: %w", who.Person, o.of.ID, o.box.ID, err)
	}
	if err == nil {
		f.closed.Add(1)
	}
	return err
}
