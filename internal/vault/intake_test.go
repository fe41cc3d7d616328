package vault_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/seal"
	"poststelle/internal/vault"
)

func TestTakeIn(t *testing.T) {
	w := newWorld(t)
	l := w.first(town, "bauamt")
	m := w.more(l)
	wantTaken(t, w.take(l.box, m.box), vault.Stored, vault.Stored)
	wantTaken(t, w.take(l.box, m.box, l.box), vault.Known, vault.Known, vault.Known)
	w.wantReads(w.bau, l, true)
	w.wantReads(w.bau, m, true)
	twice := w.first(town, "bauamt")
	wantTaken(t, w.take(twice.box, twice.box), vault.Stored, vault.Known)
	if got := w.take(); len(got) != 0 {
		t.Errorf("TakeIn() of nothing = %v", got)
	}
}

func TestTakeIn_Refused(t *testing.T) {
	w := newWorld(t)
	known := w.stored(town, "bauamt")
	change := func(f func(b *vault.Box)) vault.Box {
		b := w.first(town, "bauamt").box
		b.Sealed = bytes.Clone(b.Sealed)
		f(&b)
		return b
	}
	a, b := w.first(town, "bauamt").box, w.first(other, "bauamt").box
	a.Sealed, b.Sealed = b.Sealed, a.Sealed
	orphan := w.more(w.first(town, "bauamt"))
	again := w.first(town, "bauamt")
	f := vault.NewFirst(town, known.box.Thread, again.code)
	over := w.seal(vault.Letter{Tenant: town, Mailbox: "bauamt", Thread: known.box.Thread, Message: "new", K: again.k, First: &f})
	f2 := vault.NewFirst(town, "other-thread", known.code)
	sameCode := w.seal(vault.Letter{Tenant: town, Mailbox: "bauamt", Thread: "other-thread", Message: "new2", K: again.k, First: &f2})
	elsewhere := known.box
	elsewhere.Thread = "elsewhere"
	tomorrow := w.deleg.Intake[1]
	wrongDay := w.first(town, "bauamt").box
	wrongDay.Day = tomorrow.Day
	cases := map[string]vault.Box{
		"message changed":              change(func(b *vault.Box) { b.Message += "x" }),
		"thread changed":               change(func(b *vault.Box) { b.Thread += "x" }),
		"mailbox changed":              change(func(b *vault.Box) { b.Mailbox = "ordnungsamt" }),
		"tenant changed":               change(func(b *vault.Box) { b.Tenant = other }),
		"bit flipped":                  change(func(b *vault.Box) { b.Sealed[len(b.Sealed)-1] ^= 1 }),
		"cut":                          change(func(b *vault.Box) { b.Sealed = b.Sealed[:40] }),
		"empty":                        change(func(b *vault.Box) { b.Sealed = nil }),
		"too long":                     change(func(b *vault.Box) { b.Sealed = make([]byte, 1<<20) }),
		"day never published":          change(func(b *vault.Box) { b.Day = "2031-01-01" }),
		"day is no day":                change(func(b *vault.Box) { b.Day = "heute" }),
		"day of another key":           wrongDay,
		"unknown mailbox":              w.first(town, "nirgends").box,
		"unknown tenant":               w.first("nirgendwo", "bauamt").box,
		"swapped with another tenant":  a,
		"swapped with another tenant'": b,
		"one more in unknown thread":   orphan.box,
		"first in a known thread":      over,
		"code of another thread":       sameCode,
		"known message, other thread":  elsewhere,
	}
	batch := []vault.Box{}
	names := []string{}
	for name, box := range cases {
		names, batch = append(names, name), append(batch, box)
	}
	good := w.first(town, "bauamt")
	got := w.take(append(batch, good.box)...)
	for i, name := range names {
		if got[i] != vault.Refused {
			t.Errorf("%s: TakeIn() = %v, want refused", name, got[i])
		}
	}
	if got[len(got)-1] != vault.Stored {
		t.Errorf("good letter in a bad batch = %v, want stored", got[len(got)-1])
	}
	w.wantReads(w.bau, good, true)
	w.wantReads(w.bau, known, true)
}

func TestSealBox_WrongDayBytes(t *testing.T) {
	w := newWorld(t)
	// A box that claims tomorrow in its ids but is sealed to today's key, made by somebody who holds only public keys.
	today, tomorrow := w.deleg.Intake[0], w.deleg.Intake[1]
	f := vault.NewFirst(town, "t", seal.NewToken().Code())
	b := got(vault.SealBox(vault.DayKey{Day: tomorrow.Day, Public: today.Public},
		vault.Letter{Tenant: town, Mailbox: "bauamt", Thread: "t", Message: "m", K: seal.NewKey(), First: &f}))(t)
	wantTaken(t, w.take(b), vault.Refused)
}

