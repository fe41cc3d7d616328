package vault_test

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"strconv"
	"strings"
	"testing"
	"time"

	"poststelle/internal/fault"
	"poststelle/internal/vault"
	"poststelle/internal/vault/vaulttest"
)

// RFC 6238, appendix B, SHA-1, cut to six digits.
func TestTOTP_RFC6238(t *testing.T) {
	for at, want := range map[int64]string{59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130"} {
		if got := vault.TOTPAt([]byte("12345678901234567890"), at/30); got != want {
			t.Errorf("TOTP at %d = %s, want %s", at, got, want)
		}
	}
}

func (w *world) enrol(login string) (code func(steps int64) string, e vault.Enrolment) {
	w.t.Helper()
	e = got(w.AddStaff(w.t.Context(), w.admin.Token, vault.StaffSpec{Tenant: town, Login: login, Password: "correct horse", Role: vault.RoleClerk, SecondFactor: true}))(w.t)
	seed := got(base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(e.TOTPSecret))(w.t)
	return func(steps int64) string { return vault.TOTPAt(seed, w.clock.now().Unix()/30+steps) }, e
}

func TestSignIn_SecondFactor(t *testing.T) {
	w := newWorld(t)
	code, e := w.enrol("Zwei.Faktor")
	if !strings.HasPrefix(e.TOTPURL, "otpauth://totp/Poststelle") || !strings.Contains(e.TOTPURL, e.TOTPSecret) {
		t.Errorf("TOTPURL has wrong form")
	}
	try := func(otp string) error {
		w.clock.add(2 * time.Minute) // past every slow-down
		_, err := w.SignIn(t.Context(), vault.Proof{Tenant: town, Login: " zwei.FAKTOR ", Password: "correct horse", OTP: otp})
		return err
	}
	for _, bad := range []string{"", "000000", "12345", "abcdef"} {
		wantErr(t, try(bad), fault.Denied)
	}
	for _, off := range []int64{-2, 2} {
		w.clock.add(2 * time.Minute)
		_, err := w.SignIn(t.Context(), vault.Proof{Tenant: town, Login: "zwei.faktor", Password: "correct horse", OTP: code(off)})
		wantErr(t, err, fault.Denied)
	}
	w.clock.add(2 * time.Minute)
	otp := code(0)
	proof := vault.Proof{Tenant: town, Login: "zwei.faktor", Password: "correct horse", OTP: otp[:3] + " " + otp[3:]}
	g := got(w.SignIn(t.Context(), proof))(t)
	if g.Person != e.Person || g.Login != "Zwei.Faktor" {
		t.Errorf("SignIn() = %s, %s", g.Person, g.Login)
	}
	_, err := w.SignIn(t.Context(), proof)
	wantErr(t, err, fault.Denied) // replay
	proof.OTP = code(-1)
	_, err = w.SignIn(t.Context(), proof)
	wantErr(t, err, fault.Denied) // an older step after a newer one
	w.reopen()
	proof.OTP = otp
	_, err = w.SignIn(t.Context(), proof)
	wantErr(t, err, fault.Denied) // replay after a restart
	proof.OTP = code(1)
	got(w.SignIn(t.Context(), proof))(t)
}

func TestSignIn_TOTPRace(t *testing.T) {
	w := newWorld(t)
	code, _ := w.enrol("zwei")
	proof := vault.Proof{Tenant: town, Login: "zwei", Password: "correct horse", OTP: code(0)}
	errs := make(chan error, 3)
	for range cap(errs) {
		go func() {
			_, err := w.SignIn(t.Context(), proof)
			errs <- err
		}()
	}
	won := 0
	for range cap(errs) {
		if <-errs == nil {
			won++
		}
	}
	if won != 1 {
		t.Errorf("one code signed in %d times, want once", won)
	}
}

