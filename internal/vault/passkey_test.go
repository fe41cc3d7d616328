package vault_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"poststelle/internal/fault"
	"poststelle/internal/vault"
	"poststelle/internal/vault/vaulttest"
)

const (
	townHost   = "musterstadt.example"
	townOrigin = "https://musterstadt.example"
)

func (w *world) ask(a vault.PasskeyAsk) vault.PasskeyChallenge {
	w.t.Helper()
	if a.Host == "" {
		a.Host, a.Origin = townHost, townOrigin
	}
	return got(w.PasskeyOffer(w.t.Context(), a))(w.t)
}

// staffKey gives a person of the town a passkey.
func (w *world) staffKey(g vault.Grant) *device {
	w.t.Helper()
	d := newDevice(w.t)
	a := d.create(w.ask(vault.PasskeyAsk{Tenant: g.Tenant, Token: g.Token, New: true}), townOrigin, lie{})
	a.Name = "Telefon"
	must(w.t, w.AddPasskey(w.t.Context(), g.Token, a))
	return d
}

func (w *world) citizenKey(g vault.Grant) *device {
	w.t.Helper()
	d := newDevice(w.t)
	a := d.create(w.ask(vault.PasskeyAsk{Realm: g.Realm, Token: g.Token, Mail: anna, New: true}), townOrigin, lie{})
	must(w.t, w.AddPasskey(w.t.Context(), g.Token, a))
	return d
}

func (w *world) signInKey(d *device, a vault.PasskeyAsk, l lie) (vault.Grant, error) {
	w.t.Helper()
	return w.SignInPasskey(w.t.Context(), d.get(w.ask(a), townOrigin, l))
}

func TestPasskey_Staff(t *testing.T) {
	w := newWorld(t)
	d := w.staffKey(w.bau)
	offer := vault.PasskeyAsk{Tenant: town}
	o := d.options(w.ask(offer))
	if o.RPID != townHost || o.Verify != "required" || len(o.Allow) != 0 {
		t.Errorf("offer = %+v, want verification and nobody named", o)
	}
	list := got(w.Passkeys(t.Context(), w.bau.Token))(t)
	if len(list) != 1 || list[0].Name != "Telefon" || list[0].Host != townHost || !list[0].Used.IsZero() {
		t.Errorf("Passkeys() = %+v", list)
	}
	for _, p := range got(w.Staff(t.Context(), w.admin.Token, town))(t) {
		if own := p.ID == w.bau.Person; own != (p.Passkeys == 1) || !own && p.Passkeys != 0 {
			t.Errorf("%s has %d passkeys in the list of staff", p.Login, p.Passkeys)
		}
	}
	for range 2 {
		w.clock.add(time.Minute)
		a := d.get(w.ask(offer), townOrigin, lie{})
		a.Label = "Firefox, Windows"
		g := got(w.SignInPasskey(t.Context(), a))(t)
		if g.Person != w.bau.Person || g.Tenant != town || g.Login != "bau" || g.Realm != "" || g.NeedsCode || len(g.Mailboxes) != 1 {
			t.Errorf("SignInPasskey() = %+v", g)
		}
		if s := got(w.Sessions(t.Context(), g.Token))(t); s[0].Label != "Firefox, Windows" || !s[0].Current {
			t.Errorf("Sessions() = %+v", s)
		}
	}
	if list = got(w.Passkeys(t.Context(), w.bau.Token))(t); !list[0].Used.Equal(w.clock.now()) {
		t.Errorf("used %v, want now", list[0].Used)
	}
	// The same device is not offered a second passkey.
	if o := d.options(w.ask(vault.PasskeyAsk{Tenant: town, Token: w.bau.Token, New: true})); len(o.Exclude) != 1 || o.Exclude[0].ID != b64(d.id) ||
		o.Select.Verify != "required" || o.Select.Resident != "required" || o.User.Name != "bau" {
		t.Errorf("offer of a second one = %+v", o)
	}
	wantErr(t, w.RemovePasskey(t.Context(), w.ord.Token, list[0].ID), fault.NotFound) // somebody else's
	must(t, w.RemovePasskey(t.Context(), w.bau.Token, list[0].ID))
	wantErr(t, w.RemovePasskey(t.Context(), w.bau.Token, list[0].ID), fault.NotFound)
	_, err := w.signInKey(d, offer, lie{})
	wantErr(t, err, fault.Denied)
	must(t, w.VerifyAudit(t.Context()))
}