func TestTakeIn_ManyInOneCall(t *testing.T) {
	w := newWorld(t)
	var boxes []vault.Box
	for range 40 {
		boxes = append(boxes, w.first(town, "bauamt").box)
	}
	all := make([]vault.Box, 0, 1200)
	for len(all) < 1200 { // more than one transaction, mostly repeats
		all = append(all, boxes...)
	}
	counts := map[vault.Taken]int{}
	for _, r := range w.take(all...) {
		counts[r]++
	}
	if counts[vault.Stored] != 40 || counts[vault.Known] != 1160 {
		t.Errorf("TakeIn() = %v, want 40 stored and 1160 known", counts)
	}
}

func TestDrained_DestroysDayKey(t *testing.T) {
	w := newWorld(t)
	l, late := w.first(town, "bauamt"), w.first(town, "bauamt")
	today := l.box.Day
	wantTaken(t, w.take(l.box), vault.Stored)
	wantErr(t, w.Drained(t.Context(), today), fault.Conflict) // the day is not over
	wantErr(t, w.Drained(t.Context(), "nonsense"), fault.Invalid)

	w.clock.add(6 * day) // long outage of the web side
	must(t, w.Housekeep(t.Context()))
	overdue := got(w.Overdue(t.Context()))(t)
	if len(overdue) == 0 || overdue[0] != today {
		t.Errorf("Overdue() = %v, want %s first", overdue, today)
	}
	wantTaken(t, w.take(late.box), vault.Stored) // not told drained: nothing is lost
	must(t, w.Drained(t.Context(), today))
	must(t, w.Housekeep(t.Context()))
	unread := w.first(town, "bauamt").box
	unread.Day = today
	wantTaken(t, w.take(late.box, unread), vault.Known, vault.Refused)
	w.wantReads(w.signIn(town, "bau"), late, true) // stored keys do not depend on the day key
}

func TestDrained_NotBefore48Hours(t *testing.T) {
	w := newWorld(t)
	a, b := w.first(town, "bauamt"), w.first(town, "bauamt")
	w.clock.add(15 * time.Hour) // midnight
	must(t, w.Drained(t.Context(), a.box.Day))
	w.clock.add(48*time.Hour - time.Millisecond)
	must(t, w.Housekeep(t.Context()))
	wantTaken(t, w.take(a.box), vault.Stored) // also withdraws the report
	w.clock.add(time.Hour)
	must(t, w.Housekeep(t.Context()))
	wantTaken(t, w.take(b.box), vault.Stored)
	must(t, w.Drained(t.Context(), a.box.Day))
	must(t, w.Housekeep(t.Context()))
	c := w.first(town, "bauamt")
	c.box.Day = a.box.Day
	wantTaken(t, w.take(c.box), vault.Refused)
}

func TestDayKey_DestroyedKeyOpensNoOldBox(t *testing.T) {
	w := newWorld(t)
	stray := w.first(town, "bauamt") // a queue row that only an old backup knows
	w.clock.add(4 * day)
	must(t, w.Drained(t.Context(), stray.box.Day))
	must(t, w.Housekeep(t.Context()))
	wantTaken(t, w.take(stray.box), vault.Refused)
	w.reopen()
	wantTaken(t, w.take(stray.box), vault.Refused)
}

func TestDelegation(t *testing.T) {
	w := newWorld(t)
	if len(w.deleg.Intake) != 8 || len(w.deleg.Log) != 8 {
		t.Fatalf("Delegate() has %d and %d days, want 8 and 8", len(w.deleg.Intake), len(w.deleg.Log))
	}
	raw := got(w.deleg.MarshalBinary())(t)
	var back vault.Delegation
	must(t, back.UnmarshalBinary(raw))
	must(t, w.Close()) // the vault is away; the file is all that web has
	for n := range 8 {
		at := w.clock.now().Add(time.Duration(n) * day)
		s := got(back.Signer(town, at))(t)
		text := got(seal.SignReceipt(s, seal.Receipt{Tenant: town, TenantName: "Musterstadt", Mailbox: "bauamt", MailboxName: "Bauamt", At: at}))(t)
		if _, err := seal.VerifyReceipt(text, s.Certificate.Authority); err != nil {
			t.Errorf("day %d: receipt: %v", n, err)
		}
		if n := got(back.IntakeKey(at))(t); n.Day != s.Certificate.Day {
			t.Errorf("IntakeKey() is of %s, want %s", n.Day, s.Certificate.Day)
		}
	}
	_, err := back.IntakeKey(w.clock.now().Add(8 * day))
	wantErr(t, err, fault.Unavailable)
	_, err = back.Signer("nobody", w.clock.now())
	wantErr(t, err, fault.Unavailable)
	if !back.Until().Equal(time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("Until() = %v", back.Until())
	}
	for _, text := range []string{fmt.Sprint(back), fmt.Sprintf("%+v %#v", back, back)} {
		if len(text) > 30 {
			t.Errorf("delegation prints as %.60q", text)
		}
	}
	if _, err := json.Marshal(back); err == nil {
		t.Error("json.Marshal of a delegation succeeded")
	}
	for _, bad := range []string{"", "{}", `{"version":1,"intake":[{"day":"2026-11-22","public":"AAAA"}]}`, string(raw[:len(raw)/2])} {
		wantErr(t, new(vault.Delegation).UnmarshalBinary([]byte(bad)), fault.Invalid)
	}
}

