package vault_test

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"poststelle/internal/fault"
	"poststelle/internal/vault"
	"poststelle/internal/vault/vaulttest"
)

// Who may call a method with a token: the staff of a tenant, the citizen of an account, both, or a named service alone. Methods
// without a token are "open" and stand here so that a new one is looked at.
var callers = map[string]string{
	"CreateTenants": "open", "Delegate": "open", "TakeIn": "open", "Drained": "open", "Overdue": "open", "SignIn": "open",
	"Collect": "open", "State": "open", "Reads": "open", "Members": "open", "PasskeyOffer": "open", "SignInPasskey": "open",
	"Register": "open", "ConfirmAccount": "open", "Recover": "open", "RecoverSet": "open", "RecoverCancel": "open", "SignInAccount": "open",
	"FinishSignIn": "pending",
	"Check":        "both", "EndGrant": "both", "AddPasskey": "both", "Passkeys": "both", "RemovePasskey": "both",
	"ProvePassword": "both", "ProvePasskey": "both", "Sessions": "both", "EndSession": "both", "EndOtherSessions": "both",
	"ContactKeys": "service", "StaffMail": "service", "RequestMail": "service", "RecoverFinish": "service", "ForgetAccount": "service",
	"AccountMail": "service", "GoneAccounts": "service", "ModuleKey": "service",

	"CardKeys": "staff", "Open": "staff", "Answer": "staff", "DropMessage": "staff", "Forward": "staff", "Shred": "staff",
	"AddStaff": "staff", "SetPassword": "staff", "RenewSecondFactor": "staff", "DisableStaff": "staff", "Join": "staff", "Leave": "staff",
	"EndStaffSessions": "staff", "Staff": "staff", "OpenLog": "staff", "SetRole": "staff", "Proposals": "staff", "Confirm": "staff", "Refuse": "staff",
	"Substitute": "staff", "EndSubstitution": "staff", "Substitutions": "staff", "AuditRows": "staff", "Begin": "staff",
	"AskEvidence": "staff", "EvidenceRequests": "staff", "GrantEvidence": "staff", "RefuseEvidence": "staff", "EvidenceAsked": "service",

	"CancelRecovery": "account", "ChangeMail": "account", "ConfirmMail": "account 4", "Account": "account", "SetAccountPassword": "account",
	"OfferSecondFactor": "account", "TakeSecondFactor": "account", "DropSecondFactor": "account", "SetLang": "account",
	"DeleteAccount": "account", "AccountCards": "account", "AccountOpen": "account", "Adopt": "account", "LetGo": "account",
	"DraftKey": "account", "DropDrafts": "account",
}

// call calls a method with a token in its place (parameter 1 unless told otherwise) and plausible values elsewhere, and returns its error.
func call(ctx context.Context, s vault.Service, name, token string, place int) error {
	m := reflect.ValueOf(s).MethodByName(name)
	in := []reflect.Value{reflect.ValueOf(ctx)}
	for i := 1; i < m.Type().NumIn(); i++ {
		v := reflect.New(m.Type().In(i)).Elem()
		switch {
		case i == place && v.Kind() == reflect.String:
			v.SetString(token)
		case v.Kind() == reflect.String:
			v.SetString(town)
		case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.String:
			v.Set(reflect.ValueOf([]string{"x"}))
		case v.Kind() == reflect.Slice:
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		case v.Type() == reflect.TypeFor[vault.StaffSpec]():
			v.Set(reflect.ValueOf(vault.StaffSpec{Tenant: town, Login: "neu", Password: secret, Role: vault.RoleClerk}))
		}
		in = append(in, v)
	}
	out := m.Call(in)
	err, _ := out[len(out)-1].Interface().(error)
	return err
}