func TestPasskey_SurvivesRestart(t *testing.T) {
	w := newWorld(t)
	d := w.staffKey(w.bau)
	old := w.ask(vault.PasskeyAsk{Tenant: town})
	w.reopen()
	_, err := w.SignInPasskey(t.Context(), d.get(old, townOrigin, lie{}))
	wantErr(t, err, fault.Denied) // offers end with the process
	got(w.signInKey(d, vault.PasskeyAsk{Tenant: town}, lie{}))(t)
}

// TestPasskey_Refused: every part of an answer that is wrong is refused, and alike. Each row is a control that the test breaks.
func TestPasskey_Refused(t *testing.T) {
	w := newWorld(t)
	d, other := w.staffKey(w.bau), w.staffKey(w.ord)
	stranger := got(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	for name, l := range map[string]lie{
		"origin":              {origin: "https://boese.example"},
		"origin, other port":  {origin: townOrigin + ":8443"},
		"origin, http":        {origin: "http://musterstadt.example"},
		"origin, below":       {origin: "https://x.musterstadt.example"},
		"rp id":               {rp: "boese.example"},
		"rp id, parent":       {rp: "example"},
		"challenge":           {challenge: b64(make([]byte, 32))},
		"not verified":        {flags: flagPresent},
		"not present":         {flags: flagVerified},
		"signature":           {spoil: true},
		"key of a stranger":   {key: stranger},
		"ceremony":            {kind: "webauthn.create"},
		"handle of another":   {handle: other.handle},
		"no handle":           {handle: []byte{}},
		"credential id":       {id: other.id},
		"unknown credential":  {id: bytes.Repeat([]byte{7}, 32)},
		"credential and name": {id: other.id, handle: other.handle},
	} {
		t.Run(name, func(t *testing.T) {
			w.clock.add(time.Minute)
			_, err := w.signInKey(d, vault.PasskeyAsk{Tenant: town}, l)
			if kind := fault.KindOf(err); kind != fault.Denied {
				t.Errorf("SignInPasskey() = %v, want Denied", err)
			}
			got(w.signInKey(d, vault.PasskeyAsk{Tenant: town}, lie{}))(t) // and the honest answer still works
		})
	}
	for name, raw := range map[string]string{"empty": "", "null": "null", "text": `"x"`, "list": "[]", "object": "{}", "huge": `{"id":"` + strings.Repeat("A", 20<<10) + `"}`} {
		a := vault.PasskeyAnswer{Challenge: w.ask(vault.PasskeyAsk{Tenant: town}).ID, Response: json.RawMessage(raw)}
		if _, err := w.SignInPasskey(t.Context(), a); fault.KindOf(err) != fault.Denied {
			t.Errorf("%s: %v, want Denied", name, err)
		}
	}
}

func TestPasskey_Challenge(t *testing.T) {
	w := newWorld(t)
	d := w.staffKey(w.bau)
	d.step = 0 // does not count, so that the counter does not catch what the challenge must
	w.exec(`delete from vault_passkeys where owner = $1`, "staff:"+town+":"+w.bau.Person)
	d.count = 0
	a := d.create(w.ask(vault.PasskeyAsk{Tenant: town, Token: w.bau.Token, New: true}), townOrigin, lie{})
	must(t, w.AddPasskey(t.Context(), w.bau.Token, a))
	wantErr(t, w.AddPasskey(t.Context(), w.bau.Token, a), fault.Denied) // reused

	sign := func(a vault.PasskeyAnswer) error { _, err := w.SignInPasskey(t.Context(), a); return err }
	a = d.get(w.ask(vault.PasskeyAsk{Tenant: town}), townOrigin, lie{})
	must(t, sign(a))
	wantErr(t, sign(a), fault.Denied) // reused

	a = d.get(w.ask(vault.PasskeyAsk{Tenant: town}), townOrigin, lie{})
	w.clock.add(5 * time.Minute)
	wantErr(t, sign(a), fault.Denied) // expired
	a = d.get(w.ask(vault.PasskeyAsk{Tenant: town}), townOrigin, lie{})
	w.clock.add(5*time.Minute - time.Second)
	must(t, sign(a))

	// An id that was tampered with, of another offer, of nobody.
	good := w.ask(vault.PasskeyAsk{Tenant: town})
	a = d.get(good, townOrigin, lie{})
	for _, id := range []string{"", ".", "x.y", good.ID + "A", "A" + good.ID, w.ask(vault.PasskeyAsk{Tenant: town}).ID, strings.Replace(good.ID, ".", "..", 1)} {
		a.Challenge = id
		wantErr(t, sign(a), fault.Denied)
	}
	// Offers for something else.
	new := w.ask(vault.PasskeyAsk{Tenant: town, Token: w.signIn(town, "bau").Token, New: true})
	a.Challenge = new.ID
	wantErr(t, sign(a), fault.Denied)
	proof := w.ask(vault.PasskeyAsk{Tenant: town, Token: w.signIn(town, "bau").Token})
	wantErr(t, sign(d.get(proof, townOrigin, lie{})), fault.Denied)
}

func TestPasskey_ChallengeRace(t *testing.T) {
	w := newWorld(t)
	d := w.staffKey(w.bau)
	a := d.get(w.ask(vault.PasskeyAsk{Tenant: town}), townOrigin, lie{})
	errs := make(chan error, 8)
	for range cap(errs) {
		go func() { _, err := w.SignInPasskey(t.Context(), a); errs <- err }()
	}
	won := 0
	for range cap(errs) {
		if <-errs == nil {
			won++
		}
	}
	if won != 1 {
		t.Errorf("one answer signed in %d times, want once", won)
	}
}

func TestPasskey_Counter(t *testing.T) {
	w := newWorld(t)
	d := w.staffKey(w.bau)
	d.count = 100
	got(w.signInKey(d, vault.PasskeyAsk{Tenant: town}, lie{}))(t)
	for _, last := range []uint32{100, 50, 0} { // the next one says one more: equal, less, begun anew
		d.count = last
		if last == 0 {
			d.step = 0
		}
		_, err := w.signInKey(d, vault.PasskeyAsk{Tenant: town}, lie{})
		wantErr(t, err, fault.Denied)
	}
	d.count, d.step = 101, 1
	got(w.signInKey(d, vault.PasskeyAsk{Tenant: town}, lie{}))(t)
}

// TestPasskey_Registers: a passkey opens the register it was made for, at the host it was made at, and nothing else.
func TestPasskey_Registers(t *testing.T) {
	w := newWorld(t)
	citizen := w.citizen(anna)
	staff, account := w.staffKey(w.bau), w.citizenKey(citizen)
	g := got(w.signInKey(account, vault.PasskeyAsk{Realm: vault.RealmAll}, lie{}))(t)
	if g.Realm != vault.RealmAll || g.Person != citizen.Person || g.Tenant != "" || g.NeedsCode {
		t.Errorf("SignInPasskey() = %+v", g)
	}
	far := "beispielingen.example"
	for name, c := range map[string]struct {
		d *device
		a vault.PasskeyAsk
	}{
		"staff at the accounts":    {staff, vault.PasskeyAsk{Realm: vault.RealmAll}},
		"staff at a town's realm":  {staff, vault.PasskeyAsk{Realm: town}},
		"account at the staff":     {account, vault.PasskeyAsk{Tenant: town}},
		"staff at another tenant":  {staff, vault.PasskeyAsk{Tenant: other}},
		"account in another realm": {account, vault.PasskeyAsk{Realm: other}},
		"staff at another host":    {staff, vault.PasskeyAsk{Tenant: town, Host: far, Origin: "https://" + far}},
		"account at another host":  {account, vault.PasskeyAsk{Realm: vault.RealmAll, Host: far, Origin: "https://" + far}},
	} {
		origin := either(c.a.Origin, townOrigin)
		if _, err := w.SignInPasskey(t.Context(), c.d.get(w.ask(c.a), origin, lie{})); fault.KindOf(err) != fault.Denied {
			t.Errorf("%s: %v, want Denied", name, err)
		}
	}
}

func TestPasskeyOffer_Rules(t *testing.T) {
	w := newWorld(t)
	citizen := w.citizen(anna)
	offer := func(a vault.PasskeyAsk) error { _, err := w.PasskeyOffer(t.Context(), a); return err }
	for name, a := range map[string]vault.PasskeyAsk{
		"no register":     {Host: townHost, Origin: townOrigin},
		"two registers":   {Host: townHost, Origin: townOrigin, Realm: "*", Tenant: town},
		"ip address":      {Host: "127.0.0.1", Origin: "http://127.0.0.1:8080", Tenant: town},
		"ipv6":            {Host: "::1", Origin: "https://[::1]", Tenant: town},
		"http":            {Host: townHost, Origin: "http://" + townHost, Tenant: town},
		"other origin":    {Host: townHost, Origin: "https://boese.example", Tenant: town},
		"user in origin":  {Host: townHost, Origin: "https://x@" + townHost, Tenant: town},
		"path in origin":  {Host: townHost, Origin: townOrigin + "/x", Tenant: town},
		"no host":         {Origin: "https://", Tenant: town},
		"host with space": {Host: "a b", Origin: "https://a b", Tenant: town},
	} {
		if err := offer(a); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v, want Invalid", name, err)
		}
	}
	must(t, offer(vault.PasskeyAsk{Host: "localhost", Origin: "http://localhost:8080", Tenant: town}))
	must(t, offer(vault.PasskeyAsk{Host: townHost, Origin: townOrigin, Realm: "*", New: true})) // registration
	for name, a := range map[string]vault.PasskeyAsk{
		"staff by themselves": {Tenant: town, New: true},
		"other tenant":        {Tenant: other, Token: w.bau.Token, New: true},
		"staff as account":    {Realm: vault.RealmAll, Token: w.bau.Token, New: true},
		"account as staff":    {Tenant: town, Token: citizen.Token, New: true},
		"other realm":         {Realm: town, Token: citizen.Token, New: true},
		"service":             {Tenant: town, Token: w.service(vault.ServiceConsole), New: true},
		"no such token":       {Tenant: town, Token: "x", New: true},
	} {
		a.Host, a.Origin = townHost, townOrigin
		if err := offer(a); fault.KindOf(err) != fault.Denied {
			t.Errorf("%s: %v, want Denied", name, err)
		}
	}
}

