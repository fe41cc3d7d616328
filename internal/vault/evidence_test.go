package vault_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"poststelle/internal/fault"
	"poststelle/internal/vault"
	"poststelle/internal/vault/vaulttest"
)

// evidence is a vault with an editor and two data protection officers, and one sealed address.
type evidence struct {
	*world
	editor, dpo, second vault.Grant
	day                 string
	box                 []byte
}

func newEvidence(t *testing.T) *evidence {
	t.Helper()
	e := &evidence{world: newWorld(t)}
	e.editor = vaulttest.Clerk(t, e.Vault, town, "redaktion", vault.RoleEditor)
	e.dpo = vaulttest.Clerk(t, e.Vault, town, "dsb", vault.RoleDPO)
	e.second = vaulttest.Clerk(t, e.Vault, town, "dsb2", vault.RoleDPO)
	key := got(e.deleg.EvidenceKey(e.clock.now()))(t)
	e.day = key.Day
	e.box = got(vault.SealEvidence(key, town, "kommentar", []byte("203.0.113.7")))(t)
	return e
}

func (e *evidence) ask(by vault.Grant, object string) string {
	e.t.Helper()
	return got(e.AskEvidence(e.t.Context(), by.Token, town, object, vault.EvidenceClaim, "Abmahnung vom 20.11."))(e.t)
}

func (e *evidence) wantGrant(by vault.Grant, request string, kind fault.Kind) {
	e.t.Helper()
	plain, err := e.GrantEvidence(e.t.Context(), by.Token, town, request, e.day, e.box)
	if err == nil || fault.KindOf(err) != kind {
		e.t.Errorf("GrantEvidence() = %q, %v, want %v", plain, err, kind)
	}
}

func TestEvidence_TwoPersons(t *testing.T) {
	e := newEvidence(t)
	r := e.ask(e.dpo, "kommentar")
	e.wantGrant(e.dpo, r, fault.Denied)    // the person who asked
	e.wantGrant(e.editor, r, fault.Denied) // no second person by role
	e.wantGrant(e.bau, r, fault.Denied)
	list := got(e.EvidenceRequests(t.Context(), e.second.Token, town))(t)
	if len(list) != 1 || list[0].Reason != "Abmahnung vom 20.11." || !list[0].MayGrant || list[0].Mine {
		t.Fatalf("requests = %+v", list)
	}
	plain := got(e.GrantEvidence(t.Context(), e.second.Token, town, r, e.day, e.box))(t)
	if string(plain) != "203.0.113.7" {
		t.Errorf("opened %q", plain)
	}
	e.wantGrant(e.admin, r, fault.NotFound) // once
	page := got(e.AuditRows(t.Context(), e.dpo.Token, town, vault.AuditFilter{Limit: 10}))(t)
	var actions []string
	for _, row := range page.Rows {
		actions = append(actions, row.Action+" "+row.Person)
	}
	if len(actions) < 2 || actions[0] != "evidence.grant "+e.second.Person || actions[1] != "evidence.ask "+e.dpo.Person {
		t.Errorf("audit = %q", actions)
	}
	raw := e.file()
	for _, secret := range []string{"203.0.113.7", "Abmahnung"} {
		if bytes.Contains(raw, []byte(secret)) {
			t.Errorf("%q stands in the store", secret)
		}
	}
}

// TestEvidence_SameHand: whom an administrator made is no second person to them.
func TestEvidence_SameHand(t *testing.T) {
	e := newEvidence(t)
	const password = "Kastanie im Regen"
	got(e.AddStaff(t.Context(), e.admin.Token, vault.StaffSpec{Tenant: town, Login: "strohmann", Password: password, Role: vault.RoleEditor}))(t)
	straw := got(e.SignIn(t.Context(), vault.Proof{Tenant: town, Login: "strohmann", Password: password}))(t)
	r2 := e.ask(straw, "kommentar")
	e.wantGrant(e.admin, r2, fault.Denied)
	if list := got(e.EvidenceRequests(t.Context(), e.admin.Token, town))(t); len(list) != 1 || list[0].MayGrant {
		t.Errorf("requests = %+v", list)
	}
	got(e.GrantEvidence(t.Context(), e.dpo.Token, town, r2, e.day, e.box))(t)
}

