package vault_test

import (
	"fmt"
	"testing"
	"time"

	"poststelle/internal/fault"
	"poststelle/internal/vault"
	"poststelle/internal/vault/vaulttest"
)

const (
	fresh = "Holunder am Zaun 9"
	wait  = 72 * time.Hour
)

func (w *world) recover(mail string) (request string) {
	w.t.Helper()
	return got(w.Recover(w.t.Context(), vault.Recovery{Realm: vault.RealmAll, Tenant: town, Mail: mail, Lang: "de"}))(w.t)
}

// recovering asks for a recovery and sets the new password.
func (w *world) recovering(mail, password string) (ready time.Time, request string) {
	w.t.Helper()
	link := w.wantMail(w.recover(mail), "new", vault.MailRecover, mail).Token
	ready, request, err := w.RecoverSet(w.t.Context(), vault.RealmAll, link, password)
	must(w.t, err)
	return ready, request
}

func (w *world) finish(request string) (bool, error) {
	return w.RecoverFinish(w.t.Context(), w.service(vault.ServiceNotifier), request)
}

func (w *world) wantFinished(request string, want bool) {
	w.t.Helper()
	if done := got(w.finish(request))(w.t); done != want {
		w.t.Errorf("RecoverFinish() = %v, want %v", done, want)
	}
}

func TestRecover(t *testing.T) {
	w := newWorld(t)
	g := w.citizen(anna)
	l := w.accountLetter(g)
	w.enrolCitizen(g)
	link := w.wantMail(w.recover(anna), "new", vault.MailRecover, anna).Token
	_, _, err := w.RecoverSet(t.Context(), vault.RealmAll, link, "2026-Musterstadt-1") // the authority's name
	if f := fault.FieldsOf(err); len(f) != 1 || f[0].Key != "vault.password.context" {
		t.Errorf("RecoverSet() = %v, want the field password", err)
	}
	_, _, err = w.RecoverSet(t.Context(), vault.RealmAll, link, "kurz")
	if f := fault.FieldsOf(err); len(f) != 1 || f[0].Name != "password" {
		t.Errorf("RecoverSet() = %v, want the field password", err)
	}
	ready, request, err := w.RecoverSet(t.Context(), vault.RealmAll, link, fresh)
	must(t, err)
	if want := w.clock.now().Add(wait); !ready.Equal(want) {
		t.Errorf("ready = %v, want %v", ready, want)
	}
	_, _, err = w.RecoverSet(t.Context(), vault.RealmAll, link, fresh)
	wantErr(t, err, fault.Denied) // used
	notice := w.wantMail(request, "old", vault.MailWaiting, anna)
	if !notice.Ready.Equal(ready) || notice.Token == "" {
		t.Errorf("notice = %+v", notice)
	}
	if info := got(w.Account(t.Context(), g.Token))(t); !info.RecoveryReady.Equal(ready) {
		t.Errorf("RecoveryReady = %v", info.RecoveryReady)
	}

	// Until then the old ways hold and the new one does not.
	w.clock.add(wait - 10*time.Minute)
	_, err = w.finish(request)
	wantErr(t, err, fault.Conflict)
	_, err = w.signInCitizen(anna, fresh)
	wantErr(t, err, fault.Denied)
	old := got(w.signInCitizen(anna, vaulttest.Password(anna)))(t)
	if !old.NeedsCode {
		t.Error("the second factor is gone before the wait is over")
	}
	w.reopen() // a restart forgets nothing
	w.clock.add(10 * time.Minute)
	w.wantFinished(request, true)
	w.wantFinished(request, true) // the job runs twice
	w.wantMail(request, "old", vault.MailRecovered, anna)
	_, err = w.signInCitizen(anna, vaulttest.Password(anna))
	wantErr(t, err, fault.Denied)
	g = got(w.signInCitizen(anna, fresh))(t)
	if g.NeedsCode {
		t.Error("the second factor stands after the recovery")
	}
	w.wantHolds(g, l, true) // mail opens again
	wantErr(t, w.RecoverCancel(t.Context(), vault.RealmAll, notice.Token), fault.Conflict)
	w.clock.add(wait)
	must(t, w.Housekeep(t.Context()))
	if n := w.count(`select count(*) from vault_requests`); n != 0 {
		t.Errorf("%d requests stay", n)
	}
	must(t, w.VerifyAudit(t.Context()))
}