func TestAddPasskey_Rules(t *testing.T) {
	w := newWorld(t)
	ask := vault.PasskeyAsk{Tenant: town, Token: w.bau.Token, New: true}
	for name, l := range map[string]lie{
		"origin": {origin: "https://boese.example"}, "rp id": {rp: "boese.example"}, "challenge": {challenge: b64(make([]byte, 32))},
		"not verified": {flags: flagPresent}, "ceremony": {kind: "webauthn.get"},
	} {
		if err := w.AddPasskey(t.Context(), w.bau.Token, newDevice(t).create(w.ask(ask), townOrigin, l)); fault.KindOf(err) != fault.Denied {
			t.Errorf("%s: %v, want Denied", name, err)
		}
	}
	d := newDevice(t)
	wantErr(t, w.AddPasskey(t.Context(), w.ord.Token, d.create(w.ask(ask), townOrigin, lie{})), fault.Denied) // offer of a colleague
	wantErr(t, w.AddPasskey(t.Context(), w.bau.Token, d.get(w.ask(vault.PasskeyAsk{Tenant: town}), townOrigin, lie{})), fault.Denied)
	a := d.create(w.ask(ask), townOrigin, lie{})
	a.Name = strings.Repeat("ä", 61)
	err := w.AddPasskey(t.Context(), w.bau.Token, a)
	if f := fault.FieldsOf(err); len(f) != 1 || f[0].Name != "name" {
		t.Errorf("FieldsOf(%v) = %v, want name", err, f)
	}
	a.Name = strings.Repeat("ä", 60)
	must(t, w.AddPasskey(t.Context(), w.bau.Token, a))
	twin := vault.PasskeyAsk{Tenant: town, Token: w.ord.Token, New: true}
	wantErr(t, w.AddPasskey(t.Context(), w.ord.Token, d.create(w.ask(twin), townOrigin, lie{})), fault.Conflict) // one credential, two persons
	for range 9 {
		must(t, w.AddPasskey(t.Context(), w.bau.Token, newDevice(t).create(w.ask(ask), townOrigin, lie{})))
	}
	wantErr(t, w.AddPasskey(t.Context(), w.bau.Token, newDevice(t).create(w.ask(ask), townOrigin, lie{})), fault.Conflict)

	// After ten minutes a proof is due: for the offer, for adding and for removing.
	a = newDevice(t).create(w.ask(vault.PasskeyAsk{Tenant: town, Token: w.ord.Token, New: true}), townOrigin, lie{})
	w.clock.add(10 * time.Minute)
	_, err = w.PasskeyOffer(t.Context(), vault.PasskeyAsk{Host: townHost, Origin: townOrigin, Tenant: town, Token: w.bau.Token, New: true})
	for _, err := range []error{err, w.AddPasskey(t.Context(), w.ord.Token, a), w.RemovePasskey(t.Context(), w.bau.Token, "x")} {
		if !errors.Is(err, vault.ErrProve) {
			t.Errorf("%v, want ErrProve", err)
		}
	}
}