// TestCallers: every method refuses the tokens of everybody it is not for. A method without a row fails.
func TestCallers(t *testing.T) {
	w := newWorld(t)
	g := w.citizen(anna)
	half := w.citizen("otto@post.example")
	w.enrolCitizen(half)
	pending := got(w.signInCitizen("otto@post.example", vaulttest.Password("otto@post.example")))(t)
	g = got(w.signInCitizen(anna, vaulttest.Password(anna)))(t)
	staff := w.signIn(town, "chefin")
	notifier := w.service(vault.ServiceNotifier)
	refused := func(name, who, token string, place int) {
		t.Helper()
		err := call(t.Context(), w.Vault, name, token, place)
		if k := fault.KindOf(err); err == nil || k != fault.Denied && k != fault.NotFound {
			t.Errorf("%s with the token of %s = %v, want Denied or NotFound", name, who, err)
		}
	}
	service := reflect.TypeFor[vault.Service]()
	for i := range service.NumMethod() {
		name := service.Method(i).Name
		kind, place := callers[name], 1
		if k, ok := strings.CutSuffix(kind, " 4"); ok {
			kind, place = k, service.Method(i).Type.NumIn()-1
		}
		if kind == "" {
			t.Errorf("%s: nobody has said who may call it", name)
			continue
		}
		if kind == "open" || name == "EndGrant" {
			continue
		}
		for _, token := range []string{"", "unknown"} {
			refused(name, "nobody", token, place)
		}
		if kind != "pending" {
			refused(name, "a sign-in that waits for its code", pending.Token, place)
		}
		if kind != "account" && kind != "both" {
			refused(name, "a citizen", g.Token, place)
		}
		if kind != "staff" && kind != "both" {
			refused(name, "staff", staff.Token, place)
		}
		if kind == "staff" || kind == "account" || kind == "pending" {
			refused(name, "the notifier", notifier, place)
		}
	}
	for name := range callers {
		if _, ok := service.MethodByName(name); !ok {
			t.Errorf("%s has a row and does not exist", name)
		}
	}
	got(w.Account(t.Context(), g.Token))(t)
	got(w.Check(t.Context(), staff.Token))(t)
}

// TestSwitch_Everything: the switch of vaulttest forwards every method, and a closed vault refuses it.
func TestSwitch_Everything(t *testing.T) {
	w := newWorld(t)
	s := vaulttest.NewSwitch(w.Vault)
	s.Off()
	must(t, w.Close())
	service := reflect.TypeFor[vault.Service]()
	for i := range service.NumMethod() {
		name := service.Method(i).Name
		if err := call(t.Context(), s, name, "x", 1); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("%s while off = %v, want Unavailable", name, err)
		}
		if err := call(t.Context(), w.Vault, name, "x", 1); err == nil {
			t.Errorf("%s of a closed vault = nil", name)
		}
	}
}

