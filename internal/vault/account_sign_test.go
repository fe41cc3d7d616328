package vault_test

import (
	"encoding/base32"
	"errors"
	"testing"
	"time"

	"poststelle/internal/fault"
	"poststelle/internal/vault"
	"poststelle/internal/vault/vaulttest"
)

// enrolCitizen gives an account a second factor and returns its codes, steps from now.
func (w *world) enrolCitizen(g vault.Grant) (code func(steps int64) string) {
	w.t.Helper()
	e := got(w.OfferSecondFactor(w.t.Context(), g.Token))(w.t)
	seed := got(base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(e.TOTPSecret))(w.t)
	code = func(steps int64) string { return vault.TOTPAt(seed, w.clock.now().Unix()/30+steps) }
	must(w.t, w.TakeSecondFactor(w.t.Context(), g.Token, code(0)))
	return code
}

func wantCode(t testing.TB, err error) {
	t.Helper()
	if f := fault.FieldsOf(err); len(f) != 1 || f[0].Name != "code" {
		t.Errorf("error = %v, want the field code", err)
	}
}

func TestSignInAccount_WrongParts(t *testing.T) {
	w := newWorld(t)
	w.citizen(anna)
	for name, p := range map[string]vault.AccountProof{
		"password":       {Realm: vault.RealmAll, Mail: anna, Password: "falsch"},
		"no password":    {Realm: vault.RealmAll, Mail: anna},
		"dummy password": {Realm: vault.RealmAll, Mail: "niemand@post.example", Password: "no password at all"},
		"unknown":        {Realm: vault.RealmAll, Mail: "niemand@post.example", Password: vaulttest.Password(anna)},
		"other realm":    {Realm: town, Mail: anna, Password: vaulttest.Password(anna)},
		"no realm":       {Mail: anna, Password: vaulttest.Password(anna)},
	} {
		w.clock.add(time.Minute)
		if _, err := w.SignInAccount(t.Context(), p); fault.KindOf(err) != fault.Denied {
			t.Errorf("%s: SignInAccount() = %v, want Denied", name, err)
		}
	}
	// Staff and citizens are two registers, also with the same name and password.
	_, err := w.SignIn(t.Context(), vault.Proof{Tenant: vault.RealmAll, Login: anna, Password: vaulttest.Password(anna)})
	wantErr(t, err, fault.Denied)
	_, err = w.SignInAccount(t.Context(), vault.AccountProof{Realm: town, Mail: "bau", Password: vaulttest.Password("bau")})
	wantErr(t, err, fault.Denied)
}

func TestSignInAccount_SlowDown(t *testing.T) {
	for _, mail := range []string{anna, "niemand@post.example"} {
		w := newWorld(t)
		w.citizen(anna)
		bad := vault.AccountProof{Realm: vault.RealmAll, Mail: mail, Password: "falsch", Origin: "a"}
		for range 3 {
			_, err := w.SignInAccount(t.Context(), bad)
			wantErr(t, err, fault.Denied)
		}
		_, err := w.SignInAccount(t.Context(), bad)
		wantErr(t, err, fault.TooMany)
		good := vault.AccountProof{Realm: vault.RealmAll, Mail: anna, Password: vaulttest.Password(anna), Origin: "home"}
		got(w.SignInAccount(t.Context(), good))(t) // the owner comes from elsewhere
	}
}

func TestFinishSignIn(t *testing.T) {
	w := newWorld(t)
	code := w.enrolCitizen(w.citizen(anna))
	w.clock.add(2 * time.Minute)
	begin := func() vault.Grant {
		g := got(w.signInCitizen(anna, vaulttest.Password(anna)))(t)
		if !g.NeedsCode || !g.Fresh.IsZero() {
			t.Fatalf("SignInAccount() = %+v, want one that needs a code", g)
		}
		return g
	}
	g := begin()
	if g.Expires.Sub(w.clock.now()) != 5*time.Minute {
		t.Errorf("a sign-in waits until %v for its code", g.Expires)
	}
	_, err := w.Account(t.Context(), g.Token)
	wantErr(t, err, fault.Denied)
	_, err = w.FinishSignIn(t.Context(), g.Token, code(-2))
	wantCode(t, err)
	otp := code(0)
	whole := got(w.FinishSignIn(t.Context(), g.Token, otp[:3]+" "+otp[3:]))(t)
	if whole.NeedsCode || whole.Token == g.Token || !whole.Fresh.Equal(w.clock.now()) {
		t.Errorf("FinishSignIn() = %+v", whole)
	}
	got(w.Account(t.Context(), whole.Token))(t)
	_, err = w.FinishSignIn(t.Context(), g.Token, code(1))
	wantErr(t, err, fault.Denied) // used up
	_, err = w.FinishSignIn(t.Context(), whole.Token, code(1))
	wantErr(t, err, fault.Denied) // a whole grant is none that waits

	// Replayed within its window, an older step after it, and after a restart.
	again := got(w.SignInAccount(t.Context(), vault.AccountProof{Realm: vault.RealmAll, Mail: anna, Password: vaulttest.Password(anna)}))(t)
	_, err = w.FinishSignIn(t.Context(), again.Token, otp)
	wantCode(t, err)
	_, err = w.FinishSignIn(t.Context(), again.Token, code(-1))
	wantCode(t, err)
	w.reopen()
	again = got(w.SignInAccount(t.Context(), vault.AccountProof{Realm: vault.RealmAll, Mail: anna, Password: vaulttest.Password(anna)}))(t)
	_, err = w.FinishSignIn(t.Context(), again.Token, otp)
	wantCode(t, err)

	late := begin()
	w.clock.add(5 * time.Minute)
	_, err = w.FinishSignIn(t.Context(), late.Token, code(0))
	wantErr(t, err, fault.Denied)
	if fault.FieldsOf(err) != nil {
		t.Error("a sign-in that has ended asks for another code")
	}
}