// TestPasskey_LastWayIn: an account that has nothing else keeps its passkey.
func TestPasskey_LastWayIn(t *testing.T) {
	w := newWorld(t)
	citizen := w.citizen(anna)
	w.citizenKey(citizen)
	w.exec(`update vault_accounts set password_sealed = $1`, []byte{})
	list := got(w.Passkeys(t.Context(), citizen.Token))(t)
	wantErr(t, w.RemovePasskey(t.Context(), citizen.Token, list[0].ID), fault.Conflict)
	w.citizenKey(citizen)
	must(t, w.RemovePasskey(t.Context(), citizen.Token, list[0].ID))
	if list = got(w.Passkeys(t.Context(), citizen.Token))(t); len(list) != 1 {
		t.Errorf("%d passkeys, want one", len(list))
	}
}

func TestPasskey_Leaver(t *testing.T) {
	w := newWorld(t)
	d, lost := w.staffKey(w.bau), w.staffKey(w.ord)
	must(t, w.DisableStaff(t.Context(), w.admin.Token, town, w.bau.Person))
	_, err := w.signInKey(d, vault.PasskeyAsk{Tenant: town}, lie{})
	wantErr(t, err, fault.Denied)
	got(w.RenewSecondFactor(t.Context(), w.admin.Token, town, w.ord.Person))(t) // a device was lost
	_, err = w.signInKey(lost, vault.PasskeyAsk{Tenant: town}, lie{})
	wantErr(t, err, fault.Denied)
	if rows := w.count(`select count(*) from vault_passkeys`); rows != 0 {
		t.Errorf("%d passkeys are left", rows)
	}
}