func TestRecover_EndsSessions(t *testing.T) {
	w := newWorld(t)
	w.citizen(anna)
	_, request := w.recovering(anna, fresh)
	w.clock.add(wait)
	live := got(w.signInCitizen(anna, vaulttest.Password(anna)))(t)
	w.wantFinished(request, true)
	_, err := w.Check(t.Context(), live.Token)
	wantErr(t, err, fault.Denied)
}

func TestRecover_UnknownAddress(t *testing.T) {
	w := newWorld(t)
	request := w.recover("niemand@post.example")
	if out := w.mail(request, "new"); out != (vault.Outgoing{}) {
		t.Errorf("RequestMail() = %+v, want nothing", out)
	}
	// Not even who guesses the link, or has it from a day when the account stood, sets a password.
	g := w.citizen(anna)
	link := w.wantMail(w.recover(anna), "new", vault.MailRecover, anna).Token
	must(t, w.DeleteAccount(t.Context(), g.Token))
	_, _, err := w.RecoverSet(t.Context(), vault.RealmAll, link, fresh)
	wantErr(t, err, fault.Denied)
}

// TestRecover_Parallel: two recoveries of one account. The second takes the place of the first, and the wait begins anew.
func TestRecover_Parallel(t *testing.T) {
	w := newWorld(t)
	w.citizen(anna)
	firstReady, first := w.recovering(anna, fresh)
	firstNotice := w.mail(first, "old").Token
	w.clock.add(wait - time.Hour)
	ready, second := w.recovering(anna, "Wacholder im Moor 3")
	if !ready.Equal(w.clock.now().Add(wait)) || !ready.After(firstReady) {
		t.Errorf("second is ready at %v, the first would have been at %v", ready, firstReady)
	}
	w.clock.add(2 * time.Hour)
	w.wantFinished(first, false) // its job comes, and there is nothing to do
	if w.mail(first, "old").To != "" {
		t.Error("the replaced recovery still has notices")
	}
	_, err := w.finish(second)
	wantErr(t, err, fault.Conflict)
	if n := w.count(`select count(*) from vault_requests where kind = 'wait'`); n != 1 {
		t.Errorf("%d recoveries wait, want 1", n)
	}
	// The link of the first notice ends the second one.
	must(t, w.RecoverCancel(t.Context(), vault.RealmAll, firstNotice))
	must(t, w.RecoverCancel(t.Context(), vault.RealmAll, firstNotice)) // twice is fine
	w.clock.add(wait)
	w.wantFinished(second, false)
	got(w.signInCitizen(anna, vaulttest.Password(anna)))(t)
}

// TestRecover_NeverShorter: neither a second recovery nor a clock that was set back ends a wait earlier.
func TestRecover_NeverShorter(t *testing.T) {
	w := newWorld(t)
	w.citizen(anna)
	before, _ := w.recovering(anna, fresh)
	w.clock.add(-2 * time.Hour)
	after, _ := w.recovering(anna, fresh)
	if after.Before(before) {
		t.Errorf("the wait ends at %v, %v earlier than before", after, before.Sub(after))
	}
}

// TestRecover_Stopped: everything that shows the owner is there, or that changes the ways in, ends a waiting recovery.
func TestRecover_Stopped(t *testing.T) {
	for name, stop := range map[string]func(w *world, g vault.Grant, notice string){
		"link": func(w *world, _ vault.Grant, notice string) {
			must(w.t, w.RecoverCancel(w.t.Context(), vault.RealmAll, notice))
		},
		"signed in": func(w *world, g vault.Grant, _ string) {
			must(w.t, w.CancelRecovery(w.t.Context(), g.Token))
			must(w.t, w.CancelRecovery(w.t.Context(), g.Token))
		},
		"new password": func(w *world, g vault.Grant, _ string) {
			must(w.t, w.SetAccountPassword(w.t.Context(), g.Token, town, "Wacholder im Moor 3"))
		},
		"new address": func(w *world, g vault.Grant, _ string) {
			request := got(w.ChangeMail(w.t.Context(), g.Token, town, "neu@post.example", "de"))(w.t)
			got(w.ConfirmMail(w.t.Context(), vault.RealmAll, w.mail(request, "new").Token, g.Token))(w.t)
		},
		"deleted": func(w *world, g vault.Grant, _ string) { must(w.t, w.DeleteAccount(w.t.Context(), g.Token)) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.citizen(anna)
			spare := w.wantMail(w.recover(anna), "new", vault.MailRecover, anna).Token // a second link to recover
			_, request := w.recovering(anna, fresh)
			g := got(w.signInCitizen(anna, vaulttest.Password(anna)))(t)
			stop(w, g, w.mail(request, "old").Token)
			w.clock.add(wait)
			w.wantFinished(request, false)
			if w.mail(request, "old").To != "" {
				t.Error("a stopped recovery still has notices")
			}
			if _, err := w.signInCitizen(anna, fresh); err == nil {
				t.Error("the password of the stopped recovery holds")
			}
			if name == "new password" || name == "new address" || name == "deleted" {
				w.clock.add(-wait)
				_, _, err := w.RecoverSet(t.Context(), vault.RealmAll, spare, fresh)
				wantErr(t, err, fault.Denied)
			}
		})
	}
}

