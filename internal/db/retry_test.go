package db_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"poststelle/internal/db"
	"poststelle/internal/db/dbtest"
	"poststelle/internal/fault"
)

// TestPostgres_Retries makes the server report a lost race in the first runs.
// There are no lost races on SQLite.
func TestPostgres_Retries(t *testing.T) {
	d := dbtest.New(t, letters())
	if d.Engine() != "postgres" {
		return
	}
	ctx := t.Context()
	for _, code := range []string{"40001", "40P01"} {
		for name, hide := range map[string]func(error) error{
			"wrapped": func(err error) error { return fmt.Errorf("domain: %w", err) },
			"hidden":  func(error) error { return errOwn },
			"ignored": func(error) error { return nil },
		} {
			t.Run(code+" "+name, func(t *testing.T) {
				runs, hooks := 0, 0
				id := code + name
				err := d.Update(ctx, func(tx *db.Tx) error {
					runs++
					tx.AfterCommit(func() { hooks++ })
					if err := insert(t, tx, id, "new"); err != nil {
						return err
					}
					if runs < 3 {
						if _, err := tx.Exec(ctx, `do $$ begin raise exception using errcode = '`+code+`'; end $$`); err != nil {
							return hide(err)
						}
					}
					return nil
				})
				if err != nil || runs != 3 || hooks != 1 {
					t.Errorf("Update() = %v after %d runs and %d hooks, want nil, 3, 1", err, runs, hooks)
				}
			})
		}
	}

	t.Run("in vain", func(t *testing.T) {
		runs := 0
		err := d.Update(ctx, func(tx *db.Tx) error {
			runs++
			_, err := tx.Exec(ctx, `do $$ begin raise exception using errcode = '40001'; end $$`)
			return err
		})
		if !errors.Is(err, fault.Unavailable) || runs < 2 {
			t.Errorf("Update() = %v after %d runs, want unavailable after several", err, runs)
		}
	})

	t.Run("deadlock", func(t *testing.T) {
		put(t, d, "left", "new")
		put(t, d, "right", "new")
		var (
			wg   sync.WaitGroup
			both sync.WaitGroup
		)
		both.Add(2)
		for _, order := range [][]string{{"left", "right"}, {"right", "left"}} {
			wg.Go(func() {
				first := sync.OnceFunc(func() { both.Done(); both.Wait() })
				if err := d.Update(ctx, func(tx *db.Tx) error {
					for _, id := range order {
						if _, err := tx.Exec(ctx, `update letters set version = version + 1 where tenant = $1 and id = $2`, "berg", id); err != nil {
							return err
						}
						first() // each holds one row when it asks for the other
					}
					return nil
				}); err != nil {
					t.Errorf("Update() = %v", err)
				}
			})
		}
		wg.Wait()
		var version int64
		if err := d.View(ctx, func(tx *db.Tx) error {
			return tx.QueryRow(ctx, `select min(version) from letters where tenant = $1 and id in ('left', 'right')`, "berg").Scan(&version)
		}); err != nil || version != 3 {
			t.Errorf("version = %d, %v, want 3", version, err)
		}
	})
}