func TestSignIn_WrongParts(t *testing.T) {
	w := newWorld(t)
	good := vault.Proof{Tenant: town, Login: "bau", Password: vaulttest.Password("bau")}
	for name, change := range map[string]func(*vault.Proof){
		"password":        func(p *vault.Proof) { p.Password += "x" },
		"empty password":  func(p *vault.Proof) { p.Password = "" },
		"huge password":   func(p *vault.Proof) { p.Password = strings.Repeat("x", 1<<20) },
		"dummy password":  func(p *vault.Proof) { p.Login, p.Password = "nobody", "no password at all" },
		"unknown login":   func(p *vault.Proof) { p.Login = "nobody" },
		"other tenant":    func(p *vault.Proof) { p.Tenant = other },
		"unknown tenant":  func(p *vault.Proof) { p.Tenant = "nobody" },
		"tenant as login": func(p *vault.Proof) { p.Tenant, p.Login = "", town+"bau" },
	} {
		w.clock.add(time.Minute)
		p := good
		change(&p)
		if _, err := w.SignIn(t.Context(), p); fault.KindOf(err) != fault.Denied {
			t.Errorf("%s: SignIn() = %v, want Denied", name, err)
		}
	}
	w.clock.add(time.Minute)
	got(w.SignIn(t.Context(), good))(t)
}

func TestSignIn_SlowDown(t *testing.T) {
	for _, login := range []string{"bau", "nobody"} { // known and unknown alike
		w := newWorld(t)
		bad := vault.Proof{Tenant: town, Login: login, Password: "wrong password", Origin: "a"}
		for range 3 {
			_, err := w.SignIn(t.Context(), bad)
			wantErr(t, err, fault.Denied)
		}
		_, err := w.SignIn(t.Context(), bad)
		wantErr(t, err, fault.TooMany)
		for range 20 {
			w.clock.add(60 * time.Second) // never longer than this
			_, err := w.SignIn(t.Context(), bad)
			wantErr(t, err, fault.Denied)
		}
	}
	w := newWorld(t)
	good := vault.Proof{Tenant: town, Login: "bau", Password: vaulttest.Password("bau"), Origin: "home"}
	for range 10 {
		w.SignIn(t.Context(), vault.Proof{Tenant: town, Login: "bau", Password: "wrong", Origin: "attacker"})
	}
	got(w.SignIn(t.Context(), good))(t) // the owner comes from elsewhere and is not held up
}

// TestSignIn_Spraying tries one password with many logins from one network.
func TestSignIn_Spraying(t *testing.T) {
	w := newWorld(t)
	const origin = "one network"
	slowed := 0
	spray := func(n int) {
		_, err := w.SignIn(t.Context(), vault.Proof{Tenant: town, Login: "person" + strconv.Itoa(n), Password: "Sommer2026!", Origin: origin})
		if fault.KindOf(err) == fault.TooMany {
			slowed++
		} else {
			wantErr(t, err, fault.Denied)
		}
	}
	for n := range 300 {
		spray(n)
	}
	if slowed != 280 {
		t.Errorf("%d of 300 attempts in one second were slowed down, want 280", slowed)
	}
	bau := vault.Proof{Tenant: town, Login: "bau", Password: vaulttest.Password("bau"), Origin: origin}
	_, err := w.SignIn(t.Context(), bau)
	wantErr(t, err, fault.TooMany)
	bau.Origin = "home"
	got(w.SignIn(t.Context(), bau))(t) // the owner from elsewhere

	// The right password of one login does not clear the count of the network.
	w.clock.add(time.Second)
	bau.Origin = origin
	got(w.SignIn(t.Context(), bau))(t)
	slowed = 0
	for n := range 3600 / 10 {
		w.clock.add(10 * time.Second)
		spray(n)
	}
	if tried := 360 - slowed; tried > 80 {
		t.Errorf("%d attempts in an hour, want about one a minute", tried)
	}

	// A town hall in which somebody mistypes a password every minute works on.
	w.clock.add(time.Hour)
	for n := range 120 {
		_, err := w.SignIn(t.Context(), vault.Proof{Tenant: town, Login: "person" + strconv.Itoa(n), Password: "vertippt", Origin: origin})
		wantErr(t, err, fault.Denied)
		for range 3 {
			w.clock.add(20 * time.Second)
			got(w.SignIn(t.Context(), bau))(t)
		}
	}
}