func TestDelegate_UnknownTenant(t *testing.T) {
	w := newWorld(t)
	_, err := w.Delegate(t.Context(), []string{town, "nobody"})
	wantErr(t, err, fault.NotFound)
	d := got(w.Delegate(t.Context(), []string{town}))(t)
	_, err = d.Signer(other, w.clock.now())
	wantErr(t, err, fault.Unavailable)
	// Every node has its own signing key, all under the same authority key.
	a, b := got(d.Signer(town, w.clock.now()))(t), got(w.deleg.Signer(town, w.clock.now()))(t)
	if a.Key.Equal(b.Key) || !a.Certificate.Authority.Equal(b.Certificate.Authority) {
		t.Error("two delegations: want different day keys under one authority key")
	}
}

func TestCreateTenants(t *testing.T) {
	w := newWorld(t)
	l := w.stored(town, "bauamt")
	must(t, w.CreateTenants(t.Context(), append(specs(), vault.TenantSpec{ID: town, Mailboxes: []string{"neu"}})))
	w.wantReads(w.bau, l, true) // repeated creation keeps the old keys
	wantTaken(t, w.take(w.first(town, "neu").box), vault.Stored)
	for _, id := range []string{"", "a b", "ä", "x/y"} {
		wantErr(t, w.CreateTenants(t.Context(), []vault.TenantSpec{{ID: id}}), fault.Invalid)
	}
}

func FuzzDecodeBox(f *testing.F) {
	f.Add([]byte{1, 2})
	f.Add(append([]byte{1, 2}, make([]byte, 32)...))
	f.Add(append([]byte{1, 3}, make([]byte, 64)...))
	f.Add(append([]byte{1, 1}, make([]byte, 156)...))
	f.Add(append(append([]byte{1, 4}, make([]byte, 64)...), "ABCDEFGHIJKLMNOPQRSTUVWXYZ"...))
	f.Add(append(append([]byte{1, 4}, make([]byte, 64)...), "ABCDEFGHIJKLMNOPQRSTUVWXY1"...))
	f.Add(append([]byte{1, 4}, make([]byte, 90)...))
	f.Fuzz(func(t *testing.T, p []byte) {
		if back, ok := vault.DecodeBox(p); ok && !bytes.Equal(back, p) {
			t.Errorf("box %x reads as %x", p, back)
		}
	})
}

func BenchmarkTakeIn(b *testing.B) {
	w := newWorld(b)
	boxes := make([]vault.Box, 0, 256)
	for n := 0; b.Loop(); n++ {
		if len(boxes) == 0 {
			b.StopTimer()
			for range cap(boxes) {
				boxes = append(boxes, w.first(town, "bauamt").box)
			}
			b.StartTimer()
			w.take(boxes...)
		}
		boxes = boxes[:len(boxes)-1]
	}
}

func BenchmarkDelegate1101(b *testing.B) {
	w := newWorld(b)
	var many []vault.TenantSpec
	for n := range 1101 {
		many = append(many, vault.TenantSpec{ID: fmt.Sprintf("gemeinde-%04d", n), Mailboxes: []string{"post"}})
	}
	must(b, w.CreateTenants(b.Context(), many))
	for b.Loop() {
		got(w.Delegate(b.Context(), nil))(b)
	}
}

// exec changes rows as somebody with the file would.
func (w *world) exec(q string, args ...any) {
	w.t.Helper()
	must(w.t, w.DB().Update(w.t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec(w.t.Context(), q, args...)
		return err
	}))
}

func (w *world) count(q string, args ...any) (n int) {
	w.t.Helper()
	must(w.t, w.DB().View(w.t.Context(), func(tx *db.Tx) error {
		return tx.QueryRow(w.t.Context(), q, args...).Scan(&n)
	}))
	return n
}
