package vault_test

import (
	"crypto/rand"
	"errors"
	"slices"
	"testing"

	"poststelle/internal/fault"
	"poststelle/internal/seal"
	"poststelle/internal/vault"
	"poststelle/internal/vault/vaulttest"
)

// letterFor is a first letter from an account, not taken in yet.
func (w *world) letterFor(account, tenant, mailbox string) letter {
	w.t.Helper()
	f := vault.NewFirstFor(account)
	l := letter{k: seal.NewKey(), T: f.T}
	l.box = w.seal(vault.Letter{Tenant: tenant, Mailbox: mailbox, Thread: rand.Text(), Message: rand.Text(), K: l.k, First: &f})
	return l
}

// accountLetter is one that is taken in.
func (w *world) accountLetter(g vault.Grant) letter {
	w.t.Helper()
	l := w.letterFor(g.Person, town, "bauamt")
	wantTaken(w.t, w.take(l.box), vault.Stored)
	return l
}

// wantHolds: the citizen gets card and content of the letter, or nothing of it.
func (w *world) wantHolds(g vault.Grant, l letter, want bool) {
	w.t.Helper()
	ids := []string{l.box.Message, "unknown"}
	keys, err := w.AccountOpen(w.t.Context(), g.Token, l.box.Tenant, l.box.Thread, ids)
	if !want && fault.KindOf(err) != fault.NotFound {
		w.t.Errorf("AccountOpen() = %v, want NotFound", err)
	}
	cards, cardErr := w.AccountCards(w.t.Context(), g.Token, l.box.Tenant, ids)
	if cardErr != nil && fault.KindOf(cardErr) != fault.NotFound {
		w.t.Errorf("AccountCards() = %v", cardErr)
	}
	if got := err == nil && keys[l.box.Message].Equal(l.k); got != want {
		w.t.Errorf("citizen opens = %v (%v), want %v", got, err, want)
	}
	if got := cards[l.box.Message].Equal(l.k.Derive("card")); got != want {
		w.t.Errorf("citizen sees the card = %v, want %v", got, want)
	}
	if most := map[bool]int{true: 1}[want]; len(keys) != most || len(cards) != most {
		w.t.Errorf("%d keys and %d cards, want %d", len(keys), len(cards), most)
	}
}

func (w *world) wraps(account string) int {
	w.t.Helper()
	return w.count(`select count(*) from vault_account_threads where account = $1`, account)
}

func TestFirstFor(t *testing.T) {
	w := newWorld(t)
	g, eve := w.citizen(anna), w.citizen("eve@post.example")
	l := w.accountLetter(g)
	w.wantReads(w.bau, l, true)
	w.wantHolds(g, l, true)
	w.wantHolds(eve, l, false)
	more := w.more(l)
	wantTaken(t, w.take(more.box, l.box), vault.Stored, vault.Known)
	w.wantHolds(g, more, true)
	// The answer, and a forwarded thread, stay readable.
	k := got(w.Answer(t.Context(), w.bau.Token, town, l.box.Thread, "answer", false))(t)
	must(t, w.Forward(t.Context(), w.bau.Token, town, l.box.Thread, "ordnungsamt"))
	keys := got(w.AccountOpen(t.Context(), g.Token, town, l.box.Thread, []string{"answer", l.box.Message}))(t)
	if !keys["answer"].Equal(k) || len(keys) != 2 {
		t.Error("the citizen does not open the answer")
	}
	_, err := w.AccountOpen(t.Context(), g.Token, other, l.box.Thread, []string{l.box.Message})
	wantErr(t, err, fault.NotFound)
	_, err = w.AccountOpen(t.Context(), g.Token, town, l.box.Thread, make([]string, 201))
	wantErr(t, err, fault.TooLarge)
	_, err = w.AccountCards(t.Context(), g.Token, town, make([]string, 201))
	wantErr(t, err, fault.TooLarge)
	w.reopen()
	w.wantHolds(got(w.signInCitizen(anna, vaulttest.Password(anna)))(t), l, true)
	must(t, w.VerifyAudit(t.Context()))
}

