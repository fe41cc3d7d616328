package load

import (
	"context"
	"time"

	"poststelle/internal/mailbox"
	"poststelle/internal/tenant"
)

// Quantile is quantile.
func Quantile(sorted []time.Duration, q float64) float64 { return quantile(sorted, q) }

// Compose is compose.
func Compose(n int, box tenant.Mailbox, fileEvery int) mailbox.Letter {
	return compose(n, box, fileEvery)
}

// Dial connects to an address as every request does.
func Dial(ctx context.Context, address string) error {
	c, err := transport(1, nil).DialContext(ctx, "tcp", address)
	if err == nil {
		c.Close()
	}
	return err
}