func TestRecoverFinish_Late(t *testing.T) {
	w := newWorld(t)
	w.citizen(anna)
	_, request := w.recovering(anna, fresh)
	w.clock.add(wait + 6*day) // the job hung
	must(t, w.Housekeep(t.Context()))
	w.wantFinished(request, true)
	_, request = w.recovering(anna, fresh)
	w.clock.add(wait + 7*day)
	w.wantFinished(request, false)
	w.wantFinished("unknown", false)
	_, err := w.RecoverFinish(t.Context(), w.bau.Token, request)
	wantErr(t, err, fault.Denied)
}

func TestChangeMail(t *testing.T) {
	w := newWorld(t)
	g := w.citizen(anna)
	const moved = "Anna@neu.example"
	stale := got(w.ChangeMail(t.Context(), g.Token, town, "vertippt@neu.example", "de"))(t)
	staleLink := w.mail(stale, "new").Token
	request := got(w.ChangeMail(t.Context(), g.Token, town, moved, "de"))(t)
	link := w.wantMail(request, "new", vault.MailAddress, moved).Token
	if info := got(w.Account(t.Context(), g.Token))(t); info.Mail != anna || info.PendingMail != moved {
		t.Errorf("Account() = %+v", info)
	}
	_, err := w.ConfirmMail(t.Context(), vault.RealmAll, staleLink, g.Token)
	wantErr(t, err, fault.Denied) // replaced by the second wish
	eve := w.citizen("eve@post.example")
	_, err = w.ConfirmMail(t.Context(), vault.RealmAll, link, eve.Token)
	wantErr(t, err, fault.Denied) // a link alone is not enough, nor with another account
	_, err = w.ConfirmMail(t.Context(), town, link, g.Token)
	wantErr(t, err, fault.Denied)
	for range 2 { // a second click, or a crash before the notices were enqueued
		if got := got(w.ConfirmMail(t.Context(), vault.RealmAll, link, g.Token))(t); got != request {
			t.Errorf("ConfirmMail() = %s, want %s", got, request)
		}
	}
	w.wantMail(request, "old", vault.MailAddressDone, anna)
	w.wantMail(request, "new", vault.MailAddressDone, moved)
	_, err = w.signInCitizen(anna, vaulttest.Password(anna))
	wantErr(t, err, fault.Denied)
	got(w.signInCitizen(moved, vaulttest.Password(anna)))(t)
	w.clock.add(wait)
	must(t, w.Housekeep(t.Context()))
	if n := w.count(`select count(*) from vault_requests`); n != 0 {
		t.Errorf("%d requests stay: the old address must be forgotten", n)
	}
}

// TestChangeMail_LinkToOldAddress: a link to recover, sent to an address that has moved on, opens nobody's account, not even that of the
// person who has the address now.
func TestChangeMail_LinkToOldAddress(t *testing.T) {
	w := newWorld(t)
	g := w.citizen(anna)
	link := w.wantMail(w.recover(anna), "new", vault.MailRecover, anna).Token
	request := got(w.ChangeMail(t.Context(), g.Token, town, "neu@post.example", "de"))(t)
	got(w.ConfirmMail(t.Context(), vault.RealmAll, w.mail(request, "new").Token, g.Token))(t)
	w.citizen(anna)
	_, _, err := w.RecoverSet(t.Context(), vault.RealmAll, link, fresh)
	wantErr(t, err, fault.Denied)
}

