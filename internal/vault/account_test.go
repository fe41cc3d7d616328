package vault_test

import (
	"strings"
	"testing"
	"time"

	"poststelle/internal/fault"
	"poststelle/internal/seal"
	"poststelle/internal/vault"
	"poststelle/internal/vault/vaulttest"
)

const (
	anna   = "anna.klein@post.example"
	secret = "Kastanie im Regen 7"
)

func (w *world) register(mail string) (request string) {
	w.t.Helper()
	return got(w.Register(w.t.Context(), vault.Registration{Realm: vault.RealmAll, Tenant: town, Mail: mail, Password: secret, Lang: "de"}))(w.t)
}

func (w *world) mail(request, to string) vault.Outgoing {
	w.t.Helper()
	return got(w.RequestMail(w.t.Context(), w.service(vault.ServiceNotifier), request, to))(w.t)
}

// wantMail is the mail that a request is due.
func (w *world) wantMail(request, to, kind, address string) vault.Outgoing {
	w.t.Helper()
	out := w.mail(request, to)
	if out.Kind != kind || out.To != address {
		w.t.Fatalf("RequestMail() = %q to %q, want %q to %q", out.Kind, out.To, kind, address)
	}
	return out
}

func (w *world) confirm(realm, link string, by vault.Confirmation) (vault.Grant, error) {
	return w.ConfirmAccount(w.t.Context(), realm, link, by)
}

func (w *world) citizen(mail string) vault.Grant {
	w.t.Helper()
	return vaulttest.Citizen(w.t, w.Vault, vault.RealmAll, town, mail)
}

func (w *world) signInCitizen(mail, password string) (vault.Grant, error) {
	w.clock.add(2 * time.Minute) // past every slow-down
	return w.SignInAccount(w.t.Context(), vault.AccountProof{Realm: vault.RealmAll, Mail: mail, Password: password})
}

func TestRegister(t *testing.T) {
	w := newWorld(t)
	request := w.register(" Anna.Klein@Post.example ")
	out := w.wantMail(request, "new", vault.MailRegister, "Anna.Klein@Post.example")
	if out.Tenant != town || out.Lang != "de" || out.Token == "" {
		t.Errorf("RequestMail() = %+v", out)
	}
	if again := w.mail(request, "new"); again.Token != out.Token {
		t.Error("sending the mail again gives another link")
	}
	g := got(w.confirm(vault.RealmAll, out.Token, vault.Confirmation{Password: secret, Label: "Firefox"}))(t)
	if g.Realm != vault.RealmAll || g.Tenant != "" || g.Role != "" || len(g.Person) != 26 || g.NeedsCode || g.Fresh.IsZero() {
		t.Errorf("ConfirmAccount() = %+v", g)
	}
	info := got(w.Account(t.Context(), g.Token))(t)
	if info.ID != g.Person || info.Mail != "Anna.Klein@Post.example" || info.Lang != "de" || !info.Password || info.SecondFactor {
		t.Errorf("Account() = %+v", info)
	}
	if g := got(w.signInCitizen(anna, secret))(t); g.Person != info.ID {
		t.Error("the address in other letters finds another account")
	}
	if w.mail(request, "new").To != "" {
		t.Error("a used request still has a mail")
	}
	if n := w.count(`select count(*) from vault_requests`); n != 0 {
		t.Errorf("%d requests stay after the confirmation", n)
	}
	must(t, w.VerifyAudit(t.Context()))
}

