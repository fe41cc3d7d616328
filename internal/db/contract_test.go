package db_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"poststelle/internal/db"
	"poststelle/internal/db/dbtest"
	"poststelle/internal/fault"
)

// TestContract runs the statement forms that domains use. It is the same text
// on both engines; that is what it proves.
func TestContract(t *testing.T) {
	d := dbtest.New(t, letters())
	ctx := t.Context()

	t.Run("upsert returning", func(t *testing.T) {
		const upsert = `
			insert into letters (id, tenant, state, urgent, at)
			values ($1, $2, $3, $4, $5)
			on conflict (id) do update set state = excluded.state, version = letters.version + 1
			returning state, version`
		for i, want := range []int64{1, 2, 3} {
			if err := d.Update(ctx, func(tx *db.Tx) error {
				var state string
				var version int64
				if err := tx.QueryRow(ctx, upsert, "u", "upserts", fmt.Sprint(i), true, db.Millis(tx.Now)).Scan(&state, &version); err != nil {
					return err
				}
				if state != fmt.Sprint(i) || version != want {
					t.Errorf("state, version = %q, %d, want %d, %d", state, version, i, want)
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}
	})

	t.Run("key-set paging", func(t *testing.T) {
		if err := d.Update(ctx, func(tx *db.Tx) error {
			for i := range 10 {
				// Two letters share each moment: the id decides.
				if _, err := tx.Exec(ctx, insertLetter, fmt.Sprintf("p%d", i), "pages", "new", false, nil, i/2); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		type place struct {
			at int64
			id string
		}
		var got []string
		last := place{at: 1 << 40}
		for page := 0; ; page++ {
			if page > 10 {
				t.Fatal("the pages do not end")
			}
			var rows []place
			if err := d.View(ctx, func(tx *db.Tx) (err error) {
				rows, err = db.Collect(ctx, tx, func(s db.Scanner) (p place, err error) { return p, s.Scan(&p.at, &p.id) }, `
					select at, id
					from letters
					where tenant = $1
					and (at, id) < ($2, $3)
					order by at desc, id desc
					limit $4`, "pages", last.at, last.id, 3)
				return err
			}); err != nil {
				t.Fatal(err)
			}
			if len(rows) == 0 {
				break
			}
			for _, r := range rows {
				got = append(got, r.id)
			}
			last = rows[len(rows)-1]
		}
		want := []string{"p9", "p8", "p7", "p6", "p5", "p4", "p3", "p2", "p1", "p0"}
		if !slices.Equal(got, want) {
			t.Errorf("pages = %v, want %v", got, want)
		}
	})

	t.Run("optimistic update", func(t *testing.T) {
		put(t, d, "o", "new")
		change := func(state string) (n int64, err error) {
			err = d.Update(ctx, func(tx *db.Tx) (err error) {
				n, err = tx.Exec(ctx, `
					update letters set state = $1, version = version + 1
					where tenant = $2 and id = $3 and version = $4`, state, "berg", "o", 1)
				return err
			})
			return n, err
		}
		if n, err := change("read"); n != 1 || err != nil {
			t.Errorf("first change = %d, %v, want 1 row", n, err)
		}
		if n, err := change("lost"); n != 0 || err != nil {
			t.Errorf("second change of version 1 = %d, %v, want no row", n, err)
		}
	})

	t.Run("types", func(t *testing.T) {
		when := time.Date(2026, 11, 26, 9, 12, 0, 123e6, time.FixedZone("x", 3600))
		var (
			urgent bool
			body   []byte
			meta   string
			at     int64
			none   *string
		)
		if err := d.Update(ctx, func(tx *db.Tx) error {
			if _, err := tx.Exec(ctx, `
				insert into letters (id, tenant, state, urgent, body, meta, at)
				values ($1, $2, $3, $4, $5, $6, $7)`, "t", "types", "", true, []byte{0, 1, 255}, `{"a": "ü"}`, db.Millis(when)); err != nil {
				return err
			}
			return tx.QueryRow(ctx, `
				select urgent, body, meta, at, nullif(state, '')
				from letters
				where tenant = $1 and urgent = $2`, "types", true).Scan(&urgent, &body, &meta, &at, &none)
		}); err != nil {
			t.Fatal(err)
		}
		if !urgent || !slices.Equal(body, []byte{0, 1, 255}) || meta != `{"a": "ü"}` || none != nil {
			t.Errorf("read back %v, %v, %q, %v", urgent, body, meta, none)
		}
		if got := db.Time(at); !got.Equal(when) || got.Location() != time.UTC {
			t.Errorf("Time(Millis(%v)) = %v", when, got)
		}
	})

	t.Run("text sorts by bytes", func(t *testing.T) {
		if err := d.Update(ctx, func(tx *db.Tx) error {
			for _, id := range []string{"ä", "Z", "b", "a", "B"} {
				if _, err := tx.Exec(ctx, insertLetter, id, "sorted", "new", false, nil, 0); err != nil {
					return err
				}
			}
			got, err := db.Collect(ctx, tx, func(s db.Scanner) (id string, err error) { return id, s.Scan(&id) },
				`select id from letters where tenant = $1 order by id`, "sorted")
			if want := []string{"B", "Z", "a", "b", "ä"}; !slices.Equal(got, want) {
				t.Errorf("order = %v, want %v", got, want)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	})

	t.Run("in", func(t *testing.T) {
		if err := d.View(ctx, func(tx *db.Tx) error {
			for _, tc := range []struct {
				ids  []any
				want int64
			}{{[]any{"p1", "p2", "p3"}, 3}, {[]any{"p4"}, 1}, {nil, 0}} {
				var n int64
				if err := tx.QueryRow(ctx, `select count(*) from letters where tenant = $1 and id in (`+db.In(2, len(tc.ids))+`)`,
					append([]any{"pages"}, tc.ids...)...).Scan(&n); err != nil {
					return err
				}
				if n != tc.want {
					t.Errorf("in %v = %d rows, want %d", tc.ids, n, tc.want)
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	})
}

func TestErrors_HaveKinds(t *testing.T) {
	d := dbtest.New(t, letters())
	ctx := t.Context()
	put(t, d, "a", "new")
	for _, tc := range []struct {
		name string
		want fault.Kind
		fn   func(tx *db.Tx) error
	}{
		{"unique", fault.Conflict, func(tx *db.Tx) error { return insert(t, tx, "a", "again") }},
		{"foreign key", fault.Conflict, func(tx *db.Tx) error {
			_, err := tx.Exec(ctx, `insert into stamps (id, letter, value) values ($1, $2, $3)`, "s", "missing", 1)
			return err
		}},
		{"no row", fault.NotFound, func(tx *db.Tx) error {
			var s string
			return tx.QueryRow(ctx, `select state from letters where id = $1`, "missing").Scan(&s)
		}},
		{"not null", fault.Internal, func(tx *db.Tx) error {
			_, err := tx.Exec(ctx, `insert into letters (id) values ($1)`, "b")
			return err
		}},
		{"syntax", fault.Internal, func(tx *db.Tx) error {
			_, err := tx.Exec(ctx, `selct 1`)
			return err
		}},
		{"wrong type", fault.Internal, func(tx *db.Tx) error {
			_, err := tx.Exec(ctx, insertLetter, "b", "berg", "new", false, nil, "not a number")
			return err
		}},
		{"time as argument", fault.Internal, func(tx *db.Tx) error {
			_, err := tx.Exec(ctx, insertLetter, "b", "berg", "new", false, nil, tx.Now)
			return err
		}},
		{"statement inside open rows", fault.Internal, func(tx *db.Tx) error {
			if _, err := tx.Query(ctx, `select id from letters`); err != nil {
				t.Errorf("Query() = %v", err)
			}
			return insert(t, tx, "b", "new")
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := d.Update(ctx, tc.fn)
			if err == nil || fault.KindOf(err) != tc.want {
				t.Errorf("Update() = %v, of kind %v, want %v", err, fault.KindOf(err), tc.want)
			}
			if got := ids(t, d); len(got) != 1 {
				t.Errorf("rows = %v, want only a", got)
			}
		})
	}
}

func TestUpdate_FailedStatementEndsTransaction(t *testing.T) {
	d := dbtest.New(t, letters())
	put(t, d, "a", "new")
	err := d.Update(t.Context(), func(tx *db.Tx) error {
		if err := insert(t, tx, "b", "new"); err != nil {
			return err
		}
		if err := insert(t, tx, "a", "again"); !errors.Is(err, fault.Conflict) {
			t.Errorf("second insert of a = %v, want a conflict", err)
		}
		if err := insert(t, tx, "c", "new"); !errors.Is(err, fault.Conflict) {
			t.Errorf("statement after a failed one = %v, want the same conflict", err)
		}
		return nil // swallowed, but not lost
	})
	if !errors.Is(err, fault.Conflict) {
		t.Errorf("Update() = %v, want a conflict", err)
	}
	if got := ids(t, d); !slices.Equal(got, []string{"a"}) {
		t.Errorf("rows = %v, want [a]", got)
	}
}

func TestUpdate_NoRowDoesNotEndTransaction(t *testing.T) {
	d := dbtest.New(t, letters())
	ctx := t.Context()
	if err := d.Update(ctx, func(tx *db.Tx) error {
		var s string
		if err := tx.QueryRow(ctx, `select state from letters where id = $1`, "a").Scan(&s); !errors.Is(err, fault.NotFound) {
			t.Errorf("Scan() = %v, want not found", err)
		}
		return insert(t, tx, "a", "new")
	}); err != nil {
		t.Errorf("Update() = %v", err)
	}
}

func TestView_CannotWrite(t *testing.T) {
	d := dbtest.New(t, letters())
	err := d.View(t.Context(), func(tx *db.Tx) error { return insert(t, tx, "a", "new") })
	if err == nil || fault.KindOf(err) != fault.Internal {
		t.Errorf("writing in View() = %v, want an internal error", err)
	}
	if got := ids(t, d); len(got) != 0 {
		t.Errorf("rows = %v, want none", got)
	}
}

func TestView_IsOneSnapshot(t *testing.T) {
	d := dbtest.New(t, letters())
	ctx := t.Context()
	put(t, d, "a", "new")
	count := func(tx *db.Tx) (n int64, err error) {
		return n, tx.QueryRow(ctx, `select count(*) from letters`).Scan(&n)
	}
	if err := d.View(ctx, func(tx *db.Tx) error {
		before, err := count(tx)
		if err != nil {
			return err
		}
		written := make(chan struct{})
		go func() {
			defer close(written)
			put(t, d, "b", "new")
		}()
		<-written
		after, err := count(tx)
		if before != 1 || after != 1 {
			t.Errorf("count = %d, then %d, want 1 and 1", before, after)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

func TestNow(t *testing.T) {
	at := time.Date(2026, 11, 26, 9, 12, 0, 123456789, time.FixedZone("x", 3600))
	d := dbtest.NewAt(t, func() time.Time { at = at.Add(time.Hour); return at })
	want := time.Date(2026, 11, 26, 9, 12, 0, 123e6, time.UTC)
	if err := d.View(t.Context(), func(tx *db.Tx) error {
		if tx.Now != want {
			t.Errorf("tx.Now = %v, want %v", tx.Now, want)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if got := d.Now(); got != want.Add(time.Hour) {
		t.Errorf("Now() = %v, want %v", got, want.Add(time.Hour))
	}
	if db.Millis(time.Time{}) != 0 || !db.Time(0).IsZero() {
		t.Error("the zero time is not 0")
	}
}

func TestIn(t *testing.T) {
	for _, tc := range []struct {
		first, n int
		want     string
	}{{3, 3, "$3, $4, $5"}, {1, 1, "$1"}, {9, 2, "$9, $10"}, {1, 0, "null"}} {
		if got := db.In(tc.first, tc.n); got != tc.want {
			t.Errorf("In(%d, %d) = %q, want %q", tc.first, tc.n, got, tc.want)
		}
	}
}
