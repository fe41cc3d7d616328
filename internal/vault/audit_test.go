package vault_test

import (
	"encoding/base32"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"poststelle/internal/fault"
	"poststelle/internal/personal"
	"poststelle/internal/seal"
	"poststelle/internal/vault"
	"poststelle/internal/vault/vaulttest"
)

func TestAudit_DetectsEdits(t *testing.T) {
	for name, q := range map[string]string{
		"changed person":   `update vault_audit set person = 'somebody' where seq = 5`,
		"changed count":    `update vault_audit set items = 0 where seq = 5`,
		"changed time":     `update vault_audit set at = at + 1 where seq = 5`,
		"changed reason":   `update vault_audit set reason_sealed = x'00' where seq = 5`,
		"removed":          `delete from vault_audit where seq = 5`,
		"removed first":    `delete from vault_audit where seq = 1`,
		"removed last":     `delete from vault_audit where seq = (select max(seq) from vault_audit)`,
		"removed all":      `delete from vault_audit`,
		"put in":           `insert into vault_audit select seq + 1, at, tenant, person, action, thread, object, items, purpose, reason_sealed, hash from vault_audit where seq = (select max(seq) from vault_audit)`,
		"head moved":       `update vault_meta set value = x'00' where name = 'audit_head'`,
		"head removed":     `delete from vault_meta where name = 'audit_head'`,
		"base put in":      `insert into vault_meta (name, value) select 'audit_base', value from vault_meta where name = 'audit_head'`,
		"swapped contents": `update vault_audit set person = (select person from vault_audit where seq = 4) where seq = 6`,
	} {
		w := newWorld(t)
		got(w.open(w.bau, w.stored(town, "bauamt")))(t)
		must(t, w.VerifyAudit(t.Context()))
		w.exec(q)
		if err := w.VerifyAudit(t.Context()); !errors.Is(err, vault.ErrAudit) {
			t.Errorf("%s: VerifyAudit() = %v, want ErrAudit", name, err)
		}
	}
}

func TestAudit_Prune(t *testing.T) {
	w := newWorldWith(t, vault.Config{AuditDays: 30})
	got(w.open(w.bau, w.stored(town, "bauamt")))(t)
	w.clock.add(20 * day)
	w.deleg = got(w.Delegate(t.Context(), nil))(t)
	w.bau = w.signIn(town, "bau")
	before := w.count(`select count(*) from vault_audit`)
	w.clock.add(11 * day)
	must(t, w.Housekeep(t.Context()))
	if n := w.count(`select count(*) from vault_audit`); n == 0 || n >= before {
		t.Errorf("%d of %d rows after pruning", n, before)
	}
	must(t, w.VerifyAudit(t.Context()))
	w.clock.add(100 * day)
	must(t, w.Housekeep(t.Context()))
	if n := w.count(`select count(*) from vault_audit`); n != 0 {
		t.Errorf("%d rows stay", n)
	}
	must(t, w.VerifyAudit(t.Context()))
	w.signIn(town, "bau")
	must(t, w.VerifyAudit(t.Context()))
}

func TestOpenLog(t *testing.T) {
	w := newWorld(t)
	op := vaulttest.Clerk(t, w.Vault, host, "betrieb", vault.RoleOperator)
	key := got(w.deleg.LogKey(w.clock.now()))(t)
	segment := seal.NewKey()
	public := got(seal.ParsePublic(key.Public))(t)
	box := got(public.SealBox(segment[:], []byte("segment 1")))(t)
	open := func(token, ground, reason, ad string) ([]seal.Key, error) {
		return w.OpenLog(t.Context(), token, key.Day, [][]byte{box}, [][]byte{[]byte(ad)}, ground, reason)
	}
	const marker = "Aktenzeichen 4711 wegen Angriff"
	for _, token := range []string{w.bau.Token, w.admin.Token, w.service(vault.ServiceMailer), ""} {
		_, err := open(token, vault.GroundOperation, marker, "segment 1")
		wantErr(t, err, fault.Denied)
	}
	for _, bad := range [][2]string{{"neugier", marker}, {"", marker}, {vault.GroundOperation, " "}} {
		_, err := open(op.Token, bad[0], bad[1], "segment 1")
		wantErr(t, err, fault.Invalid)
	}
	before := w.count(`select count(*) from vault_audit where action = 'log.open'`)
	_, err := open(op.Token, vault.GroundOperation, marker, "segment 2")
	wantErr(t, err, fault.Invalid)
	keys := got(open(op.Token, vault.GroundProsecution, marker, "segment 1"))(t)
	if len(keys) != 1 || !keys[0].Equal(segment) {
		t.Error("OpenLog() gives another key")
	}
	if n := w.count(`select count(*) from vault_audit where action = 'log.open'`); before != 0 || n != 2 {
		t.Errorf("%d attempts on record, want 2", n)
	}
	must(t, w.VerifyAudit(t.Context()))
	// A log key opens no letters, and an intake key no segments.
	wrong := w.first(town, "bauamt").box
	_, err = w.OpenLog(t.Context(), op.Token, wrong.Day, [][]byte{wrong.Sealed}, [][]byte{nil}, vault.GroundTest, "probe")
	wantErr(t, err, fault.Invalid)

	w.clock.add(30 * day)
	must(t, w.Housekeep(t.Context()))
	console := w.service(vault.ServiceConsole)
	got(open(console, vault.GroundTest, "probe", "segment 1"))(t)
	w.clock.add(day)
	must(t, w.Housekeep(t.Context()))
	_, err = open(console, vault.GroundTest, "probe", "segment 1")
	wantErr(t, err, fault.NotFound)
	if raw := w.files(); strings.Contains(string(raw), marker) {
		t.Error("the reason stands in the file in the clear")
	}
}