func TestPasskey_DeletedAccount(t *testing.T) {
	w := newWorld(t)
	citizen := w.citizen(anna)
	d := w.citizenKey(citizen)
	must(t, w.DeleteAccount(t.Context(), citizen.Token))
	_, err := w.signInKey(d, vault.PasskeyAsk{Realm: vault.RealmAll}, lie{})
	wantErr(t, err, fault.Denied)
}

// TestPasskey_Sealed: the file names neither the credential nor its key, its host or its name.
func TestPasskey_Sealed(t *testing.T) {
	w := newWorld(t)
	d := w.staffKey(w.bau)
	must(t, w.Housekeep(t.Context()))
	seen := false
	for _, name := range []string{"vault.db", "vault.db-wal"} {
		raw, err := os.ReadFile(filepath.Join(w.dir, name))
		if err != nil {
			continue
		}
		seen = seen || containsBytes(raw, []byte("staff:"+town+":"+w.bau.Person))
		for _, secret := range [][]byte{d.id, []byte(b64(d.id)), d.cose()[8:42], d.handle, []byte(townHost), []byte("Telefon")} {
			if containsBytes(raw, secret) {
				t.Errorf("%s holds %q", name, secret)
			}
		}
	}
	if !seen {
		t.Error("the row was not found: the scan looks at the wrong place")
	}
}