// TestFirstFor_OnItsWay: what happens to the account while the box is on its way. The authority has the letter in any case.
func TestFirstFor_OnItsWay(t *testing.T) {
	w := newWorld(t)
	gone, letGo, far := w.citizen(anna), w.citizen("bert@post.example"), vaulttest.Citizen(t, w.Vault, other, other, anna)
	deleted, left, foreign := w.letterFor(gone.Person, town, "bauamt"), w.letterFor(letGo.Person, town, "bauamt"), w.letterFor(far.Person, town, "bauamt")
	must(t, w.DeleteAccount(t.Context(), gone.Token))
	must(t, w.LetGo(t.Context(), letGo.Token, town, left.box.Thread))
	must(t, w.LetGo(t.Context(), letGo.Token, town, left.box.Thread))
	nobody := w.letterFor(rand.Text(), town, "bauamt")
	wantTaken(t, w.take(deleted.box, left.box, foreign.box, nobody.box), vault.Stored, vault.Stored, vault.Stored, vault.Stored)
	for _, l := range []letter{deleted, left, foreign, nobody} {
		w.wantReads(w.bau, l, true)
	}
	if n := w.count(`select count(*) from vault_account_threads`); n != 0 {
		t.Errorf("%d wraps for accounts, want none", n)
	}
	w.wantHolds(letGo, left, false)
	// The same boxes again, from a restored queue, bring nothing back either.
	wantTaken(t, w.take(deleted.box, left.box), vault.Known, vault.Known)
	if n := w.count(`select count(*) from vault_account_threads`); n != 0 {
		t.Errorf("%d wraps for accounts after a replay, want none", n)
	}
	w.clock.add(5 * day)
	for _, d := range []string{left.box.Day} {
		must(t, w.Drained(t.Context(), d))
	}
	must(t, w.Drained(t.Context(), w.deleg.Intake[1].Day))
	must(t, w.Housekeep(t.Context()))
	if n := w.count(`select count(*) from vault_tombstones`); n != 0 {
		t.Errorf("%d tombstones stay", n)
	}
}

func TestFirstFor_NoAccountID(t *testing.T) {
	w := newWorld(t)
	key := got(w.deleg.IntakeKey(w.clock.now()))(t)
	for _, bad := range []string{"x", "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZA"} {
		f := vault.NewFirstFor(bad)
		_, err := vault.SealBox(key, vault.Letter{Tenant: town, Mailbox: "bauamt", Thread: "t", Message: "m", K: seal.NewKey(), First: &f})
		wantErr(t, err, fault.Invalid)
	}
	f := vault.NewFirst(town, "t", seal.NewToken().Code())
	f.Account = rand.Text()
	_, err := vault.SealBox(key, vault.Letter{Tenant: town, Mailbox: "bauamt", Thread: "t", Message: "m", K: seal.NewKey(), First: &f})
	wantErr(t, err, fault.Invalid)
}

func TestShred_TakesAccountWraps(t *testing.T) {
	w := newWorld(t)
	g := w.citizen(anna)
	l := w.accountLetter(g)
	must(t, w.Shred(t.Context(), w.bau.Token, town, l.box.Thread))
	w.wantHolds(g, l, false)
	if w.wraps(g.Person) != 0 {
		t.Error("the wrap outlives the thread")
	}
	wantTaken(t, w.take(l.box), vault.Deleted)
	w.wantHolds(g, l, false)
	// A single dropped message is gone for both sides.
	l = w.accountLetter(g)
	must(t, w.DropMessage(t.Context(), w.bau.Token, town, l.box.Thread, l.box.Message))
	if keys := got(w.AccountOpen(t.Context(), g.Token, town, l.box.Thread, []string{l.box.Message}))(t); len(keys) != 0 {
		t.Error("a dropped message opens")
	}
}