// file is the store with its write-ahead log emptied into it.
func (e *evidence) file() []byte {
	e.t.Helper()
	must(e.t, e.Housekeep(e.t.Context()))
	var all []byte
	for _, name := range []string{"vault.db", "vault.db-wal"} {
		raw, err := os.ReadFile(filepath.Join(e.dir, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			e.t.Fatal(err)
		}
		all = append(all, raw...)
	}
	return all
}

func TestEvidence_Rules(t *testing.T) {
	e := newEvidence(t)
	ctx := t.Context()
	_, err := e.AskEvidence(ctx, e.editor.Token, town, "kommentar", "neugier", " ")
	if f := fault.FieldsOf(err); len(f) != 2 || f[0].Name != "ground" || f[1].Name != "reason" {
		t.Errorf("without ground and reason: %v", err)
	}
	for name, g := range map[string]vault.Grant{"a clerk": e.bau, "an administrator": e.admin} {
		if _, err := e.AskEvidence(ctx, g.Token, town, "kommentar", vault.EvidenceDuty, "x"); fault.KindOf(err) != fault.Denied {
			t.Errorf("%s asks: %v", name, err)
		}
	}
	if _, err := e.AskEvidence(ctx, e.editor.Token, other, "kommentar", vault.EvidenceDuty, "x"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("another tenant: %v", err)
	}
	e.wantGrant(e.dpo, e.ask(e.editor, "anderer"), fault.Invalid) // the box is that of another comment
	if err := e.RefuseEvidence(ctx, e.editor.Token, town, e.ask(e.dpo, "kommentar")); fault.KindOf(err) != fault.Denied {
		t.Errorf("an editor refuses somebody else's: %v", err)
	}
	must(t, e.RefuseEvidence(ctx, e.editor.Token, town, e.ask(e.editor, "kommentar")))
	lapsed := e.ask(e.editor, "kommentar")
	e.clock.add(8 * day)
	if list, err := e.EvidenceRequests(ctx, e.signIn(town, "dsb").Token, town); err != nil || len(list) != 0 {
		t.Errorf("after a week: %v, %v", list, err)
	}
	e.dpo = e.signIn(town, "dsb")
	e.wantGrant(e.dpo, lapsed, fault.NotFound)
}

// TestEvidence_NotUsedUp: a request outlives a wrong day, the box of another object and a forged one.
func TestEvidence_NotUsedUp(t *testing.T) {
	e := newEvidence(t)
	r := e.ask(e.editor, "kommentar")
	forged := bytes.Clone(e.box)
	forged[len(forged)-1] ^= 1
	for name, c := range map[string]struct {
		day string
		box []byte
	}{"no day": {"gestern", e.box}, "another day": {"2020-01-01", e.box}, "forged": {e.day, forged}, "nothing": {e.day, nil}} {
		if plain, err := e.GrantEvidence(t.Context(), e.dpo.Token, town, r, c.day, c.box); err == nil {
			t.Errorf("%s: %q", name, plain)
		}
	}
	if plain := got(e.GrantEvidence(t.Context(), e.dpo.Token, town, r, e.day, e.box))(t); string(plain) != "203.0.113.7" {
		t.Errorf("opened %q", plain)
	}
	e.wantGrant(e.dpo, r, fault.NotFound)
}

func TestEvidence_KeyDestroyed(t *testing.T) {
	e := newEvidence(t)
	e.clock.add(90*day + 12*time.Hour)
	must(t, e.Housekeep(t.Context()))
	e.editor, e.dpo = e.signIn(town, "redaktion"), e.signIn(town, "dsb")
	plain, err := e.GrantEvidence(t.Context(), e.dpo.Token, town, e.ask(e.editor, "kommentar"), e.day, e.box)
	if err != nil || string(plain) != "203.0.113.7" {
		t.Errorf("on the last day: %q, %v", plain, err)
	}
	e.clock.add(day)
	must(t, e.Housekeep(t.Context()))
	e.editor, e.dpo = e.signIn(town, "redaktion"), e.signIn(town, "dsb")
	e.wantGrant(e.dpo, e.ask(e.editor, "kommentar"), fault.NotFound)
}
