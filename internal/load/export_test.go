package load

import (
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