func TestPasskey_Slowdown(t *testing.T) {
	w := newWorld(t)
	d := w.staffKey(w.bau)
	slowed := 0
	for range 40 {
		a := d.get(w.ask(vault.PasskeyAsk{Tenant: town}), townOrigin, lie{spoil: true})
		a.Origin = "one network"
		if _, err := w.SignInPasskey(context.Background(), a); fault.KindOf(err) == fault.TooMany {
			slowed++
		}
	}
	if slowed != 20 {
		t.Errorf("%d of 40 false answers were slowed down, want 20", slowed)
	}
	got(w.signInKey(d, vault.PasskeyAsk{Tenant: town}, lie{}))(t) // the owner from elsewhere
}

func TestProve(t *testing.T) {
	w := newWorld(t)
	citizen := w.citizen(anna)
	d, c := w.staffKey(w.bau), w.citizenKey(citizen)
	stale := func(g vault.Grant) bool { return errors.Is(w.RemovePasskey(t.Context(), g.Token, "x"), vault.ErrProve) }
	w.clock.add(10 * time.Minute)
	if !stale(w.bau) || !stale(citizen) {
		t.Fatal("a proof of ten minutes ago still counts")
	}
	wantErr(t, w.ProvePassword(t.Context(), w.bau.Token, "wrong password", ""), fault.Denied)
	wantErr(t, w.ProvePassword(t.Context(), citizen.Token, "wrong password", ""), fault.Denied)
	wantErr(t, w.ProvePassword(t.Context(), "x", vaulttest.Password("bau"), ""), fault.Denied)
	wantErr(t, w.ProvePassword(t.Context(), w.service(vault.ServiceConsole), vaulttest.Password("bau"), ""), fault.Denied)
	if !stale(w.bau) || !stale(citizen) {
		t.Error("a wrong password made the grant fresh")
	}
	must(t, w.ProvePassword(t.Context(), w.bau.Token, vaulttest.Password("bau"), ""))
	must(t, w.ProvePassword(t.Context(), citizen.Token, vaulttest.Password(anna), ""))
	if stale(w.bau) || stale(citizen) {
		t.Error("the right password did not make the grant fresh")
	}
	w.clock.add(10 * time.Minute)
	proof := func(g vault.Grant) vault.PasskeyChallenge {
		return w.ask(vault.PasskeyAsk{Tenant: g.Tenant, Realm: g.Realm, Token: g.Token})
	}
	wantErr(t, w.ProvePasskey(t.Context(), w.bau.Token, d.get(w.ask(vault.PasskeyAsk{Tenant: town}), townOrigin, lie{})), fault.Denied) // offer for sign-in
	wantErr(t, w.ProvePasskey(t.Context(), w.ord.Token, d.get(proof(w.ord), townOrigin, lie{})), fault.Denied)                          // a colleague's passkey
	wantErr(t, w.ProvePasskey(t.Context(), w.ord.Token, d.get(proof(w.bau), townOrigin, lie{})), fault.Denied)                          // a colleague's offer
	wantErr(t, w.ProvePasskey(t.Context(), w.bau.Token, d.get(proof(w.bau), townOrigin, lie{spoil: true})), fault.Denied)
	if !stale(w.bau) {
		t.Error("a false answer made the grant fresh")
	}
	must(t, w.ProvePasskey(t.Context(), w.bau.Token, d.get(proof(w.bau), townOrigin, lie{})))
	must(t, w.ProvePasskey(t.Context(), citizen.Token, c.get(proof(citizen), townOrigin, lie{})))
	if stale(w.bau) || stale(citizen) {
		t.Error("the passkey did not make the grant fresh")
	}
	for range 3 {
		wantErr(t, w.ProvePassword(t.Context(), w.bau.Token, "wrong password", ""), fault.Denied)
	}
	wantErr(t, w.ProvePassword(t.Context(), w.bau.Token, vaulttest.Password("bau"), ""), fault.TooMany)
	got(w.Check(t.Context(), w.bau.Token))(t) // the session goes on
	got(w.SignIn(t.Context(), vault.Proof{Tenant: town, Login: "bau", Password: vaulttest.Password("bau")}))(t)
}
