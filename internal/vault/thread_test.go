package vault_test

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"poststelle/internal/fault"
	"poststelle/internal/seal"
	"poststelle/internal/vault"
	"poststelle/internal/vault/vaulttest"
)

func TestOpen_MembersOnly(t *testing.T) {
	w := newWorld(t)
	l := w.stored(town, "bauamt")
	w.wantReads(w.bau, l, true)
	w.wantReads(w.ord, l, false)   // other mailbox
	w.wantReads(w.far, l, false)   // other tenant
	w.wantReads(w.admin, l, false) // administrator without membership
	for _, token := range []string{"", "nonsense", w.service(vault.ServiceNotifier), w.service(vault.ServiceConsole), w.service(vault.ServiceRetention)} {
		w.wantReads(vault.Grant{Token: token, Login: "service"}, l, false)
	}
	// Unknown and foreign answer alike.
	_, foreign := w.Open(t.Context(), w.far.Token, town, l.box.Thread, []string{l.box.Message})
	_, unknown := w.Open(t.Context(), w.bau.Token, town, "unknown", []string{l.box.Message})
	wantErr(t, foreign, fault.NotFound)
	wantErr(t, unknown, fault.NotFound)
	// A message of another thread is left out, and so is another tenant's under the own tenant's name.
	m, f := w.stored(town, "bauamt"), w.stored(other, "bauamt")
	keys := got(w.Open(t.Context(), w.bau.Token, town, l.box.Thread, []string{l.box.Message, m.box.Message, f.box.Message}))(t)
	if len(keys) != 1 {
		t.Errorf("Open() of three threads' messages gives %d keys, want 1", len(keys))
	}
	cards := got(w.CardKeys(t.Context(), w.bau.Token, town, []string{l.box.Message, m.box.Message, f.box.Message, "unknown"}))(t)
	if len(cards) != 2 {
		t.Errorf("CardKeys() gives %d keys, want 2", len(cards))
	}
	_, err := w.CardKeys(t.Context(), w.bau.Token, town, make([]string, 201))
	wantErr(t, err, fault.TooLarge)
}

func TestLeave_AtOnce(t *testing.T) {
	w := newWorld(t)
	l := w.stored(town, "bauamt")
	w.wantReads(w.bau, l, true)
	must(t, w.Leave(t.Context(), w.admin.Token, town, w.bau.Person, "bauamt"))
	w.wantReads(w.bau, l, false)
	if g := got(w.Check(t.Context(), w.bau.Token))(t); len(g.Mailboxes) != 0 {
		t.Errorf("Check().Mailboxes = %v after Leave", g.Mailboxes)
	}
	_, err := w.Answer(t.Context(), w.bau.Token, town, l.box.Thread, rand.Text(), false)
	wantErr(t, err, fault.NotFound)
	wantErr(t, w.Shred(t.Context(), w.bau.Token, town, l.box.Thread), fault.NotFound)
	wantErr(t, w.Forward(t.Context(), w.bau.Token, town, l.box.Thread, "ordnungsamt"), fault.NotFound)
	if !got(w.Join(t.Context(), w.admin.Token, town, w.bau.Person, "bauamt"))(t) {
		t.Error("Join() is not active")
	}
	w.wantReads(w.bau, l, true)
}

func TestDisableStaff_AtOnce(t *testing.T) {
	w := newWorld(t)
	l := w.stored(town, "bauamt")
	must(t, w.DisableStaff(t.Context(), w.admin.Token, town, w.bau.Person))
	must(t, w.DisableStaff(t.Context(), w.admin.Token, town, w.bau.Person))
	w.wantReads(w.bau, l, false)
	_, err := w.Check(t.Context(), w.bau.Token)
	wantErr(t, err, fault.Denied)
	_, err = w.SignIn(t.Context(), vault.Proof{Tenant: town, Login: "bau", Password: vaulttest.Password("bau")})
	wantErr(t, err, fault.Denied)
	w.clock.add(400 * day)
	must(t, w.Housekeep(t.Context()))
	if n := w.count(`select count(*) from vault_staff where tenant = $1`, town); n != 2 {
		t.Errorf("%d persons stay a year after one was disabled, want 2", n)
	}
}

