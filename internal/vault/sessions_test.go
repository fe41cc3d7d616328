package vault_test

import (
	"runtime"
	"testing"
	"time"

	"poststelle/internal/fault"
	"poststelle/internal/vault"
	"poststelle/internal/vault/vaulttest"
)

func (w *world) sessions(g vault.Grant) []vault.Session {
	w.t.Helper()
	return got(w.Sessions(w.t.Context(), g.Token))(w.t)
}

func TestSessions(t *testing.T) {
	w := newWorld(t)
	w.clock.add(time.Minute)
	second := got(w.SignIn(t.Context(), vault.Proof{Tenant: town, Login: "bau", Password: vaulttest.Password("bau"), Label: "Chromium, Linux"}))(t)
	s := w.sessions(w.bau)
	if len(s) != 2 || s[0].Label != "Chromium, Linux" || s[0].Current || !s[1].Current || s[0].Tenant != town || !s[0].Begun.Equal(w.clock.now()) {
		t.Fatalf("Sessions() = %+v", s)
	}
	for _, g := range []vault.Grant{w.ord, w.far, w.admin} { // somebody else's session does not exist
		wantErr(t, w.EndSession(t.Context(), g.Token, s[0].ID), fault.NotFound)
	}
	wantErr(t, w.EndSession(t.Context(), w.bau.Token, "unknown"), fault.NotFound)
	wantErr(t, w.EndSession(t.Context(), w.bau.Token, ""), fault.NotFound)
	wantErr(t, w.EndSession(t.Context(), w.service(vault.ServiceConsole), s[0].ID), fault.Denied)
	got(w.Check(t.Context(), second.Token))(t)
	must(t, w.EndSession(t.Context(), w.bau.Token, s[0].ID))
	_, err := w.Check(t.Context(), second.Token)
	wantErr(t, err, fault.Denied)
	wantErr(t, w.EndSession(t.Context(), w.bau.Token, s[0].ID), fault.NotFound)

	third, fourth := w.signIn(town, "bau"), w.signIn(town, "bau")
	must(t, w.EndOtherSessions(t.Context(), third.Token))
	for _, g := range []vault.Grant{w.bau, fourth} {
		_, err := w.Check(t.Context(), g.Token)
		wantErr(t, err, fault.Denied)
	}
	if s = w.sessions(third); len(s) != 1 || !s[0].Current {
		t.Errorf("Sessions() = %+v, want this one alone", s)
	}
	got(w.Check(t.Context(), w.ord.Token))(t)                // colleagues keep theirs
	must(t, w.EndSession(t.Context(), third.Token, s[0].ID)) // the current one
	_, err = w.Sessions(t.Context(), third.Token)
	wantErr(t, err, fault.Denied)

	w.clock.add(29 * time.Minute)
	idle := w.signIn(town, "ord")
	w.clock.add(2 * time.Minute)
	if s = w.sessions(idle); len(s) != 1 {
		t.Errorf("an ended session is listed: %+v", s)
	}
}

// TestEndStaffSessions: an administrator ends all sessions of one person and nobody else's, with a fresh proof; the person's access stays.
func TestEndStaffSessions(t *testing.T) {
	w := newWorld(t)
	l := w.stored(town, "bauamt")
	end := func(token, person string) error { return w.EndStaffSessions(t.Context(), token, town, person) }
	second := w.signIn(town, "bau")
	for _, g := range []vault.Grant{w.ord, w.bau, w.citizen(anna)} { // not a colleague, not the person through this door, no citizen
		wantErr(t, end(g.Token, w.bau.Person), fault.Denied)
	}
	wantErr(t, end(w.far.Token, w.bau.Person), fault.NotFound)
	wantErr(t, end(w.service(vault.ServiceNotifier), w.bau.Person), fault.Denied)
	for _, person := range []string{w.far.Person, "unknown", ""} {
		wantErr(t, end(w.admin.Token, person), fault.NotFound)
	}
	w.wantReads(w.bau, l, true)
	got(w.Check(t.Context(), second.Token))(t)
	got(w.Check(t.Context(), w.far.Token))(t)

	w.clock.add(11 * time.Minute)
	wantErr(t, end(w.admin.Token, w.bau.Person), vault.ErrProve)
	got(w.Check(t.Context(), w.bau.Token))(t)
	must(t, w.ProvePassword(t.Context(), w.admin.Token, vaulttest.Password("chefin"), ""))
	before := w.count(`select count(*) from vault_audit where action = 'staff.sessions'`)
	must(t, end(w.admin.Token, w.bau.Person))
	for _, g := range []vault.Grant{w.bau, second} {
		w.wantReads(g, l, false)
		_, err := w.Check(t.Context(), g.Token)
		wantErr(t, err, fault.Denied)
	}
	if n := w.count(`select count(*) from vault_audit where action = 'staff.sessions' and person = $1 and object = $2`, w.admin.Person, w.bau.Person); before != 0 || n != 1 {
		t.Errorf("%d rows in the audit, want 1", n)
	}
	got(w.Check(t.Context(), w.ord.Token))(t)
	got(w.Check(t.Context(), w.admin.Token))(t)
	w.bau = w.signIn(town, "bau") // and with everything they may read
	w.wantReads(w.bau, l, true)
	must(t, end(w.service(vault.ServiceConsole), w.bau.Person))
	_, err := w.Check(t.Context(), w.bau.Token)
	wantErr(t, err, fault.Denied)
	must(t, end(w.admin.Token, w.bau.Person)) // nothing left to end
	must(t, w.DisableStaff(t.Context(), w.admin.Token, town, w.bau.Person))
	wantErr(t, end(w.admin.Token, w.bau.Person), fault.NotFound)
}