func TestAdopt(t *testing.T) {
	w := newWorld(t)
	g, bert := w.citizen(anna), w.citizen("bert@post.example")
	l := w.stored(town, "bauamt")
	w.wantHolds(g, l, false)
	for range 2 {
		if thread := got(w.Adopt(t.Context(), g.Token, town, l.code))(t); thread != l.box.Thread {
			t.Errorf("Adopt() = %s, want %s", thread, l.box.Thread)
		}
	}
	w.wantHolds(g, l, true)
	got(w.Adopt(t.Context(), bert.Token, town, l.code))(t) // the code is the proof, for whoever has it
	w.wantHolds(bert, l, true)
	c := got(w.Collect(t.Context(), town, l.code.LookupID()))(t)
	if _, err := c.Keys(l.code); err != nil {
		t.Errorf("the code opens no more: %v", err)
	}
	must(t, w.LetGo(t.Context(), g.Token, town, l.box.Thread))
	must(t, w.LetGo(t.Context(), g.Token, town, l.box.Thread))
	w.wantHolds(g, l, false)
	w.wantHolds(bert, l, true)
	w.wantReads(w.bau, l, true)
	got(w.Adopt(t.Context(), g.Token, town, l.code))(t)
	w.wantHolds(g, l, true)
	wantErr(t, w.LetGo(t.Context(), g.Token, town, ""), fault.Invalid)
}

// TestAdopt_Refused: codes that are unknown, of another tenant, of another realm or no codes at all.
func TestAdopt_Refused(t *testing.T) {
	w := newWorld(t)
	g, one := w.citizen(anna), vaulttest.Citizen(t, w.Vault, other, other, anna)
	l := w.stored(town, "bauamt")
	try := func(g vault.Grant, tenant string, code seal.Code) (cost [2]int64) {
		_, r, wr := w.Spent()
		if _, err := w.Adopt(t.Context(), g.Token, tenant, code); fault.KindOf(err) != fault.NotFound {
			t.Errorf("Adopt() = %v, want NotFound", err)
		}
		_, r2, wr2 := w.Spent()
		return [2]int64{r2 - r, wr2 - wr}
	}
	want := try(g, town, seal.NewToken().Code())
	for name, got := range map[string][2]int64{
		"other tenant":  try(g, other, l.code),
		"other realm":   try(one, town, l.code),
		"malformed":     try(g, town, "kein Code"),
		"empty":         try(g, town, ""),
		"no tenant":     try(g, "", l.code),
		"unknown place": try(g, "nirgendwo", l.code),
	} {
		if got != want {
			t.Errorf("%s costs %v transactions, an unknown code %v", name, got, want)
		}
	}
	if n := w.count(`select count(*) from vault_account_threads`); n != 0 {
		t.Errorf("%d wraps", n)
	}
}