func TestRegister_Fields(t *testing.T) {
	w := newWorld(t)
	try := func(mail, password string) error {
		_, err := w.Register(t.Context(), vault.Registration{Realm: vault.RealmAll, Tenant: town, Mail: mail, Password: password, Lang: "de"})
		return err
	}
	for _, bad := range []string{"", "anna", "@b.example", "a@", "a@b@c", "a b@c.example", "a@b.example\nbcc: x@y", "a@b.example,c@d.example", strings.Repeat("x", 250) + "@b.example"} {
		err := try(bad, secret)
		if f := fault.FieldsOf(err); len(f) != 1 || f[0].Name != "email" {
			t.Errorf("%q: Register() = %v, want the field email", bad, err)
		}
	}
	for _, bad := range []string{"", "kurz"} {
		err := try(anna, bad)
		if f := fault.FieldsOf(err); len(f) != 1 || f[0].Name != "password" {
			t.Errorf("password %q: Register() = %v", bad, err)
		}
	}
	if f := fault.FieldsOf(try("", "")); len(f) != 2 {
		t.Errorf("fields = %v, want both", f)
	}
	for name, r := range map[string]vault.Registration{
		"foreign realm":  {Realm: other, Tenant: town, Mail: anna, Password: secret, Lang: "de"},
		"no realm":       {Tenant: town, Mail: anna, Password: secret, Lang: "de"},
		"no language":    {Realm: vault.RealmAll, Tenant: town, Mail: anna, Password: secret},
		"unknown tenant": {Realm: vault.RealmAll, Tenant: "nirgendwo", Mail: anna, Password: secret, Lang: "de"},
	} {
		if _, err := w.Register(t.Context(), r); err == nil {
			t.Errorf("%s: Register() succeeded", name)
		}
	}
}

// TestConfirm_WhoTyped: somebody registers with an address that is not theirs. Its owner gets the mail and does not make the account.
func TestConfirm_WhoTyped(t *testing.T) {
	w := newWorld(t)
	evil, mine := w.register(anna), w.register(anna) // neither blocks the other
	evilLink, myLink := w.mail(evil, "new").Token, w.mail(mine, "new").Token
	for name, by := range map[string]vault.Confirmation{
		"nothing":         {},
		"another request": {Request: mine},
		"wrong password":  {Password: "Ahorn im Schnee 8"},
		"the link's mac":  {Request: evilLink},
	} {
		_, err := w.confirm(vault.RealmAll, evilLink, by)
		if f := fault.FieldsOf(err); len(f) != 1 || f[0].Name != "password" {
			t.Errorf("%s: ConfirmAccount() = %v, want the field password", name, err)
		}
	}
	got(w.confirm(vault.RealmAll, myLink, vault.Confirmation{Request: mine}))(t)
	// The other one comes too late, even with its own password.
	w.clock.add(time.Minute)
	_, err := w.confirm(vault.RealmAll, evilLink, vault.Confirmation{Password: secret})
	wantErr(t, err, fault.Conflict)
}

func TestConfirm_Guessing(t *testing.T) {
	w := newWorld(t)
	request := w.register(anna)
	link := w.mail(request, "new").Token
	slowed := 0
	for range 20 {
		if _, err := w.confirm(vault.RealmAll, link, vault.Confirmation{Password: "geraten"}); fault.KindOf(err) == fault.TooMany {
			slowed++
		}
	}
	if slowed != 17 {
		t.Errorf("%d of 20 guesses were slowed down, want 17", slowed)
	}
	got(w.confirm(vault.RealmAll, link, vault.Confirmation{Request: request}))(t) // the right browser does not wait
}