// TestEndStaffSessions_SignInUnderWay: a sign-in that waits in the queue, or for its second factor, ends with the sessions.
func TestEndStaffSessions_SignInUnderWay(t *testing.T) {
	w := newWorld(t)
	code, e := w.enrol("zwei")
	late := make(chan error, 1)
	give := w.HoldArgon()
	go func() {
		_, err := w.SignIn(t.Context(), vault.Proof{Tenant: town, Login: "zwei", Password: "correct horse", OTP: code(0)})
		late <- err
	}()
	for w.Queued() == 0 {
		runtime.Gosched()
	}
	must(t, w.EndStaffSessions(t.Context(), w.admin.Token, town, e.Person))
	give()
	wantErr(t, <-late, fault.Denied)
}

// TestSessions_Accounts: an account's sessions are its own; a person of the staff and another account never meet in one list.
func TestSessions_Accounts(t *testing.T) {
	w := newWorld(t)
	a, b := w.citizen(anna), w.citizen("bert@post.example")
	again := got(w.SignInAccount(t.Context(), vault.AccountProof{Realm: vault.RealmAll, Mail: anna, Password: vaulttest.Password(anna), Label: "Safari, iOS"}))(t)
	s := w.sessions(a)
	if len(s) != 2 || s[0].Tenant != "" {
		t.Fatalf("Sessions() = %+v", s)
	}
	for _, x := range s {
		wantErr(t, w.EndSession(t.Context(), b.Token, x.ID), fault.NotFound)
		wantErr(t, w.EndSession(t.Context(), w.bau.Token, x.ID), fault.NotFound)
	}
	must(t, w.EndOtherSessions(t.Context(), again.Token))
	_, err := w.Check(t.Context(), a.Token)
	wantErr(t, err, fault.Denied)
	got(w.Check(t.Context(), b.Token))(t)
}

// TestSignIn_OvertakenByRecovery: a sign-in with the old password that stands in the queue while a recovery takes effect comes too late.
func TestSignIn_OvertakenByRecovery(t *testing.T) {
	w := newWorld(t)
	w.citizen(anna)
	_, request := w.recovering(anna, fresh)
	w.clock.add(wait)
	late := make(chan error, 1)
	give := w.HoldArgon()
	go func() {
		g, err := w.SignInAccount(t.Context(), vault.AccountProof{Realm: vault.RealmAll, Mail: anna, Password: vaulttest.Password(anna)})
		if err == nil {
			_, err = w.Check(t.Context(), g.Token)
		}
		late <- err
	}()
	for w.Queued() == 0 {
		runtime.Gosched()
	}
	w.wantFinished(request, true)
	give()
	wantErr(t, <-late, fault.Denied)
}

// TestSignIn_OvertakenByNewFactor: the same for a member of staff whose device was lost.
func TestSignIn_OvertakenByNewFactor(t *testing.T) {
	w := newWorld(t)
	code, e := w.enrol("zwei")
	late := make(chan error, 1)
	give := w.HoldArgon()
	go func() {
		g, err := w.SignIn(t.Context(), vault.Proof{Tenant: town, Login: "zwei", Password: "correct horse", OTP: code(0)})
		if err == nil {
			_, err = w.Check(t.Context(), g.Token)
		}
		late <- err
	}()
	for w.Queued() == 0 {
		runtime.Gosched()
	}
	got(w.RenewSecondFactor(t.Context(), w.admin.Token, town, e.Person))(t)
	give()
	wantErr(t, <-late, fault.Denied)
}