// The rows decide, whatever memory says: a person disabled behind the vault's back reads nothing with a live grant.
func TestMembership_ReadFromRows(t *testing.T) {
	for _, q := range []string{
		`update vault_staff set active = 0 where tenant = $1 and id = $2`,
		`delete from vault_members where tenant = $1 and person = $2`,
		`update vault_members set confirmed_by = '' where tenant = $1 and person = $2`,
		`update vault_staff set role = 'operator' where tenant = $1 and id = $2`,
	} {
		w := newWorld(t)
		l := w.stored(town, "bauamt")
		w.exec(q, town, w.bau.Person)
		w.wantReads(w.bau, l, false)
	}
}

func TestForward(t *testing.T) {
	w := newWorld(t)
	l := w.first(town, "bauamt")
	m := w.more(l)
	wantTaken(t, w.take(l.box), vault.Stored)
	to := func(g vault.Grant, mailbox string) error {
		return w.Forward(t.Context(), g.Token, town, l.box.Thread, mailbox)
	}
	wantErr(t, to(w.ord, "ordnungsamt"), fault.NotFound)
	wantErr(t, to(w.bau, "nirgends"), fault.NotFound)
	wantErr(t, to(w.far, "bauamt"), fault.NotFound)
	w.wantReads(w.bau, l, true)
	must(t, to(w.bau, "ordnungsamt"))
	must(t, to(w.bau, "ordnungsamt")) // repeated by the one who has just lost it
	w.wantReads(w.bau, l, false)
	w.wantReads(w.ord, l, true)
	wantErr(t, to(w.bau, "bauamt"), fault.NotFound)
	// A letter sealed for the old mailbox before the forward still arrives, in the new one.
	wantTaken(t, w.take(m.box), vault.Stored)
	w.wantReads(w.ord, m, true)
	w.wantReads(w.bau, m, false)
	s := got(w.State(t.Context(), town, []string{l.box.Thread, "unknown"}))(t)
	if s := s[l.box.Thread]; s.Mailbox != "ordnungsamt" || s.Gone || len(s.Messages) != 2 {
		t.Errorf("State() = %+v", s)
	}
	if _, ok := s["unknown"]; ok {
		t.Error("State() knows an unknown thread")
	}
	// The citizen's code still opens it: nothing was encrypted anew.
	c := got(w.Collect(t.Context(), town, l.code.LookupID()))(t)
	if keys := got(c.Keys(l.code))(t); !keys[m.box.Message].Equal(m.k) {
		t.Error("the code does not open the forwarded thread")
	}
}

// A row moved by hand to a mailbox whose key the attacker's clerk has opens nothing: the wrap is bound to its mailbox.
func TestSwappedRows_OpenNothing(t *testing.T) {
	for name, q := range map[string]string{
		"thread to another mailbox": `update vault_threads set mailbox = 'ordnungsamt' where tenant = $1 and id = $2`,
		"mailbox key copied":        `update vault_mailboxes set key_wrapped = (select key_wrapped from vault_mailboxes where tenant = $1 and id = 'ordnungsamt') where tenant = $1 and id = 'bauamt' and $2 <> ''`,
		"message key to another id": `update vault_messages set id = id || 'x' where tenant = $1 and thread = $2`,
	} {
		w := newWorld(t)
		l := w.stored(town, "bauamt")
		w.exec(q, town, l.box.Thread)
		for _, g := range []vault.Grant{w.bau, w.ord} {
			for _, id := range []string{l.box.Message, l.box.Message + "x"} {
				keys, err := w.Open(t.Context(), g.Token, town, l.box.Thread, []string{id})
				if err == nil && len(keys) > 0 {
					t.Errorf("%s: %s got a key", name, g.Login)
				}
			}
		}
	}
}