// TestMarkerScan_Accounts: nothing secret and nothing personal about citizens stands in the store in the clear.
func TestMarkerScan_Accounts(t *testing.T) {
	w := newWorld(t)
	const mail, pending, moved, late = "marker-anna@post.example", "marker-offen@post.example", "marker-neu@post.example", "marker-spaet@post.example"
	const password, next = "Marker im Regen 7", "Marker am Zaun 9"
	register := func(mail string) string {
		return got(w.Register(t.Context(), vault.Registration{Realm: vault.RealmAll, Tenant: town, Mail: mail, Password: password, Lang: "de"}))(t)
	}
	request := register(mail)
	link := w.mail(request, "new").Token
	g := got(w.confirm(vault.RealmAll, link, vault.Confirmation{Request: request, Label: "Marker-Browser"}))(t)
	waiting := register(pending)
	waitingLink := w.mail(waiting, "new").Token
	l, coded := w.accountLetter(g), w.stored(town, "bauamt")
	got(w.Adopt(t.Context(), g.Token, town, coded.code))(t)
	draft := got(w.DraftKey(t.Context(), g.Token, "draft"))(t)
	e := got(w.OfferSecondFactor(t.Context(), g.Token))(t)
	seed := got(base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(e.TOTPSecret))(t)
	must(t, w.TakeSecondFactor(t.Context(), g.Token, vault.TOTPAt(seed, w.clock.now().Unix()/30)))
	change := got(w.ChangeMail(t.Context(), g.Token, town, moved, "de"))(t)
	changeLink := w.mail(change, "new").Token
	got(w.ConfirmMail(t.Context(), vault.RealmAll, changeLink, g.Token))(t) // both addresses are kept for the notices
	got(w.ChangeMail(t.Context(), g.Token, town, late, "de"))(t)
	_, wait := w.recovering(moved, next)
	cancel := w.mail(wait, "old").Token
	got(w.AccountOpen(t.Context(), g.Token, town, l.box.Thread, []string{l.box.Message}))(t)
	must(t, w.LetGo(t.Context(), g.Token, town, "not-arrived-"+rand.Text()))

	mac := func(link string) []byte { return []byte(link[strings.Index(link, ".")+1:]) }
	root, err := os.ReadFile(filepath.Join(w.dir, "root.key"))
	must(t, err)
	markers := map[string][]byte{
		"address": []byte(mail), "old local part": []byte("marker-anna"), "pending address": []byte("marker-offen"), "new address": []byte("marker-neu"),
		"wished address": []byte("marker-spaet"), "password": []byte("Marker im"), "next password": []byte("Marker am"), "PHC": []byte("argon2id"),
		"label": []byte("Marker-Browser"), "seed": seed, "secret": []byte(e.TOTPSecret), "draft": draft[:], "K": l.k[:], "T": l.T[:],
		"adopted T": coded.T[:], "token": []byte(g.Token), "link": mac(link), "waiting link": mac(waitingLink), "change link": mac(changeLink),
		"cancel link": mac(cancel), "root key": root,
	}
	raw := w.files()
	for _, there := range []string{g.Person, waiting, wait, l.box.Thread} {
		if !containsBytes(raw, []byte(there)) {
			t.Fatalf("the scan reads the wrong files: %d bytes without %s", len(raw), there)
		}
	}
	for name, marker := range markers {
		if containsBytes(raw, marker) {
			t.Errorf("%s stands in the store in the clear", name)
		}
	}
	if !containsBytes(append(raw, seed...), seed) {
		t.Error("the scan finds nothing at all")
	}
}

// TestAudit_NoCitizen: the audit says that a citizen did something and never which one.
func TestAudit_NoCitizen(t *testing.T) {
	w := newWorld(t)
	g := w.citizen(anna)
	l := w.accountLetter(g)
	got(w.AccountOpen(t.Context(), g.Token, town, l.box.Thread, []string{l.box.Message}))(t)
	must(t, w.LetGo(t.Context(), g.Token, town, l.box.Thread))
	got(w.AccountMail(t.Context(), w.service(vault.ServiceNotifier), []string{g.Person}))(t)
	must(t, w.SetAccountPassword(t.Context(), g.Token, town, fresh))
	must(t, w.DeleteAccount(t.Context(), g.Token))
	for action, want := range map[string]int{
		"account.new": 1, "account.open": 1, "account.letgo": 1, "account.change": 1, "account.delete": 1, "account.mail": 2,
	} {
		if n := w.count(`select count(*) from vault_audit where action = $1`, action); n != want {
			t.Errorf("%d rows of %s, want %d", n, action, want)
		}
	}
	if n := w.count(`select count(*) from vault_audit where $1 in (person, thread, object, purpose)`, g.Person); n != 0 {
		t.Errorf("%d rows name the account", n)
	}
	if n := w.count(`select count(*) from vault_audit where action like 'account.%' and person not in ('account', 'service:notifier')`); n != 0 {
		t.Errorf("%d rows name somebody", n)
	}
	for _, r := range got(w.Reads(t.Context(), town, l.box.Thread))(t) {
		t.Errorf("the citizen's own reading is listed among those of others: %+v", r)
	}
	must(t, w.VerifyAudit(t.Context()))
}