// TestSignIn_QueueShare: one network cannot take all places in the queue.
func TestSignIn_QueueShare(t *testing.T) {
	w := newWorldWith(t, vault.Config{SignInQueue: 14}) // and two slots: four places for each network
	give := w.HoldArgon()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // only so that a queue without a bound fails and does not hang
	defer cancel()
	greedy, owner := make(chan error, 18), make(chan error, 1)
	sign := func(origin string, to chan<- error) {
		_, err := w.SignIn(ctx, vault.Proof{Tenant: town, Login: "bau", Password: vaulttest.Password("bau"), Origin: origin})
		to <- err
	}
	for range cap(greedy) {
		go func() {
			_, err := w.SignIn(ctx, vault.Proof{Tenant: town, Login: rand.Text(), Password: "Sommer2026!", Origin: "attacker"})
			greedy <- err
		}()
	}
	for range cap(greedy) - 4 {
		wantErr(t, <-greedy, fault.TooMany)
	}
	go sign("home", owner)
	give()
	if err := <-owner; err != nil {
		t.Errorf("the owner from elsewhere is turned away: %v", err)
	}
	for range 4 {
		wantErr(t, <-greedy, fault.Denied)
	}
	if n := w.Queued(); n != 0 {
		t.Errorf("%d places are not given back", n)
	}
}

func TestSignIn_OTPGuessing(t *testing.T) {
	w := newWorld(t)
	code, _ := w.enrol("zwei")
	p := vault.Proof{Tenant: town, Login: "zwei", Password: "correct horse"}
	for _, origin := range []string{"a", "b", "c"} { // a thief of the password, from many networks
		p.OTP, p.Origin = "000000", origin
		_, err := w.SignIn(t.Context(), p)
		wantErr(t, err, fault.Denied)
	}
	p.OTP, p.Origin = code(0), "d"
	_, err := w.SignIn(t.Context(), p)
	wantErr(t, err, fault.Denied) // even the right code must wait
	w.clock.add(time.Minute)
	p.OTP = code(0)
	got(w.SignIn(t.Context(), p))(t)
}

func TestSignIn_ArgonQueue(t *testing.T) {
	w := newWorldWith(t, vault.Config{SignInQueue: 3})
	give := w.HoldArgon()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // only so that a queue without a bound fails and does not hang
	defer cancel()
	results := make(chan error, 20)
	for n := range cap(results) {
		go func() {
			_, err := w.SignIn(ctx, vault.Proof{Tenant: town, Login: "bau", Password: vaulttest.Password("bau"), Origin: strconv.Itoa(n)})
			results <- err
		}()
	}
	for range cap(results) - 5 { // 2 slots and 3 places; the rest is turned away while the slots are held
		wantErr(t, <-results, fault.TooMany)
	}
	if n := w.Queued(); n != 5 {
		t.Errorf("%d wait, want 5", n)
	}
	give()
	for range 5 {
		<-results
	}
	if n := w.Queued(); n != 0 {
		t.Errorf("%d places are not given back", n)
	}
	got(w.SignIn(t.Context(), vault.Proof{Tenant: town, Login: "bau", Password: vaulttest.Password("bau")}))(t)
}

func TestGrant_Expiry(t *testing.T) {
	w := newWorld(t)
	w.clock.add(30*time.Minute - time.Second)
	got(w.Check(t.Context(), w.bau.Token))(t) // counts as use
	w.clock.add(30*time.Minute - time.Second)
	got(w.Check(t.Context(), w.bau.Token))(t)
	_, err := w.Check(t.Context(), w.ord.Token)
	wantErr(t, err, fault.Denied) // idle for an hour
	for range 14 {
		w.clock.add(29 * time.Minute)
		got(w.Check(t.Context(), w.bau.Token))(t)
	}
	w.clock.add(29 * time.Minute)
	_, err = w.Check(t.Context(), w.bau.Token)
	wantErr(t, err, fault.Denied) // 8 h after sign-in
	g := w.signIn(town, "bau")
	must(t, w.EndGrant(t.Context(), g.Token))
	must(t, w.EndGrant(t.Context(), "unknown"))
	_, err = w.Check(t.Context(), g.Token)
	wantErr(t, err, fault.Denied)
	if len(g.Token) != 43 || w.signIn(town, "bau").Token == g.Token {
		t.Error("tokens must be 32 random bytes")
	}
}

