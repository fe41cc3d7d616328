package journal_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"poststelle/internal/db"
	"poststelle/internal/db/dbtest"
	"poststelle/internal/fault"
	"poststelle/internal/journal"
)

const tenant = "musterstadt"

func record(t testing.TB, d *db.DB, e journal.Entry) {
	t.Helper()
	if err := d.Update(t.Context(), func(tx *db.Tx) error { return journal.Record(t.Context(), tx, e) }); err != nil {
		t.Fatal(err)
	}
}

func forward(object, reason string) journal.Entry {
	return journal.Entry{
		Tenant: tenant, Actor: "staff:ABC", Action: "mailbox.forward", Object: object,
		Detail: map[string]string{"from": "bauamt", "to": "standesamt", journal.Reason: reason},
	}
}

func items(t testing.TB, d *db.DB, object string, limit int) (all []journal.Item) {
	t.Helper()
	if err := d.View(t.Context(), func(tx *db.Tx) (err error) {
		all, err = journal.List(t.Context(), tx, tenant, object, limit)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

func exec(t testing.TB, d *db.DB, q string, args ...any) {
	t.Helper()
	if err := d.Update(t.Context(), func(tx *db.Tx) error {
		n, err := tx.Exec(t.Context(), q, args...)
		if err == nil && n == 0 {
			err = errors.New("the statement changed nothing")
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

func extend(t testing.TB, c *journal.Chain) {
	t.Helper()
	if err := c.Extend(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestList_NewestFirst(t *testing.T) {
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	d := dbtest.NewAt(t, func() time.Time { now = now.Add(time.Second); return now }, journal.Migrations())
	for i := range 7 {
		record(t, d, forward("thread-1", fmt.Sprint("Grund ", i)))
		record(t, d, forward("thread-2", ""))
	}
	other := forward("thread-1", "fremd")
	other.Tenant = "beispielingen"
	record(t, d, other)
	got := items(t, d, "thread-1", 5)
	if len(got) != 5 {
		t.Fatalf("%d items, want 5", len(got))
	}
	for i, it := range got {
		if want := fmt.Sprint("Grund ", 6-i); it.Detail[journal.Reason] != want || it.Detail["to"] != "standesamt" {
			t.Errorf("item %d: %v, want reason %q", i, it.Detail, want)
		}
		if it.Actor != "staff:ABC" || it.Action != "mailbox.forward" || it.At.IsZero() || it.ID == "" || it.Tenant != tenant {
			t.Errorf("item %d: %+v", i, it)
		}
	}
	if got := items(t, d, "thread-2", 5); len(got[0].Detail) != 2 {
		t.Errorf("an empty reason is listed: %v", got[0].Detail)
	}
}

func TestRecord_WithTheTransaction(t *testing.T) {
	d := dbtest.New(t, journal.Migrations())
	failed := errors.New("rolled back")
	err := d.Update(t.Context(), func(tx *db.Tx) error {
		return errors.Join(journal.Record(t.Context(), tx, forward("thread-1", "")), failed)
	})
	if !errors.Is(err, failed) || len(items(t, d, "thread-1", 5)) != 0 {
		t.Errorf("the entry outlived its transaction: %v", err)
	}
}

func TestRecord_RefusesFreeText(t *testing.T) {
	d := dbtest.New(t, journal.Migrations())
	for name, change := range map[string]func(*journal.Entry){
		"actor":       func(e *journal.Entry) { e.Actor = "Erika Mustermann" },
		"bare staff":  func(e *journal.Entry) { e.Actor = "staff:" },
		"no actor":    func(e *journal.Entry) { e.Actor = "" },
		"action":      func(e *journal.Entry) { e.Action = "hat geöffnet" },
		"object":      func(e *journal.Entry) { e.Object = "erika@example.org" },
		"tenant":      func(e *journal.Entry) { e.Tenant = "" },
		"key":         func(e *journal.Entry) { e.Detail["subject"] = "x" },
		"value":       func(e *journal.Entry) { e.Detail["to"] = "erika@example.org" },
		"long reason": func(e *journal.Entry) { e.Detail[journal.Reason] = strings.Repeat("x", 2001) },
		"bytes":       func(e *journal.Entry) { e.Detail[journal.Reason] = "\xff" },
	} {
		e := forward("thread-1", "Grund")
		change(&e)
		err := d.Update(t.Context(), func(tx *db.Tx) error { return journal.Record(t.Context(), tx, e) })
		if err == nil {
			t.Errorf("%s: accepted", name)
		} else if strings.Contains(err.Error(), "rika") {
			t.Errorf("%s: the error repeats the value: %v", name, err)
		}
	}
}

func TestVerify_Whole(t *testing.T) {
	d := dbtest.New(t, journal.Migrations())
	c := journal.NewChain(d)
	if err := c.Verify(t.Context(), tenant); err != nil {
		t.Errorf("Verify() of an empty journal = %v", err)
	}
	var heads []journal.Head
	for range 3 {
		for i := range 250 { // more than a batch
			record(t, d, forward(fmt.Sprint("thread-", i), "Grund"))
		}
		extend(t, c)
		if err := c.Verify(t.Context(), tenant, heads...); err != nil {
			t.Errorf("Verify() = %v", err)
		}
		h, err := c.Head(t.Context(), tenant)
		if err != nil {
			t.Fatal(err)
		}
		back, err := journal.ParseHead(h.String())
		if err != nil || back.String() != h.String() {
			t.Errorf("ParseHead(%s) = %v, %v", h, back, err)
		}
		heads = append(heads, back)
	}
	if heads[2].Seq != 750 {
		t.Errorf("head = %v, want 750", heads[2])
	}
}

func TestVerify_Sabotage(t *testing.T) {
	for name, sabotage := range map[string]func(t *testing.T, d *db.DB){
		"actor changed": func(t *testing.T, d *db.DB) {
			exec(t, d, `update journal_entries set actor = 'staff:XYZ' where seq = 3`)
		},
		"action changed": func(t *testing.T, d *db.DB) { exec(t, d, `update journal_entries set action = 'x' where seq = 3`) },
		"object changed": func(t *testing.T, d *db.DB) { exec(t, d, `update journal_entries set object = 'x' where seq = 3`) },
		"time changed":   func(t *testing.T, d *db.DB) { exec(t, d, `update journal_entries set at = at - 1 where seq = 3`) },
		"chained later": func(t *testing.T, d *db.DB) {
			exec(t, d, `update journal_entries set chained_at = chained_at + 1 where seq = 3`)
		},
		"detail changed": func(t *testing.T, d *db.DB) { exec(t, d, `update journal_entries set detail = '{}' where seq = 3`) },
		"reason changed": func(t *testing.T, d *db.DB) { exec(t, d, `update journal_entries set reason = 'x' where seq = 3`) },
		"reason removed": func(t *testing.T, d *db.DB) { exec(t, d, `update journal_entries set reason = null where seq = 3`) },
		"last changed":   func(t *testing.T, d *db.DB) { exec(t, d, `update journal_entries set actor = 'cli' where seq = 10`) },
		"deleted":        func(t *testing.T, d *db.DB) { exec(t, d, `delete from journal_entries where seq = 3`) },
		"first deleted":  func(t *testing.T, d *db.DB) { exec(t, d, `delete from journal_entries where seq = 1`) },
		"last deleted":   func(t *testing.T, d *db.DB) { exec(t, d, `delete from journal_entries where seq = 10`) },
		"all deleted":    func(t *testing.T, d *db.DB) { exec(t, d, `delete from journal_entries`) },
		"last unchained": func(t *testing.T, d *db.DB) {
			exec(t, d, `update journal_entries set seq = null, hash = null where seq = 10`)
		},
		"exchanged": func(t *testing.T, d *db.DB) {
			exec(t, d, `update journal_entries set seq = 99 where seq = 3`)
			exec(t, d, `update journal_entries set seq = 3 where seq = 4`)
			exec(t, d, `update journal_entries set seq = 4 where seq = 99`)
		},
		"slipped in": func(t *testing.T, d *db.DB) {
			exec(t, d, `update journal_entries set seq = seq + 100 where seq >= 5`)
			exec(t, d, `update journal_entries set seq = seq - 99 where seq >= 105`)
			exec(t, d, `
				insert into journal_entries (id, tenant, at, actor, action, object, detail, reason, salt, commitment, blanked_by, seq, chained_at, hash)
				select 'X', tenant, at, actor, action, object, detail, reason, salt, commitment, blanked_by, 5, chained_at, hash
				from journal_entries where seq = 4`)
		},
		"appended": func(t *testing.T, d *db.DB) {
			exec(t, d, `
				insert into journal_entries (id, tenant, at, actor, action, object, detail, reason, salt, commitment, blanked_by, seq, chained_at, hash)
				select 'X', tenant, at, actor, action, object, detail, reason, salt, commitment, blanked_by, 11, chained_at, hash
				from journal_entries where seq = 10`)
		},
		"blanked without a record": func(t *testing.T, d *db.DB) {
			exec(t, d, `update journal_entries set detail = null, reason = null, salt = null where seq = 3`)
		},
		"blanked by another entry": func(t *testing.T, d *db.DB) {
			exec(t, d, `update journal_entries set detail = null, reason = null, salt = null,
				blanked_by = (select id from journal_entries where seq = 9) where seq = 3`)
		},
		"head set back to an entry": func(t *testing.T, d *db.DB) {
			exec(t, d, `update journal_heads set seq = 9, hash = (select hash from journal_entries where seq = 9)`)
		},
		"head set back": func(t *testing.T, d *db.DB) { exec(t, d, `update journal_heads set seq = 9`) },
		"beginning moved": func(t *testing.T, d *db.DB) {
			exec(t, d, `update journal_heads set base_seq = 5, base_hash = (select hash from journal_entries where seq = 5)`)
		},
		"beginning changed": func(t *testing.T, d *db.DB) { exec(t, d, `update journal_heads set base_hash = hash`) },
	} {
		t.Run(name, func(t *testing.T) {
			d := dbtest.New(t, journal.Migrations())
			c := journal.NewChain(d)
			for range 10 {
				record(t, d, forward("thread-1", "Grund"))
			}
			extend(t, c)
			if err := c.Verify(t.Context(), tenant); err != nil {
				t.Fatalf("before: %v", err)
			}
			sabotage(t, d)
			err := c.Verify(t.Context(), tenant)
			if b, ok := errors.AsType[*journal.Broken](err); !ok || !errors.Is(err, journal.ErrBroken) {
				t.Errorf("Verify() = %v, want Broken", err)
			} else {
				t.Logf("found: %v", b)
			}
		})
	}
}

func TestVerify_AnchorFindsANewChain(t *testing.T) {
	d := dbtest.New(t, journal.Migrations())
	c := journal.NewChain(d)
	for range 5 {
		record(t, d, forward("thread-1", "Grund"))
	}
	extend(t, c)
	anchor, err := c.Head(t.Context(), tenant)
	if err != nil {
		t.Fatal(err)
	}
	// Somebody with the whole database removes an entry and reckons again.
	exec(t, d, `delete from journal_entries where seq = 2`)
	exec(t, d, `delete from journal_heads`)
	exec(t, d, `update journal_entries set seq = null, hash = null`)
	record(t, d, forward("thread-1", "Grund"))
	extend(t, c)
	if err := c.Verify(t.Context(), tenant); err != nil {
		t.Errorf("without an anchor the new chain is whole: %v", err)
	}
	if err := c.Verify(t.Context(), tenant, anchor); !errors.Is(err, journal.ErrBroken) {
		t.Errorf("Verify(anchor) = %v, want ErrBroken", err)
	}
	later := anchor
	later.Seq = 1000
	if err := c.Verify(t.Context(), tenant, later); !errors.Is(err, journal.ErrBroken) {
		t.Errorf("Verify(anchor beyond the end) = %v, want ErrBroken", err)
	}
}

func TestBlank(t *testing.T) {
	d := dbtest.New(t, journal.Migrations())
	c := journal.NewChain(d)
	record(t, d, forward("thread-1", "Frau Mustermann bat darum"))
	record(t, d, forward("thread-2", "bleibt"))
	extend(t, c)
	id := items(t, d, "thread-1", 1)[0].ID
	do := func(tenant, id string) error {
		return d.Update(t.Context(), func(tx *db.Tx) error { return journal.Blank(t.Context(), tx, tenant, "staff:DSB", id) })
	}
	if err := do("beispielingen", id); !errors.Is(err, fault.NotFound) {
		t.Errorf("Blank() by another tenant = %v, want NotFound", err)
	}
	for range 2 { // repeating it does nothing
		if err := do(tenant, id); err != nil {
			t.Fatal(err)
		}
	}
	got := items(t, d, "thread-1", 5)
	if len(got) != 1 || !got[0].Blanked || len(got[0].Detail) != 0 {
		t.Errorf("after Blank(): %+v", got)
	}
	about := items(t, d, id, 5)
	if len(about) != 1 || about[0].Action != "journal.blanked" || about[0].Actor != "staff:DSB" {
		t.Errorf("records of the blanking: %+v", about)
	}
	for range 2 { // before and after the record of it is chained
		if err := c.Verify(t.Context(), tenant); err != nil {
			t.Errorf("Verify() = %v", err)
		}
		extend(t, c)
	}
	if err := do(tenant, about[0].ID); !errors.Is(err, fault.Denied) {
		t.Errorf("Blank() of the record = %v, want Denied", err)
	}
	scan(t, d, "Mustermann")
	exec(t, d, `delete from journal_entries where action = 'journal.blanked'`)
	if err := c.Verify(t.Context(), tenant); !errors.Is(err, journal.ErrBroken) {
		t.Errorf("Verify() without the record = %v, want ErrBroken", err)
	}
}

// scan fails when a text is left in any row.
func scan(t *testing.T, d *db.DB, text string) {
	t.Helper()
	var n int
	if err := d.View(t.Context(), func(tx *db.Tx) error {
		return tx.QueryRow(t.Context(), `
			select count(*) from journal_entries
			where coalesce(reason, '') || coalesce(detail, '') || object || actor like $1`, "%"+text+"%").Scan(&n)
	}); err != nil || n != 0 {
		t.Errorf("%d rows hold %q, %v", n, text, err)
	}
}

func TestBlankObject(t *testing.T) {
	d := dbtest.New(t, journal.Migrations())
	c := journal.NewChain(d)
	for range 4 {
		record(t, d, forward("thread-1", "Mustermann"))
		record(t, d, forward("thread-2", "bleibt"))
	}
	do := func() (n int) {
		if err := d.Update(t.Context(), func(tx *db.Tx) (err error) {
			n, err = journal.BlankObject(t.Context(), tx, tenant, "job:privacy.erase", "thread-1")
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := do(); n != 4 { // not chained yet
		t.Errorf("BlankObject() = %d, want 4", n)
	}
	extend(t, c)
	record(t, d, forward("thread-1", "Mustermann"))
	extend(t, c)
	if n := do(); n != 1 {
		t.Errorf("BlankObject() again = %d, want 1", n)
	}
	if n := do(); n != 0 {
		t.Errorf("BlankObject() for the third time = %d, want 0", n)
	}
	extend(t, c)
	scan(t, d, "Mustermann")
	if err := c.Verify(t.Context(), tenant); err != nil {
		t.Errorf("Verify() = %v", err)
	}
	if got := items(t, d, "thread-2", 9); len(got) != 4 || got[0].Blanked {
		t.Errorf("thread-2: %+v", got)
	}
}

func TestExtend_WhileWriting(t *testing.T) {
	d := dbtest.New(t, journal.Migrations())
	c := journal.NewChain(d)
	var writers, extenders sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		extenders.Go(func() {
			for {
				if err := c.Extend(context.Background()); err != nil {
					t.Errorf("Extend() = %v", err)
				}
				if err := c.Verify(context.Background(), tenant); err != nil {
					t.Errorf("Verify() = %v", err)
				}
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	for w := range 4 {
		writers.Go(func() {
			for i := range 60 {
				e := forward(fmt.Sprint("thread-", w), "Grund")
				if i%2 == 0 {
					e.Tenant = "beispielingen"
				}
				if err := d.Update(context.Background(), func(tx *db.Tx) error {
					return journal.Record(context.Background(), tx, e)
				}); err != nil {
					t.Errorf("Record() = %v", err)
				}
			}
		})
	}
	writers.Wait()
	close(stop)
	extenders.Wait()
	extend(t, c)
	for _, name := range []string{tenant, "beispielingen"} {
		h, err := c.Head(t.Context(), name)
		if err != nil || h.Seq != 120 {
			t.Errorf("head of %s = %v, %v, want 120", name, h, err)
		}
		if err := c.Verify(t.Context(), name); err != nil {
			t.Errorf("Verify() = %v", err)
		}
	}
}

func TestExtend_LateCommit(t *testing.T) {
	// An entry that is older than the end of the chain, as a long transaction
	// on PostgreSQL commits it, is chained behind it.
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	d := dbtest.NewAt(t, func() time.Time { return now }, journal.Migrations())
	c := journal.NewChain(d)
	record(t, d, forward("thread-1", "zweite"))
	extend(t, c)
	now = now.Add(-time.Minute)
	record(t, d, forward("thread-1", "erste"))
	extend(t, c)
	if err := c.Verify(t.Context(), tenant); err != nil {
		t.Errorf("Verify() = %v", err)
	}
	if h, err := c.Head(t.Context(), tenant); err != nil || h.Seq != 2 {
		t.Errorf("Head() = %v, %v", h, err)
	}
	if got := items(t, d, "thread-1", 5); got[0].Detail[journal.Reason] != "zweite" {
		t.Errorf("List() goes by time: %v", got)
	}
}

func TestExpire(t *testing.T) {
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	d := dbtest.NewAt(t, func() time.Time { return now }, journal.Migrations())
	c := journal.NewChain(d)
	for range 450 {
		record(t, d, forward("thread-1", "alt"))
	}
	extend(t, c)
	old, err := c.Head(t.Context(), tenant)
	if err != nil {
		t.Fatal(err)
	}
	now = now.Add(48 * time.Hour)
	for range 3 {
		record(t, d, forward("thread-2", "neu"))
	}
	extend(t, c)
	cutoff := now.Add(-24 * time.Hour)
	if n, err := c.Expire(t.Context(), tenant, "job:privacy.expire", cutoff); n != 450 || err != nil {
		t.Errorf("Expire() = %d, %v, want 450", n, err)
	}
	for range 2 {
		if err := c.Verify(t.Context(), tenant, old); err != nil {
			t.Errorf("Verify() = %v", err)
		}
		extend(t, c)
	}
	if len(items(t, d, "thread-1", 500)) != 0 || len(items(t, d, "thread-2", 500)) != 3 {
		t.Error("the wrong entries expired")
	}
	if n, err := c.Expire(t.Context(), tenant, "job:privacy.expire", cutoff); n != 0 || err != nil {
		t.Errorf("Expire() again = %d, %v, want 0", n, err)
	}
	// Time goes on until the records of the expiry expire themselves.
	now = now.Add(72 * time.Hour)
	record(t, d, forward("thread-3", ""))
	extend(t, c)
	if n, err := c.Expire(t.Context(), tenant, "job:privacy.expire", now.Add(-time.Hour)); n != 6 || err != nil {
		t.Errorf("Expire() of the rest = %d, %v, want 6", n, err)
	}
	if err := c.Verify(t.Context(), tenant); err != nil {
		t.Errorf("Verify() = %v", err)
	}
	exec(t, d, `delete from journal_entries where action = 'journal.expired'`)
	if err := c.Verify(t.Context(), tenant); !errors.Is(err, journal.ErrBroken) {
		t.Errorf("Verify() without the record of the expiry = %v, want ErrBroken", err)
	}
}

func FuzzParseHead(f *testing.F) {
	f.Add("musterstadt 3 " + strings.Repeat("0a", 32))
	f.Add("a 03 x")
	f.Fuzz(func(t *testing.T, s string) {
		if h, err := journal.ParseHead(s); err == nil && h.String() != s {
			t.Errorf("ParseHead(%q) = %v", s, h)
		}
	})
}

func TestPersonal(t *testing.T) {
	p := journal.Personal()
	if err := p.Validate(); err != nil {
		t.Error(err)
	}
	cols, err := dbtest.New(t, journal.Migrations()).Columns(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var live, declared []string
	for _, c := range cols {
		live = append(live, c.Table+"."+c.Name)
	}
	for _, s := range p.Stores {
		for _, c := range s.Columns() {
			declared = append(declared, s.Name+"."+c)
		}
	}
	slices.Sort(live)
	slices.Sort(declared)
	if !slices.Equal(live, declared) {
		t.Errorf("columns\n live     %v\n declared %v", live, declared)
	}
}

func BenchmarkExtend(b *testing.B) {
	d := dbtest.New(b, journal.Migrations())
	c := journal.NewChain(d)
	for b.Loop() {
		b.StopTimer()
		if err := d.Update(b.Context(), func(tx *db.Tx) error {
			for range 1000 {
				if err := journal.Record(b.Context(), tx, forward("thread-1", "Grund")); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		extend(b, c)
	}
	b.ReportMetric(1000*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
}