// TestFinishSignIn_Guessing: a thief of the password, from as many networks and sign-ins as they like.
func TestFinishSignIn_Guessing(t *testing.T) {
	w := newWorld(t)
	code := w.enrolCitizen(w.citizen(anna))
	w.clock.add(2 * time.Minute)
	proof := vault.AccountProof{Realm: vault.RealmAll, Mail: anna, Password: vaulttest.Password(anna)}
	for n := range 3 {
		proof.Origin = string(rune('a' + n))
		g := got(w.SignInAccount(t.Context(), proof))(t)
		_, err := w.FinishSignIn(t.Context(), g.Token, "000000")
		wantCode(t, err)
	}
	g := got(w.SignInAccount(t.Context(), proof))(t)
	_, err := w.FinishSignIn(t.Context(), g.Token, code(0))
	wantCode(t, err) // the right one must wait too, and does not tell
	for range 3 {
		_, err = w.FinishSignIn(t.Context(), g.Token, "000000")
		wantCode(t, err)
	}
	_, err = w.FinishSignIn(t.Context(), g.Token, "000000")
	wantErr(t, err, fault.Denied) // the fifth: the password is due again
	w.clock.add(time.Minute)
	g = got(w.SignInAccount(t.Context(), proof))(t)
	got(w.FinishSignIn(t.Context(), g.Token, code(0)))(t)
}