func TestSetPassword(t *testing.T) {
	w := newWorld(t)
	session := w.signIn(town, "bau")
	wantErr(t, w.SetPassword(t.Context(), w.ord.Token, town, w.bau.Person, "new password"), fault.Denied)
	wantErr(t, w.SetPassword(t.Context(), w.far.Token, town, w.bau.Person, "new password"), fault.NotFound)
	err := w.SetPassword(t.Context(), w.bau.Token, town, w.bau.Person, "short")
	wantErr(t, err, fault.Invalid)
	if f := fault.FieldsOf(err); len(f) != 1 || f[0].Name != "password" {
		t.Errorf("FieldsOf() = %v", f)
	}
	must(t, w.SetPassword(t.Context(), w.bau.Token, town, w.bau.Person, "new password"))
	got(w.Check(t.Context(), w.bau.Token))(t)
	_, err = w.Check(t.Context(), session.Token)
	wantErr(t, err, fault.Denied) // other sessions end
	_, err = w.SignIn(t.Context(), vault.Proof{Tenant: town, Login: "bau", Password: vaulttest.Password("bau")})
	wantErr(t, err, fault.Denied)
	got(w.SignIn(t.Context(), vault.Proof{Tenant: town, Login: "bau", Password: "new password"}))(t)

	e := got(w.RenewSecondFactor(t.Context(), w.admin.Token, town, w.bau.Person))(t)
	_, err = w.SignIn(t.Context(), vault.Proof{Tenant: town, Login: "bau", Password: "new password"})
	wantErr(t, err, fault.Denied)
	seed := got(base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(e.TOTPSecret))(t)
	got(w.SignIn(t.Context(), vault.Proof{Tenant: town, Login: "bau", Password: "new password", OTP: vault.TOTPAt(seed, w.clock.now().Unix()/30)}))(t)
}

func TestAddStaff_Rules(t *testing.T) {
	w := newWorld(t)
	spec := func(f func(*vault.StaffSpec)) vault.StaffSpec {
		s := vault.StaffSpec{Tenant: town, Login: "neu", Password: "long enough", Role: vault.RoleClerk}
		f(&s)
		return s
	}
	add := func(token string, s vault.StaffSpec) error { _, err := w.AddStaff(t.Context(), token, s); return err }
	ok := spec(func(*vault.StaffSpec) {})
	wantErr(t, add(w.bau.Token, ok), fault.Denied)
	wantErr(t, add(w.far.Token, ok), fault.NotFound)
	wantErr(t, add(w.service(vault.ServiceNotifier), ok), fault.Denied)
	wantErr(t, add(w.admin.Token, spec(func(s *vault.StaffSpec) { s.Login = "BAU" })), fault.Conflict)
	wantErr(t, add(w.admin.Token, spec(func(s *vault.StaffSpec) { s.Role = "root" })), fault.Invalid)
	wantErr(t, add(w.admin.Token, spec(func(s *vault.StaffSpec) { s.Login = "" })), fault.Invalid)
	wantErr(t, add(w.admin.Token, spec(func(s *vault.StaffSpec) { s.Role = vault.RoleOperator })), fault.Invalid)
	wantErr(t, add(w.service(vault.ServiceConsole), spec(func(s *vault.StaffSpec) { s.Tenant = "nobody" })), fault.NotFound)
	must(t, add(w.admin.Token, ok))
	staff := got(w.Staff(t.Context(), w.bau.Token, town))(t)
	if len(staff) != 4 || staff[0].Login != "bau" || staff[0].Mailboxes[0] != "bauamt" {
		t.Errorf("Staff() = %+v", staff)
	}
	_, err := w.Staff(t.Context(), w.far.Token, town)
	wantErr(t, err, fault.NotFound)
	// An administrator disabled behind the grant's back can no longer act.
	w.exec(`update vault_staff set active = 0 where tenant = $1 and id = $2`, town, w.admin.Person)
	wantErr(t, add(w.admin.Token, spec(func(s *vault.StaffSpec) { s.Login = "later" })), fault.Denied)
}