// TestLinks: used, expired, swapped and foreign links are refused alike.
func TestLinks(t *testing.T) {
	w := newWorld(t)
	request := w.register(anna)
	link := w.mail(request, "new").Token
	by := vault.Confirmation{Request: request, Password: secret}
	changed := []byte(link)
	changed[len(changed)-1] ^= 1
	otherID := w.register("bert@post.example")
	for name, l := range map[string]string{
		"empty": "", "no mac": request, "dot": request + ".", "changed": string(changed), "longer": link + "A", "very long": link + strings.Repeat("A", 1<<16),
		"mac of another": otherID + link[strings.Index(link, "."):],
	} {
		if _, err := w.confirm(vault.RealmAll, l, by); fault.KindOf(err) != fault.Denied {
			t.Errorf("%s: ConfirmAccount() = %v, want Denied", name, err)
		}
		_, _, err := w.RecoverSet(t.Context(), vault.RealmAll, l, secret)
		wantErr(t, err, fault.Denied)
		wantErr(t, w.RecoverCancel(t.Context(), vault.RealmAll, l), fault.Denied)
	}
	_, err := w.confirm(town, link, by)
	wantErr(t, err, fault.Denied) // foreign realm
	_, _, err = w.RecoverSet(t.Context(), vault.RealmAll, link, secret)
	wantErr(t, err, fault.Denied) // another purpose
	wantErr(t, w.RecoverCancel(t.Context(), vault.RealmAll, link), fault.Denied)

	w.clock.add(24*time.Hour - time.Second)
	g := got(w.confirm(vault.RealmAll, link, by))(t)
	_, err = w.ConfirmMail(t.Context(), vault.RealmAll, link, g.Token)
	wantErr(t, err, fault.Denied)
	_, err = w.confirm(vault.RealmAll, link, by)
	wantErr(t, err, fault.Denied) // used

	late := w.register("clara@post.example")
	lateLink := w.mail(late, "new").Token
	w.clock.add(24 * time.Hour)
	_, err = w.confirm(vault.RealmAll, lateLink, vault.Confirmation{Request: late})
	wantErr(t, err, fault.Denied) // expired
	if w.mail(late, "new").To != "" {
		t.Error("an expired request still has a mail")
	}
	must(t, w.Housekeep(t.Context()))
	if n := w.count(`select count(*) from vault_requests`); n != 0 {
		t.Errorf("%d requests stay", n)
	}
}

func TestRegister_KnownAddress(t *testing.T) {
	w := newWorld(t)
	w.citizen(anna)
	request := w.register(anna)
	if out := w.wantMail(request, "new", vault.MailKnown, anna); out.Token != "" {
		t.Error("the mail to a known address has a link")
	}
	if again := w.wantMail(request, "new", vault.MailKnown, anna); again.Token != "" {
		t.Error("the mail to a known address has a link")
	}
	// The same address in a register of its own is somebody else.
	vaulttest.Citizen(t, w.Vault, town, town, anna)
	if n := w.count(`select count(*) from vault_accounts`); n != 2 {
		t.Errorf("%d accounts, want 2", n)
	}
}

// TestMailsADay_Origins: strangers who register with an address do not keep its owner from it; all of them together cause ten mails a day.
func TestMailsADay_Origins(t *testing.T) {
	w := newWorld(t)
	mails := func(origin string, times int) (n int) {
		for range times {
			r := got(w.Register(t.Context(), vault.Registration{Realm: vault.RealmAll, Tenant: town, Mail: anna, Password: secret, Lang: "de", Origin: origin}))(t)
			if w.mail(r, "new").To != "" {
				n++
			}
		}
		return n
	}
	if n := mails("stranger", 5); n != 3 {
		t.Errorf("a stranger causes %d mails, want 3", n)
	}
	if n := mails("home", 1); n != 1 {
		t.Error("the owner's own registration gets no mail after a stranger's")
	}
	total := 4
	for _, origin := range []string{"a", "b", "c", "d"} {
		total += mails(origin, 3)
	}
	if total != 10 {
		t.Errorf("%d mails a day to one address, want 10", total)
	}
	w.clock.add(24 * time.Hour)
	if mails("stranger", 1) != 1 {
		t.Error("no mail on the next day")
	}
}