func TestShred_ReplayRefused(t *testing.T) {
	w := newWorld(t)
	l := w.first(town, "bauamt")
	m, late := w.more(l), w.more(l)
	wantTaken(t, w.take(l.box, m.box), vault.Stored, vault.Stored)
	a := rand.Text()
	got(w.Answer(t.Context(), w.bau.Token, town, l.box.Thread, a, false))(t)
	wantErr(t, w.Shred(t.Context(), w.ord.Token, town, l.box.Thread), fault.NotFound)
	must(t, w.Shred(t.Context(), w.bau.Token, town, l.box.Thread))
	must(t, w.Shred(t.Context(), w.bau.Token, town, l.box.Thread))
	w.wantReads(w.bau, l, false)
	_, err := w.Collect(t.Context(), town, l.code.LookupID())
	wantErr(t, err, fault.NotFound)
	wantTaken(t, w.take(l.box, m.box, late.box), vault.Deleted, vault.Deleted, vault.Deleted)
	if s := got(w.State(t.Context(), town, []string{l.box.Thread}))(t)[l.box.Thread]; !s.Gone {
		t.Errorf("State() = %+v, want gone", s)
	}
	w.clock.add(71 * time.Hour)
	must(t, w.Housekeep(t.Context()))
	wantTaken(t, w.take(l.box), vault.Deleted)
	w.clock.add(5 * day)
	for _, d := range got(w.Overdue(t.Context()))(t) {
		must(t, w.Drained(t.Context(), d))
	}
	must(t, w.Housekeep(t.Context()))
	wantTaken(t, w.take(l.box, m.box, late.box), vault.Refused, vault.Refused, vault.Refused) // no tombstone, and no key
	if n := w.count(`select count(*) from vault_tombstones`); n != 0 {
		t.Errorf("%d tombstones outlive their day key", n)
	}
}

func TestTombstone_StaysWhileDayKeyLives(t *testing.T) {
	w := newWorld(t)
	l := w.stored(town, "bauamt")
	must(t, w.DropMessage(t.Context(), w.bau.Token, town, l.box.Thread, l.box.Message))
	w.clock.add(200 * day) // nobody reports the day as drained
	must(t, w.Housekeep(t.Context()))
	wantTaken(t, w.take(l.box), vault.Deleted)
}

func TestDropMessage(t *testing.T) {
	w := newWorld(t)
	l := w.first(town, "bauamt")
	m, pending := w.more(l), w.more(l)
	wantTaken(t, w.take(l.box, m.box), vault.Stored, vault.Stored)
	drop := func(token, id string) error { return w.DropMessage(t.Context(), token, town, l.box.Thread, id) }
	wantErr(t, drop(w.ord.Token, m.box.Message), fault.NotFound)
	wantErr(t, drop(w.service(vault.ServiceMailer), m.box.Message), fault.NotFound)
	must(t, drop(w.bau.Token, m.box.Message))
	must(t, drop(w.bau.Token, m.box.Message))
	must(t, drop(w.service(vault.ServiceRetention), pending.box.Message)) // deleted between commit and intake
	wantTaken(t, w.take(m.box, pending.box), vault.Deleted, vault.Deleted)
	w.wantReads(w.bau, l, true)
	other := w.stored(town, "bauamt")
	wantErr(t, drop(w.bau.Token, other.box.Message), fault.NotFound) // id of another thread
	w.wantReads(w.bau, other, true)
	never := w.first(town, "bauamt")
	must(t, w.Shred(t.Context(), w.service(vault.ServiceRetention), town, never.box.Thread))
	wantTaken(t, w.take(never.box), vault.Deleted)
}

// An older copy of everything but the vault cannot be opened after the shredding, and the vault's own file holds no more trace.
func TestShred_LeavesNoWrap(t *testing.T) {
	w := newWorld(t)
	l := w.stored(town, "bauamt")
	sealed := seal.Seal(l.k.Derive("body"), seal.Place{Tenant: town, Message: l.box.Message, Part: "body"}, []byte("old copy"))
	c := got(w.Collect(t.Context(), town, l.code.LookupID()))(t)
	must(t, w.Shred(t.Context(), w.bau.Token, town, l.box.Thread))
	must(t, w.Housekeep(t.Context()))
	if _, err := w.open(w.bau, l); err == nil {
		t.Error("shredded thread opens")
	}
	for _, file := range []string{"vault.db", "vault.db-wal"} {
		raw, err := os.ReadFile(filepath.Join(w.dir, file))
		must(t, err)
		for _, wrap := range [][]byte{c.WrappedT, c.Messages[l.box.Message]} {
			if containsBytes(raw, wrap) {
				t.Errorf("%s still holds a wrap of a shredded thread", file)
			}
		}
	}
	if _, err := seal.Open(seal.NewKey(), seal.Place{Tenant: town, Message: l.box.Message, Part: "body"}, sealed); err == nil {
		t.Error("ciphertext opens without its key")
	}
}