func TestBegin(t *testing.T) {
	w := newWorld(t)
	g, bert := w.citizen(anna), w.citizen("bert@post.example")
	l := w.stored(town, "bauamt")
	begin := func(by vault.Grant, mailbox, from, thread, message string) (seal.Key, error) {
		return w.Begin(t.Context(), by.Token, town, mailbox, from, thread, message)
	}
	_, err := begin(w.bau, "bauamt", l.box.Thread, "T1", "M1")
	wantErr(t, err, fault.Conflict) // no account holds it
	got(w.Adopt(t.Context(), g.Token, town, l.code))(t)
	got(w.Adopt(t.Context(), bert.Token, town, l.code))(t)
	for name, c := range map[string]struct {
		by            vault.Grant
		mailbox, from string
		want          error
	}{
		"not my thread":      {w.ord, "ordnungsamt", l.box.Thread, fault.NotFound},
		"not my mailbox":     {w.bau, "ordnungsamt", l.box.Thread, fault.NotFound},
		"no such mailbox":    {w.bau, "nirgends", l.box.Thread, fault.NotFound},
		"no such thread":     {w.bau, "bauamt", "nirgends", fault.NotFound},
		"another tenant":     {w.far, "bauamt", l.box.Thread, fault.NotFound},
		"the citizen":        {g, "bauamt", l.box.Thread, fault.Denied},
		"member of nothing":  {w.admin, "bauamt", l.box.Thread, fault.NotFound},
		"mailbox is missing": {w.bau, "", l.box.Thread, fault.NotFound},
	} {
		if _, err := begin(c.by, c.mailbox, c.from, "T1", "M1"); !errors.Is(err, c.want) {
			t.Errorf("%s: Begin() = %v, want %v", name, err, c.want)
		}
	}
	k := got(begin(w.bau, "bauamt", l.box.Thread, "T1", "M1"))(t)
	if again := got(begin(w.bau, "bauamt", l.box.Thread, "T1", "M1"))(t); !again.Equal(k) {
		t.Error("repeating the call gives another key")
	}
	written := letter{k: k}
	written.box.Tenant, written.box.Thread, written.box.Message = town, "T1", "M1"
	w.wantHolds(g, written, true)
	w.wantHolds(bert, written, true)
	w.wantReads(w.bau, written, true)
	w.wantReads(w.ord, written, false)
	w.wantHolds(w.citizen("eve@post.example"), written, false)

	// A citizen answers into it as into any thread.
	reply := letter{k: seal.NewKey()}
	reply.box = w.seal(vault.Letter{Tenant: town, Mailbox: "bauamt", Thread: "T1", Message: "M2", K: reply.k})
	wantTaken(t, w.take(reply.box), vault.Stored)
	w.wantHolds(g, reply, true)

	_, err = begin(w.bau, "bauamt", l.box.Thread, "T1", "M3")
	wantErr(t, err, fault.Conflict) // the thread exists
	_, err = begin(w.bau, "bauamt", l.box.Thread, "T2", l.box.Message)
	wantErr(t, err, fault.Conflict) // the message exists
	_, err = begin(w.bau, "bauamt", l.box.Thread, "T2", "")
	wantErr(t, err, fault.Invalid)
	must(t, w.Shred(t.Context(), w.bau.Token, town, "T1"))
	_, err = begin(w.bau, "bauamt", l.box.Thread, "T1", "M1")
	wantErr(t, err, fault.Conflict) // deleted stays deleted
	must(t, w.VerifyAudit(t.Context()))
}

func TestDraftKey(t *testing.T) {
	w := newWorld(t)
	g, eve := w.citizen(anna), w.citizen("eve@post.example")
	k := got(w.DraftKey(t.Context(), g.Token, "d"))(t)
	if !got(w.DraftKey(t.Context(), g.Token, "d"))(t).Equal(k) {
		t.Error("the key of a draft changes")
	}
	if got(w.DraftKey(t.Context(), eve.Token, "d"))(t).Equal(k) {
		t.Error("two accounts share the key of a draft")
	}
	must(t, w.DropDrafts(t.Context(), eve.Token, []string{"d", "unknown"}))
	if !got(w.DraftKey(t.Context(), g.Token, "d"))(t).Equal(k) {
		t.Error("another account dropped the draft")
	}
	must(t, w.DropDrafts(t.Context(), w.service(vault.ServiceRetention), []string{"d"}))
	if got(w.DraftKey(t.Context(), g.Token, "d"))(t).Equal(k) {
		t.Error("a dropped draft has its old key")
	}
	for range 49 {
		got(w.DraftKey(t.Context(), g.Token, rand.Text()))(t)
	}
	_, err := w.DraftKey(t.Context(), g.Token, "one more")
	wantErr(t, err, fault.Conflict)
	got(w.DraftKey(t.Context(), g.Token, "d"))(t) // those that are there go on
	got(w.DraftKey(t.Context(), eve.Token, "one more"))(t)
	_, err = w.DraftKey(t.Context(), g.Token, "")
	wantErr(t, err, fault.Invalid)
	must(t, w.DropDrafts(t.Context(), g.Token, nil))
	wantErr(t, w.DropDrafts(t.Context(), g.Token, make([]string, 201)), fault.TooLarge)
	wantErr(t, w.DropDrafts(t.Context(), w.service(vault.ServiceNotifier), []string{"d"}), fault.Denied)
}