// TestMailsADay: an address gets three mails of a kind a day by one network, and nobody is told.
func TestMailsADay(t *testing.T) {
	w := newWorld(t)
	w.citizen(anna)
	mails := 0
	for n := range 12 {
		request := ""
		if n%2 == 0 {
			request = w.register(anna)
		} else {
			request = got(w.Recover(t.Context(), vault.Recovery{Realm: vault.RealmAll, Tenant: town, Mail: anna, Lang: "de"}))(t)
		}
		if w.mail(request, "new").To != "" {
			mails++
		}
	}
	if mails != 5 { // the registration that made the account counts
		t.Errorf("%d mails in a day, want 3 and 3 with the first", mails)
	}
	// Somebody with an account who asks to move there learns nothing from it either, and writes no more often.
	bert := w.citizen("bert@post.example")
	for range 3 {
		w.wantMail(got(w.ChangeMail(t.Context(), bert.Token, town, anna, "de"))(t), "new", vault.MailKnown, anna)
	}
	wish := got(w.ChangeMail(t.Context(), bert.Token, town, anna, "de"))(t)
	if info := got(w.Account(t.Context(), bert.Token))(t); info.PendingMail != anna || w.mail(wish, "new").To != "" {
		t.Errorf("PendingMail = %q, mail to %q", info.PendingMail, w.mail(wish, "new").To)
	}
	w.clock.add(24 * time.Hour)
	w.wantMail(w.register(anna), "new", vault.MailKnown, anna)
	if w.mail(w.register("clara@post.example"), "new").To == "" {
		t.Error("another address gets no mail")
	}
}

func TestRegister_Flood(t *testing.T) {
	w := newWorld(t)
	slowed := 0
	for range 40 {
		_, err := w.Recover(t.Context(), vault.Recovery{Realm: vault.RealmAll, Tenant: town, Mail: seal.NewToken().Code().String() + "@post.example", Lang: "de", Origin: "a"})
		if fault.KindOf(err) == fault.TooMany {
			slowed++
		}
	}
	if slowed != 20 {
		t.Errorf("%d of 40 requests of one network were slowed down, want 20", slowed)
	}
	_, err := w.Register(t.Context(), vault.Registration{Realm: vault.RealmAll, Tenant: town, Mail: anna, Password: secret, Lang: "de", Origin: "b"})
	must(t, err)
}

// TestEqualWork: what a stranger can call costs the same for an address with and without an account: hashes, reads, writes, rows.
func TestEqualWork(t *testing.T) {
	w := newWorld(t)
	w.citizen(anna)
	locked := w.citizen("otto@post.example") // with a second factor
	w.enrolCitizen(locked)
	calls := map[string]func(mail string) error{
		"SignInAccount": func(mail string) error {
			_, err := w.signInCitizen(mail, "falsches Kennwort")
			return err
		},
		"Register": func(mail string) error {
			_, err := w.Register(t.Context(), vault.Registration{Realm: vault.RealmAll, Tenant: town, Mail: mail, Password: secret, Lang: "de"})
			return err
		},
		"Recover": func(mail string) error {
			_, err := w.Recover(t.Context(), vault.Recovery{Realm: vault.RealmAll, Tenant: town, Mail: mail, Lang: "de"})
			return err
		},
	}
	for name, call := range calls {
		cost := func(mail string) [4]int64 {
			h, r, wr := w.Spent()
			rows := w.count(`select count(*) from vault_requests`)
			err := call(mail)
			h2, r2, wr2 := w.Spent()
			if name == "SignInAccount" && fault.KindOf(err) != fault.Denied {
				t.Errorf("%s(%s) = %v, want Denied", name, mail, err)
			} else if name != "SignInAccount" {
				must(t, err)
			}
			return [4]int64{h2 - h, r2 - r, wr2 - wr, int64(w.count(`select count(*) from vault_requests`) - rows)}
		}
		unknown := cost("niemand@post.example")
		for _, known := range []string{anna, "otto@post.example"} {
			if got := cost(known); got != unknown {
				t.Errorf("%s: hashes, reads, writes, rows = %v for %s and %v for an unknown address", name, got, known, unknown)
			}
		}
		if name != "Recover" && unknown[0] != 1 {
			t.Errorf("%s: %d argon2 for an unknown address, want 1", name, unknown[0])
		}
	}
}