// files are the bytes of the store as a thief finds them, without the root key.
func (w *world) files() []byte {
	w.t.Helper()
	var all []byte
	names, err := filepath.Glob(filepath.Join(w.dir, "vault.*"))
	must(w.t, err)
	for _, name := range names {
		raw, err := os.ReadFile(name)
		must(w.t, err)
		all = append(all, raw...)
	}
	return all
}

func TestMarkerScan(t *testing.T) {
	w := newWorld(t)
	const login, password, mail = "marker-login-frau-beispiel", "marker-password-9182", "marker.mail@amt.example"
	e := got(w.AddStaff(t.Context(), w.admin.Token, vault.StaffSpec{Tenant: town, Login: login, Password: password, Role: vault.RoleClerk, Mail: mail, SecondFactor: true}))(t)
	seed := got(base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(e.TOTPSecret))(t)
	l := w.stored(town, "bauamt")
	k := got(w.Answer(t.Context(), w.bau.Token, town, l.box.Thread, "answer", true))(t)
	signer := got(w.deleg.Signer(town, w.clock.now()))(t)
	root, err := os.ReadFile(filepath.Join(w.dir, "root.key"))
	must(t, err)
	markers := map[string][]byte{
		"login": []byte(login), "password": []byte(password), "mail": []byte(mail), "seed": seed, "secret": []byte(e.TOTPSecret),
		"PHC": []byte("argon2id"), "K": l.k[:], "T": l.T[:], "K of answer": k[:], "code": []byte(l.code), "lookup id": l.code.LookupID(),
		"card key": bytesOf(l.k.Derive("card")), "wrap key": bytesOf(l.code.WrapKey()), "day signer": signer.Key.Seed(),
		"token": []byte(w.bau.Token), "root key": root,
	}
	raw := w.files()
	if len(raw) < 100_000 || !containsBytes(raw, []byte(l.box.Message)) {
		t.Fatalf("the scan reads the wrong files: %d bytes", len(raw))
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

func bytesOf(k seal.Key) []byte { return k[:] }

// The store without root.key: no vault opens on it, also not with a fresh root key beside it.
func TestStoreWithoutRoot_OpensNothing(t *testing.T) {
	w := newWorld(t)
	w.stored(town, "bauamt")
	must(t, w.Close())
	stolen := t.TempDir()
	raw, err := os.ReadFile(filepath.Join(w.dir, "vault.db"))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(stolen, "vault.db"), raw, 0o600))
	open := func() error {
		v, err := vault.Open(t.Context(), vault.Config{Dir: stolen, Now: w.clock.now, Argon: vaulttest.Argon})
		if err == nil {
			v.Close()
		}
		return err
	}
	if open() == nil {
		t.Error("the store opens without root.key")
	}
	if _, err := os.Stat(filepath.Join(stolen, "root.key")); err == nil {
		t.Error("a root key was made for a store that exists")
	}
	must(t, os.WriteFile(filepath.Join(stolen, "root.key"), bytesOf(seal.NewKey()), 0o600))
	if open() == nil {
		t.Error("the store opens with another root key")
	}
	must(t, os.Remove(filepath.Join(stolen, "root.key")))
	right, err := os.ReadFile(filepath.Join(w.dir, "root.key"))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(stolen, "root.key"), right, 0o600))
	must(t, open())
}

// A root key exchanged together with the check value still opens nothing.
func TestForgedCheckValue_OpensNothing(t *testing.T) {
	w := newWorld(t)
	w.exec(`delete from vault_meta`)
	must(t, w.Close())
	must(t, os.WriteFile(filepath.Join(w.dir, "root.key"), bytesOf(seal.NewKey()), 0o600))
	v := vaulttest.Open(t, vault.Config{Dir: w.dir, Now: w.clock.now})
	if _, err := v.SignIn(t.Context(), vault.Proof{Tenant: town, Login: "bau", Password: vaulttest.Password("bau")}); err == nil {
		t.Error("sign-in works under a foreign root key")
	}
	if _, err := v.Delegate(t.Context(), nil); err == nil {
		t.Error("signing keys open under a foreign root key")
	}
	// An error, not Refused: the boxes are good and must stay in the queue.
	if taken, err := v.TakeIn(t.Context(), []vault.Box{w.first(town, "bauamt").box}); err == nil {
		t.Errorf("TakeIn() under a foreign root key = %v", taken)
	}
}

func TestPersonal_MatchesSchema(t *testing.T) {
	w := newWorld(t)
	d := vault.Personal()
	must(t, d.Validate())
	declared := map[string][]string{}
	for _, s := range d.Stores {
		if s.Kind == personal.VaultTable {
			declared[s.Name] = s.Columns()
			slices.Sort(declared[s.Name])
		}
	}
	live := map[string][]string{}
	for _, c := range got(w.DB().Columns(t.Context()))(t) {
		live[c.Table] = append(live[c.Table], c.Name)
	}
	for table, columns := range live {
		slices.Sort(columns)
		if !slices.Equal(columns, declared[table]) {
			t.Errorf("%s: columns %v, declared %v", table, columns, declared[table])
		}
	}
	if len(live) != len(declared) {
		t.Errorf("%d tables live, %d declared", len(live), len(declared))
	}
}