func TestDeleteAccount(t *testing.T) {
	w := newWorld(t)
	g, bert := w.citizen(anna), w.citizen("bert@post.example")
	second := got(w.signInCitizen(anna, vaulttest.Password(anna)))(t)
	l := w.accountLetter(g)
	coded := w.stored(town, "bauamt")
	got(w.Adopt(t.Context(), g.Token, town, coded.code))(t)
	got(w.Adopt(t.Context(), bert.Token, town, coded.code))(t)
	got(w.DraftKey(t.Context(), g.Token, "d"))(t)
	w.enrolCitizen(g)
	got(w.ChangeMail(t.Context(), g.Token, town, "neu@post.example", "de"))(t)
	w.recover(anna)
	w.recovering(anna, fresh)
	must(t, w.DeleteAccount(t.Context(), g.Token))
	for _, token := range []string{g.Token, second.Token} {
		_, err := w.Sessions(t.Context(), token) // asks no row: the grant itself is gone
		wantErr(t, err, fault.Denied)
		_, err = w.Check(t.Context(), token)
		wantErr(t, err, fault.Denied)
		wantErr(t, w.DeleteAccount(t.Context(), token), fault.Denied)
	}
	retention := w.service(vault.ServiceRetention)
	must(t, w.ForgetAccount(t.Context(), retention, g.Person)) // the job that follows
	must(t, w.ForgetAccount(t.Context(), retention, g.Person))
	for _, q := range []string{
		`select count(*) from vault_accounts where id = $1`, `select count(*) from vault_account_threads where account = $1`,
		`select count(*) from vault_drafts where account = $1`, `select count(*) from vault_requests where account in ($1, '')`,
		`select count(*) from vault_audit where person = $1 or object = $1 or thread = $1 or purpose = $1`,
		`select count(*) from vault_passkeys where owner = 'account:' || $1`,
	} {
		if n := w.count(q, g.Person); n != 0 {
			t.Errorf("%d rows left: %s", n, q)
		}
	}
	// The authority keeps its side, others theirs, and the code works.
	w.wantReads(w.bau, l, true)
	w.wantReads(w.bau, coded, true)
	w.wantHolds(bert, coded, true)
	again := w.citizen(anna)
	if again.Person == g.Person {
		t.Error("a new account has the old id")
	}
	w.wantHolds(again, l, false)
	got(w.Adopt(t.Context(), again.Token, town, coded.code))(t)
	must(t, w.ForgetAccount(t.Context(), retention, bert.Person)) // on application, A49
	_, err := w.Check(t.Context(), bert.Token)
	wantErr(t, err, fault.Denied)
	gone := got(w.GoneAccounts(t.Context(), retention, []string{bert.Person, again.Person, g.Person, "never"}))(t)
	if !slices.Equal(gone, []string{bert.Person, g.Person, "never"}) {
		t.Errorf("GoneAccounts() = %v", gone)
	}
	for _, token := range []string{again.Token, w.bau.Token, w.service(vault.ServiceNotifier)} {
		wantErr(t, w.ForgetAccount(t.Context(), token, again.Person), fault.Denied)
	}
	must(t, w.VerifyAudit(t.Context()))
}

// TestDeletedBehindTheGrant: a restored or tampered store in which the account is gone ends what its grants can do.
func TestDeletedBehindTheGrant(t *testing.T) {
	w := newWorld(t)
	g := w.citizen(anna)
	l := w.stored(town, "bauamt")
	w.exec(`delete from vault_accounts where id = $1`, g.Person)
	_, err := w.Adopt(t.Context(), g.Token, town, l.code)
	wantErr(t, err, fault.Denied)
	_, err = w.Check(t.Context(), g.Token)
	wantErr(t, err, fault.Denied)
}