func TestAnswer(t *testing.T) {
	w := newWorld(t)
	l := w.stored(town, "bauamt")
	id := rand.Text()
	k := got(w.Answer(t.Context(), w.bau.Token, town, l.box.Thread, id, false))(t)
	again := got(w.Answer(t.Context(), w.bau.Token, town, l.box.Thread, id, false))(t)
	if !k.Equal(again) {
		t.Error("repeated Answer() draws another key")
	}
	c := got(w.Collect(t.Context(), town, l.code.LookupID()))(t)
	keys := got(c.Keys(l.code))(t)
	if !keys[id].Equal(k) || !keys[l.box.Message].Equal(l.k) {
		t.Error("the code does not open answer and letter")
	}
	if _, err := c.Keys(seal.NewToken().Code()); err == nil {
		t.Error("another code opens the thread")
	}
	second := vaulttest.Clerk(t, w.Vault, town, "zwei", vault.RoleClerk, "bauamt")
	for name, call := range map[string]func() error{
		"colleague": func() error { _, err := w.Answer(t.Context(), second.Token, town, l.box.Thread, id, false); return err },
		"other way": func() error { _, err := w.Answer(t.Context(), w.bau.Token, town, l.box.Thread, id, true); return err },
		"letter's id": func() error {
			_, err := w.Answer(t.Context(), w.bau.Token, town, l.box.Thread, l.box.Message, false)
			return err
		},
	} {
		if err := call(); fault.KindOf(err) != fault.Conflict {
			t.Errorf("%s: Answer() = %v, want Conflict", name, err)
		}
	}
	must(t, w.DropMessage(t.Context(), w.bau.Token, town, l.box.Thread, id))
	_, err := w.Answer(t.Context(), w.bau.Token, town, l.box.Thread, id, false)
	wantErr(t, err, fault.Conflict)
	w.clock.add(73 * time.Hour)
	must(t, w.Housekeep(t.Context()))
	if n := w.count(`select count(*) from vault_tombstones where day = ''`); n != 0 {
		t.Errorf("%d tombstones of answers after 73 h, want 0", n)
	}
	_, err = w.Answer(t.Context(), w.ord.Token, town, l.box.Thread, rand.Text(), false)
	wantErr(t, err, fault.Denied) // grant has run out
}

func TestCollect_EqualWork(t *testing.T) {
	w := newWorld(t)
	for range 20 {
		w.stored(town, "bauamt")
	}
	l := w.stored(town, "bauamt")
	found, q, r, b, err := w.CollectWork(t.Context(), town, l.code.LookupID())
	must(t, err)
	if !found || r != 1 {
		t.Fatalf("known code: found %v, %d rows", found, r)
	}
	lookups := [][]byte{nil, []byte("short"), make([]byte, 32)}
	for range 50 {
		lookups = append(lookups, seal.NewToken().Code().LookupID())
	}
	for _, lookup := range lookups {
		f2, q2, r2, b2, err := w.CollectWork(t.Context(), town, lookup)
		must(t, err)
		if f2 || q2 != q || r2 != r || b2 != b {
			t.Errorf("unknown code: found %v, %d queries, %d rows, %d bytes; want false, %d, %d, %d", f2, q2, r2, b2, q, r, b)
		}
		_, err = w.Collect(t.Context(), town, lookup)
		wantErr(t, err, fault.NotFound)
	}
	_, err = w.Collect(t.Context(), other, l.code.LookupID()) // code of another tenant, and a tenant without any code
	wantErr(t, err, fault.NotFound)
}