func TestJoin_Rules(t *testing.T) {
	w := newWorld(t)
	op := vaulttest.Clerk(t, w.Vault, host, "betrieb", vault.RoleOperator)
	w.wantReads(vaulttest.Clerk(t, w.Vault, host, "kontakt", vault.RoleClerk, "kontakt"), w.stored(host, "kontakt"), true)
	join := func(token, tenant, person, mailbox string) error {
		_, err := w.Join(t.Context(), token, tenant, person, mailbox)
		return err
	}
	console := w.service(vault.ServiceConsole)
	wantErr(t, join(console, town, op.Person, "bauamt"), fault.NotFound)
	wantErr(t, join(console, host, op.Person, "kontakt"), fault.Denied) // not even the contact mailbox of their own tenant
	for _, role := range []string{vault.RoleEditor, vault.RoleDPO, vault.RoleAuditor} {
		wantErr(t, join(console, town, vaulttest.Clerk(t, w.Vault, town, "wer-"+role, role).Person, "bauamt"), fault.Denied)
	}
	wantErr(t, join(op.Token, town, op.Person, "bauamt"), fault.NotFound)
	wantErr(t, join(w.admin.Token, town, w.admin.Person, "bauamt"), fault.Denied)
	wantErr(t, join(w.bau.Token, town, w.bau.Person, "ordnungsamt"), fault.Denied)
	wantErr(t, join(w.admin.Token, town, w.bau.Person, "nirgends"), fault.NotFound)
	wantErr(t, join(w.admin.Token, town, "nobody", "bauamt"), fault.NotFound)
	must(t, join(w.admin.Token, town, w.bau.Person, "bauamt"))
	// Even an operator planted in an authority by hand reads nothing and cannot join.
	w.exec(`update vault_staff set role = 'operator' where tenant = $1 and id = $2`, town, w.ord.Person)
	wantErr(t, join(console, town, w.ord.Person, "bauamt"), fault.Denied)
	w.wantReads(w.ord, w.stored(town, "ordnungsamt"), false)
	wantErr(t, w.Leave(t.Context(), w.ord.Token, town, w.bau.Person, "bauamt"), fault.Denied)
}

func TestJoin_FourEyes(t *testing.T) {
	w := newWorldWith(t, vault.Config{FourEyes: true})
	console := w.service(vault.ServiceConsole)
	l := w.stored(town, "bauamt")
	w.wantReads(w.bau, l, true) // the console began alone: nobody could have confirmed
	second := vaulttest.Clerk(t, w.Vault, town, "zweite", vault.RoleAdmin)
	neu := vaulttest.Clerk(t, w.Vault, town, "neu", vault.RoleClerk)
	for range 2 {
		if got(w.Join(t.Context(), console, town, neu.Person, "bauamt"))(t) {
			t.Error("the console joins alone although two administrators could confirm")
		}
	}
	w.wantReads(neu, l, false)
	if m := got(w.Members(t.Context(), town, "bauamt"))(t); len(m) != 2 || m[0].Active == m[1].Active {
		t.Errorf("Members() = %+v, want one member and one proposal", m)
	}
	if !got(w.Join(t.Context(), second.Token, town, neu.Person, "bauamt"))(t) {
		t.Error("the administrator did not confirm the console's proposal")
	}
	w.wantReads(neu, l, true)
	for range 2 {
		if got(w.Join(t.Context(), second.Token, town, neu.Person, "ordnungsamt"))(t) {
			t.Error("one administrator alone made a member")
		}
	}
	if !got(w.Join(t.Context(), w.admin.Token, town, neu.Person, "ordnungsamt"))(t) {
		t.Error("the second administrator did not confirm")
	}
}