func TestChangeMail_Taken(t *testing.T) {
	w := newWorld(t)
	g, bert := w.citizen(anna), "bert@post.example"
	early := got(w.ChangeMail(t.Context(), g.Token, town, bert, "de"))(t)
	link := w.wantMail(early, "new", vault.MailAddress, bert).Token
	w.citizen(bert)
	_, err := w.ConfirmMail(t.Context(), vault.RealmAll, link, g.Token)
	wantErr(t, err, fault.Conflict)
	late := got(w.ChangeMail(t.Context(), g.Token, town, bert, "de"))(t) // says nothing
	if out := w.wantMail(late, "new", vault.MailKnown, bert); out.Token != "" {
		t.Error("a taken address gets a link")
	}
	// The same address in other letters is no other account.
	own := got(w.ChangeMail(t.Context(), g.Token, town, "ANNA.Klein@post.example", "de"))(t)
	link = w.wantMail(own, "new", vault.MailAddress, "ANNA.Klein@post.example").Token
	got(w.ConfirmMail(t.Context(), vault.RealmAll, link, g.Token))(t)
	_, err = w.ChangeMail(t.Context(), g.Token, town, "nichts", "de")
	if f := fault.FieldsOf(err); len(f) != 1 || f[0].Name != "email" {
		t.Errorf("ChangeMail() = %v, want the field email", err)
	}
}

// TestChangeMail_Recovered: a thief of the session asked for their own address; the owner recovers; the link is worth nothing.
func TestChangeMail_Recovered(t *testing.T) {
	w := newWorld(t)
	g := w.citizen(anna)
	_, request := w.recovering(anna, fresh)
	w.clock.add(wait - time.Hour)
	thief := got(w.signInCitizen(anna, vaulttest.Password(anna)))(t)
	wish := got(w.ChangeMail(t.Context(), thief.Token, town, "dieb@post.example", "de"))(t)
	link := w.mail(wish, "new").Token
	w.clock.add(time.Hour)
	w.wantFinished(request, true)
	owner := got(w.signInCitizen(anna, fresh))(t)
	if owner.Person != g.Person {
		t.Error("the recovery leads to another account")
	}
	_, err := w.ConfirmMail(t.Context(), vault.RealmAll, link, owner.Token)
	wantErr(t, err, fault.Denied)
}

// TestRecover_NotCrowdedOut: a stranger who registers with an address all day does not keep its owner from a recovery.
func TestRecover_NotCrowdedOut(t *testing.T) {
	w := newWorld(t)
	w.citizen(anna)
	for range 10 {
		w.register(anna)
	}
	w.wantMail(w.recover(anna), "new", vault.MailRecover, anna)
}

// TestChangeMail_Flood: an account is no way to write to any number of strangers.
func TestChangeMail_Flood(t *testing.T) {
	w := newWorld(t)
	g := w.citizen(anna)
	slowed := 0
	for n := range 40 {
		_, err := w.ChangeMail(t.Context(), g.Token, town, fmt.Sprintf("fremd%d@post.example", n), "de")
		if fault.KindOf(err) == fault.TooMany {
			slowed++
		}
	}
	if slowed < 20 {
		t.Errorf("%d of 40 wishes were slowed down", slowed)
	}
}

// TestRecoverCancel_OldAddress: with the address goes the right to stop a recovery.
func TestRecoverCancel_OldAddress(t *testing.T) {
	w := newWorld(t)
	g := w.citizen(anna)
	_, first := w.recovering(anna, fresh)
	old := w.wantMail(first, "old", vault.MailWaiting, anna).Token
	const moved = "anna@neu.example"
	link := w.wantMail(got(w.ChangeMail(t.Context(), g.Token, town, moved, "de"))(t), "new", vault.MailAddress, moved).Token
	got(w.ConfirmMail(t.Context(), vault.RealmAll, link, g.Token))(t)
	_, request := w.recovering(moved, fresh)
	wantErr(t, w.RecoverCancel(t.Context(), vault.RealmAll, old), fault.Denied)
	w.clock.add(wait)
	w.wantFinished(request, true)
}