// Bulk reading is limited; looking at the same case all day is not.
func TestOpen_HourlyLimit(t *testing.T) {
	w := newWorldWith(t, vault.Config{OpensPerHour: 3})
	l, m := w.stored(town, "bauamt"), w.stored(town, "bauamt")
	for range 20 {
		got(w.open(w.bau, l))(t)
	}
	got(w.open(w.bau, w.stored(town, "bauamt")))(t)
	got(w.open(w.bau, w.stored(town, "bauamt")))(t)
	_, err := w.open(w.bau, m)
	wantErr(t, err, fault.TooMany)
	got(w.open(w.bau, l))(t) // what was opened in this hour stays open
	second := vaulttest.Clerk(t, w.Vault, town, "zwei", vault.RoleClerk, "bauamt")
	got(w.open(second, m))(t) // the limit is the person's
	got(w.CardKeys(t.Context(), w.bau.Token, town, []string{m.box.Message}))(t)
	must(t, w.EndGrant(t.Context(), w.bau.Token))
	_, err = w.open(w.signIn(town, "bau"), m) // a new session is the same person
	wantErr(t, err, fault.TooMany)
	w.clock.add(time.Hour + time.Second)
	got(w.open(w.signIn(town, "bau"), m))(t)
}

func TestServices(t *testing.T) {
	w := newWorld(t)
	plain, mailed := w.stored(town, "bauamt"), w.stored(town, "bauamt")
	a1, a2 := rand.Text(), rand.Text()
	got(w.Answer(t.Context(), w.bau.Token, town, plain.box.Thread, a1, false))(t)
	k2 := got(w.Answer(t.Context(), w.bau.Token, town, mailed.box.Thread, a2, true))(t)
	notifier, mailer := w.service(vault.ServiceNotifier), w.service(vault.ServiceMailer)
	both := []string{plain.box.Message, mailed.box.Message}

	keys := got(w.ContactKeys(t.Context(), notifier, town, both))(t)
	if len(keys) != 2 || !keys[plain.box.Message].Equal(plain.k.Derive("contact")) {
		t.Errorf("notifier gets %d contact keys, want 2", len(keys))
	}
	keys = got(w.ContactKeys(t.Context(), mailer, town, both))(t)
	if len(keys) != 1 || !keys[mailed.box.Message].Equal(mailed.k.Derive("contact")) {
		t.Errorf("mailer gets %d contact keys, want that of the thread answered by mail", len(keys))
	}
	keys = got(w.Open(t.Context(), mailer, town, mailed.box.Thread, []string{a2, mailed.box.Message}))(t)
	if len(keys) != 1 || !keys[a2].Equal(k2) {
		t.Errorf("mailer opens %d messages, want the answer only", len(keys))
	}
	if keys := got(w.Open(t.Context(), mailer, town, plain.box.Thread, []string{a1}))(t); len(keys) != 0 {
		t.Error("mailer opens an answer that is not for mail")
	}
	for _, token := range []string{w.bau.Token, w.admin.Token, w.service(vault.ServiceConsole), "x"} {
		_, err := w.ContactKeys(t.Context(), token, town, both)
		wantErr(t, err, fault.Denied)
		_, err = w.StaffMail(t.Context(), token, town, []string{w.bau.Person})
		wantErr(t, err, fault.Denied)
	}
	mails := got(w.StaffMail(t.Context(), notifier, town, []string{w.bau.Person, w.far.Person}))(t)
	if len(mails) != 1 || mails[w.bau.Person] != "bau@amt.example" {
		t.Errorf("StaffMail() = %d addresses", len(mails))
	}
	_, err := w.StaffMail(t.Context(), mailer, town, []string{w.bau.Person})
	wantErr(t, err, fault.Denied)
	_, err = w.ServiceToken("root")
	wantErr(t, err, fault.Invalid)

	got(w.open(w.bau, mailed))(t)
	reads := got(w.Reads(t.Context(), town, mailed.box.Thread))(t)
	who := []string{}
	for _, r := range reads {
		who = append(who, r.Person)
	}
	if !slices.Equal(who, []string{w.bau.Person, "service:mailer", "service:mailer"}) {
		t.Errorf("Reads() = %v", who)
	}
}

func BenchmarkCardKeys50(b *testing.B) {
	w := newWorld(b)
	var ids []string
	var boxes []vault.Box
	for range 2000 {
		boxes = append(boxes, w.first(town, "bauamt").box)
	}
	w.take(boxes...)
	for _, box := range boxes[:50] {
		ids = append(ids, box.Message)
	}
	for b.Loop() {
		if keys := got(w.CardKeys(b.Context(), w.bau.Token, town, ids))(b); len(keys) != 50 {
			b.Fatal(fmt.Sprint(len(keys), " keys"))
		}
	}
}