func TestFinishSignIn_Race(t *testing.T) {
	w := newWorld(t)
	code := w.enrolCitizen(w.citizen(anna))
	w.clock.add(2 * time.Minute)
	otp := code(0)
	proof := vault.AccountProof{Realm: vault.RealmAll, Mail: anna, Password: vaulttest.Password(anna)}
	errs := make(chan error, 3)
	for range cap(errs) {
		g := got(w.SignInAccount(t.Context(), proof))(t)
		go func() {
			_, err := w.FinishSignIn(t.Context(), g.Token, otp)
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

// TestPending_PushesNobodyOut: who knows the password alone begins many sign-ins; the owner's sessions stay.
func TestPending_PushesNobodyOut(t *testing.T) {
	w := newWorld(t)
	owner := w.citizen(anna)
	w.enrolCitizen(owner)
	for range 30 {
		got(w.SignInAccount(t.Context(), vault.AccountProof{Realm: vault.RealmAll, Mail: anna, Password: vaulttest.Password(anna)}))(t)
	}
	got(w.Account(t.Context(), owner.Token))(t)
}

func TestSecondFactor(t *testing.T) {
	w := newWorld(t)
	g, second := w.citizen(anna), vault.Grant{}
	second = got(w.signInCitizen(anna, vaulttest.Password(anna)))(t)
	wantErr(t, w.TakeSecondFactor(t.Context(), g.Token, "123456"), fault.Conflict) // nothing offered
	e := got(w.OfferSecondFactor(t.Context(), g.Token))(t)
	if e.Person != g.Person || e.TOTPSecret == "" || e.TOTPURL == "" {
		t.Errorf("OfferSecondFactor() = %+v", e)
	}
	wantCode(t, w.TakeSecondFactor(t.Context(), g.Token, "000000"))
	if got(w.signInCitizen(anna, vaulttest.Password(anna)))(t).NeedsCode {
		t.Error("an offer alone is in force")
	}
	w.enrolCitizen(g)
	if info := got(w.Account(t.Context(), g.Token))(t); !info.SecondFactor {
		t.Error("SecondFactor = false")
	}
	_, err := w.Check(t.Context(), second.Token)
	wantErr(t, err, fault.Denied) // other sessions end
	must(t, w.DropSecondFactor(t.Context(), g.Token))
	must(t, w.DropSecondFactor(t.Context(), g.Token))
	if got(w.signInCitizen(anna, vaulttest.Password(anna)))(t).NeedsCode {
		t.Error("a dropped factor is in force")
	}
}

func TestSetAccountPassword(t *testing.T) {
	w := newWorld(t)
	g := w.citizen(anna)
	second := got(w.signInCitizen(anna, vaulttest.Password(anna)))(t)
	err := w.SetAccountPassword(t.Context(), g.Token, town, "kurz")
	if f := fault.FieldsOf(err); len(f) != 1 || f[0].Name != "password" {
		t.Errorf("SetAccountPassword() = %v", err)
	}
	must(t, w.SetAccountPassword(t.Context(), g.Token, town, fresh))
	got(w.Check(t.Context(), g.Token))(t)
	_, err = w.Check(t.Context(), second.Token)
	wantErr(t, err, fault.Denied)
	_, err = w.signInCitizen(anna, vaulttest.Password(anna))
	wantErr(t, err, fault.Denied)
	got(w.signInCitizen(anna, fresh))(t)
}

// TestProved: what changes the ways into an account demands a proof of the last ten minutes.
func TestProved(t *testing.T) {
	w := newWorld(t)
	g := w.citizen(anna)
	steps := map[string]func() error{
		"SetAccountPassword": func() error { return w.SetAccountPassword(t.Context(), g.Token, town, fresh) },
		"OfferSecondFactor":  func() error { _, err := w.OfferSecondFactor(t.Context(), g.Token); return err },
		"DropSecondFactor":   func() error { return w.DropSecondFactor(t.Context(), g.Token) },
		"ChangeMail": func() error {
			_, err := w.ChangeMail(t.Context(), g.Token, town, "neu@post.example", "de")
			return err
		},
	}
	w.clock.add(10*time.Minute - time.Second)
	for name, step := range steps {
		if err := step(); err != nil {
			t.Errorf("%s within ten minutes = %v", name, err)
		}
	}
	w.clock.add(time.Second)
	steps["DeleteAccount"] = func() error { return w.DeleteAccount(t.Context(), g.Token) }
	for name, step := range steps {
		if err := step(); !errors.Is(err, vault.ErrProve) || fault.KindOf(err) != fault.Denied {
			t.Errorf("%s after ten minutes = %v, want ErrProve", name, err)
		}
	}
	got(w.Account(t.Context(), g.Token))(t)
}

func TestAccountGrant_Expiry(t *testing.T) {
	w := newWorld(t)
	g := w.citizen(anna)
	for range 16 {
		w.clock.add(29 * time.Minute)
		got(w.Check(t.Context(), g.Token))(t)
	}
	w.clock.add(29 * time.Minute)
	_, err := w.Check(t.Context(), g.Token)
	wantErr(t, err, fault.Denied) // eight hours
	g = got(w.signInCitizen(anna, vaulttest.Password(anna)))(t)
	w.clock.add(30 * time.Minute)
	_, err = w.Check(t.Context(), g.Token)
	wantErr(t, err, fault.Denied) // idle
	g = got(w.signInCitizen(anna, vaulttest.Password(anna)))(t)
	must(t, w.EndGrant(t.Context(), g.Token))
	_, err = w.Account(t.Context(), g.Token)
	wantErr(t, err, fault.Denied)
}

func TestSetLang_AccountMail(t *testing.T) {
	w := newWorld(t)
	g := w.citizen(anna)
	must(t, w.SetLang(t.Context(), g.Token, "en"))
	wantErr(t, w.SetLang(t.Context(), g.Token, "en\r\nBcc: x"), fault.Invalid)
	ids := []string{g.Person, "unknown"}
	all := got(w.AccountMail(t.Context(), w.service(vault.ServiceNotifier), ids))(t)
	if want := (vault.Address{Mail: anna, Lang: "en", Realm: vault.RealmAll}); len(all) != 1 || all[g.Person] != want {
		t.Errorf("AccountMail() = %v", all)
	}
	for _, token := range []string{g.Token, w.bau.Token, w.service(vault.ServiceMailer), ""} {
		_, err := w.AccountMail(t.Context(), token, ids)
		wantErr(t, err, fault.Denied)
	}
	_, err := w.AccountMail(t.Context(), w.service(vault.ServiceNotifier), make([]string, 201))
	wantErr(t, err, fault.TooLarge)
}
