package db_test

import (
	"crypto/rand"
	"fmt"
	"sync"
	"testing"

	"poststelle/internal/db"
	"poststelle/internal/db/dbtest"
)

// BenchmarkUpdate measures durable transactions, one insert of 650 bytes each,
// by callers at the same time.
func BenchmarkUpdate(b *testing.B) {
	for _, callers := range []int{1, 8, 64, 256} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			d := dbtest.New(b, letters())
			ctx := b.Context()
			text := make([]byte, 600)
			b.ResetTimer()
			var wg sync.WaitGroup
			work := make(chan struct{}, callers)
			for range callers {
				wg.Go(func() {
					for range work {
						if err := d.Update(ctx, func(tx *db.Tx) error {
							_, err := tx.Exec(ctx, insertLetter, rand.Text(), "berg", "new", true, text, db.Millis(tx.Now))
							return err
						}); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			for range b.N {
				work <- struct{}{}
			}
			close(work)
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tx/s")
		})
	}
}

// BenchmarkView measures one row by its id.
func BenchmarkView(b *testing.B) {
	d := dbtest.New(b, letters())
	ctx := b.Context()
	put(b, d, "a", "new")
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			if err := d.View(ctx, func(tx *db.Tx) error {
				var state string
				return tx.QueryRow(ctx, `select state from letters where tenant = $1 and id = $2`, "berg", "a").Scan(&state)
			}); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkLimit measures a list of ten rows with a bound limit, and the same
// rows without one.
func BenchmarkLimit(b *testing.B) {
	d := dbtest.New(b, letters())
	ctx := b.Context()
	for i := range 10 {
		put(b, d, fmt.Sprint(i), "new")
	}
	for name, end := range map[string]string{"bound": "limit $2", "none": "and $2 > 0"} {
		q := `select id from letters where tenant = $1 ` + end
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := d.View(ctx, func(tx *db.Tx) error {
					_, err := db.Collect(ctx, tx, func(r db.Scanner) (id string, err error) { err = r.Scan(&id); return id, err }, q, "berg", 50)
					return err
				}); err != nil {
					b.Error(err)
				}
			}
		})
	}
}