// TestSwappedRows: what somebody with the file moves from one account to another opens nowhere.
func TestSwappedRows(t *testing.T) {
	w := newWorld(t)
	g, eve := w.citizen(anna), w.citizen("eve@post.example")
	l := w.accountLetter(g)
	own := w.accountLetter(eve)
	opens := func(what string) {
		t.Helper()
		keys, err := w.AccountOpen(t.Context(), eve.Token, town, l.box.Thread, []string{l.box.Message})
		if err == nil && len(keys) > 0 {
			t.Errorf("%s: the thread of another account opens", what)
		}
	}
	w.exec(`insert into vault_account_threads (account, tenant, thread, key_wrapped, created_at)
		select $1, tenant, thread, key_wrapped, created_at from vault_account_threads where account = $2`, eve.Person, g.Person)
	opens("row copied")
	w.exec(`update vault_account_threads set key_wrapped = (select key_wrapped from vault_account_threads where account = $1 and thread = $2)
		where account = $1 and thread = $3`, eve.Person, own.box.Thread, l.box.Thread)
	opens("own wrap put in")
	w.exec(`update vault_accounts set key_wrapped = (select key_wrapped from vault_accounts where id = $2) where id = $1`, eve.Person, g.Person)
	opens("key of the account exchanged")

	w.exec(`update vault_accounts set password_sealed = (select password_sealed from vault_accounts where id = $2) where id = $1`, g.Person, eve.Person)
	if _, err := w.signInCitizen(anna, vaulttest.Password("eve@post.example")); err == nil {
		t.Error("a verifier of another account signs in")
	}
}

func TestHousekeep_Requests(t *testing.T) {
	w := newWorld(t)
	w.citizen(anna)
	w.register("bert@post.example")
	w.recover(anna)
	_, wait := w.recovering(anna, fresh)
	w.clock.add(24 * time.Hour)
	must(t, w.Housekeep(t.Context()))
	if n := w.count(`select count(*) from vault_requests`); n != 1 {
		t.Errorf("%d requests after a day, want the waiting recovery", n)
	}
	w.clock.add(48 * time.Hour)
	w.wantFinished(wait, true)
	if n := w.count(`select length(secret_sealed) from vault_requests`); n != 0 {
		t.Errorf("the password of a finished recovery stays, %d bytes", n)
	}
}

// TestRestore_OlderVault: an older copy of the store brings a deleted account back, which docs/format.md says; ForgetAccount for what
// has been deleted since ends that, and the boxes of the queue bring nothing back.
func TestRestore_OlderVault(t *testing.T) {
	w := newWorld(t)
	g := w.citizen(anna)
	l := w.accountLetter(g)
	must(t, w.Close())
	old := map[string][]byte{}
	for _, name := range []string{"vault.db", "root.key"} {
		raw, err := os.ReadFile(filepath.Join(w.dir, name))
		must(t, err)
		old[name] = raw
	}
	w.Vault = vaulttest.Open(t, vault.Config{Dir: w.dir, Now: w.clock.now})
	retention := w.service(vault.ServiceRetention)
	must(t, w.ForgetAccount(t.Context(), retention, g.Person))
	later := w.letterFor(g.Person, town, "bauamt")
	must(t, w.Close())

	w.dir = t.TempDir()
	for name, raw := range old {
		must(t, os.WriteFile(filepath.Join(w.dir, name), raw, 0o600))
	}
	w.Vault = vaulttest.Open(t, vault.Config{Dir: w.dir, Now: w.clock.now})
	if w.wraps(g.Person) != 1 {
		t.Fatal("the copy is not the older one")
	}
	must(t, w.ForgetAccount(t.Context(), w.service(vault.ServiceRetention), g.Person))
	wantTaken(t, w.take(l.box, later.box), vault.Known, vault.Stored)
	if w.wraps(g.Person) != 0 {
		t.Error("a wrap for the deleted account came back")
	}
	_, err := w.signInCitizen(anna, vaulttest.Password(anna))
	wantErr(t, err, fault.Denied)
}
