package vault_test

import (
	"testing"
	"time"

	"poststelle/internal/fault"
	"poststelle/internal/vault"
	"poststelle/internal/vault/vaulttest"
)

// registerKey registers an account with a passkey, and a password as well if one is given.
func (w *world) registerKey(mail, password string, ask vault.PasskeyAsk) (d *device, request string, err error) {
	w.t.Helper()
	d = newDevice(w.t)
	ask.New, ask.Mail = true, mail
	a := d.create(w.ask(ask), townOrigin, lie{})
	request, err = w.Register(w.t.Context(), vault.Registration{Realm: vault.RealmAll, Tenant: town, Mail: mail, Password: password, Passkey: &a, Lang: "de"})
	return d, request, err
}

func TestRegister_Passkey(t *testing.T) {
	w := newWorld(t)
	offer := vault.PasskeyAsk{Realm: vault.RealmAll}
	d, request, err := w.registerKey(anna, "", offer)
	must(t, err)
	_, err = w.signInKey(d, offer, lie{})
	wantErr(t, err, fault.Denied) // not confirmed yet
	w.reopen()                    // the wish survives
	link := w.mail(request, "new").Token
	for _, by := range []vault.Confirmation{{}, {Password: secret}} { // another browser
		_, err := w.confirm(vault.RealmAll, link, by)
		if f := fault.FieldsOf(err); len(f) != 1 || f[0].Key != "vault.account.browser" {
			t.Errorf("ConfirmAccount() = %v, want the hint to the same browser", err)
		}
	}
	g := got(w.confirm(vault.RealmAll, link, vault.Confirmation{Request: request}))(t)
	if keys := got(w.Passkeys(t.Context(), g.Token))(t); len(keys) != 1 {
		t.Errorf("Passkeys() = %+v", keys)
	}
	if info := got(w.Account(t.Context(), g.Token))(t); info.Password {
		t.Error("an account with a passkey alone has a password")
	}
	for _, password := range []string{"", "no password at all", secret} {
		_, err := w.signInCitizen(anna, password)
		wantErr(t, err, fault.Denied)
	}
	again := got(w.signInKey(d, offer, lie{}))(t)
	if again.Person != g.Person || again.Realm != vault.RealmAll || again.NeedsCode {
		t.Errorf("SignInPasskey() = %+v", again)
	}
	must(t, w.SetAccountPassword(t.Context(), again.Token, town, secret)) // a first password
	got(w.signInCitizen(anna, secret))(t)

	must(t, w.DeleteAccount(t.Context(), again.Token))
	_, err = w.signInKey(d, offer, lie{})
	wantErr(t, err, fault.Denied)
	if n := w.count(`select count(*) from vault_passkeys`); n != 0 {
		t.Errorf("%d passkeys outlive their account", n)
	}
}

func TestRegister_PasskeyOfAnotherOffer(t *testing.T) {
	w := newWorld(t)
	g := w.citizen("eve@post.example")
	for name, offer := range map[string]vault.PasskeyAsk{
		"another realm":   {Realm: town},
		"a signed-in one": {Realm: vault.RealmAll, Token: g.Token},
		"staff":           {Tenant: town, Token: w.bau.Token},
	} {
		if _, _, err := w.registerKey(anna, "", offer); fault.KindOf(err) != fault.Denied {
			t.Errorf("%s: Register() = %v, want Denied", name, err)
		}
	}
	if _, _, err := w.registerKey(anna, "kurz", vault.PasskeyAsk{Realm: vault.RealmAll}); len(fault.FieldsOf(err)) != 1 {
		t.Errorf("a bad password beside a passkey: Register() = %v", err)
	}
	d, request, err := w.registerKey(anna, secret, vault.PasskeyAsk{Realm: vault.RealmAll})
	must(t, err)
	got(w.confirm(vault.RealmAll, w.mail(request, "new").Token, vault.Confirmation{Password: secret}))(t) // both are in force
	got(w.signInKey(d, vault.PasskeyAsk{Realm: vault.RealmAll}, lie{}))(t)
	got(w.signInCitizen(anna, secret))(t)
}

// TestRecover_DropsPasskeys: a recovered account has one way in, the new password. A thief's passkey is gone too.
func TestRecover_DropsPasskeys(t *testing.T) {
	w := newWorld(t)
	g := w.citizen(anna)
	d := w.citizenKey(g)
	_, request := w.recovering(anna, fresh)
	w.clock.add(wait)
	got(w.signInKey(d, vault.PasskeyAsk{Realm: vault.RealmAll}, lie{}))(t)
	w.wantFinished(request, true)
	_, err := w.signInKey(d, vault.PasskeyAsk{Realm: vault.RealmAll}, lie{})
	wantErr(t, err, fault.Denied)
	got(w.signInCitizen(anna, fresh))(t)
}

func TestProvePassword_Citizen(t *testing.T) {
	w := newWorld(t)
	g := w.citizen(anna)
	code := w.enrolCitizen(g)
	w.clock.add(11 * time.Minute)
	wantErr(t, w.DeleteAccount(t.Context(), g.Token), vault.ErrProve)
	for _, bad := range [][2]string{{"falsch", code(0)}, {vaulttest.Password(anna), "000000"}} {
		wantErr(t, w.ProvePassword(t.Context(), g.Token, bad[0], bad[1]), fault.Denied)
	}
	wantErr(t, w.DropSecondFactor(t.Context(), g.Token), vault.ErrProve)
	otp := code(0)
	must(t, w.ProvePassword(t.Context(), g.Token, vaulttest.Password(anna), otp))
	must(t, w.DropSecondFactor(t.Context(), g.Token))
	code = w.enrolCitizen(g)
	w.clock.add(11 * time.Minute)
	otp = code(0)
	must(t, w.ProvePassword(t.Context(), g.Token, vaulttest.Password(anna), otp))
	wantErr(t, w.ProvePassword(t.Context(), g.Token, vaulttest.Password(anna), otp), fault.Denied) // replay
	must(t, w.DeleteAccount(t.Context(), g.Token))
}
