package vault_test

import (
	"errors"
	"testing"

	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/seal"
	"poststelle/internal/vault"
)

func TestModuleKey(t *testing.T) {
	w := newWorld(t)
	website := w.service(vault.ServiceWebsite)
	key := got(w.ModuleKey(t.Context(), website, town, "newsletter"))(t)
	if again := got(w.ModuleKey(t.Context(), website, town, "newsletter"))(t); again != key {
		t.Error("the key of a module changed")
	}
	for name, other := range map[string]seal.Key{
		"another module": got(w.ModuleKey(t.Context(), website, town, "mail"))(t),
		"another tenant": got(w.ModuleKey(t.Context(), website, host, "newsletter"))(t),
	} {
		if other == key {
			t.Errorf("%s has the same key", name)
		}
	}
	for _, token := range []string{"", w.service(vault.ServiceNotifier), w.service(vault.ServiceMailer), w.service(vault.ServiceRetention), w.signIn(town, "chefin").Token} {
		if _, err := w.ModuleKey(t.Context(), token, town, "newsletter"); !errors.Is(err, fault.Denied) {
			t.Errorf("ModuleKey of another caller = %v, want Denied", err)
		}
	}
	if _, err := w.ModuleKey(t.Context(), website, "nirgendwo", "newsletter"); !errors.Is(err, fault.NotFound) {
		t.Errorf("ModuleKey of an unknown tenant = %v, want NotFound", err)
	}
	if _, err := w.ModuleKey(t.Context(), website, town, "News/Letter"); !errors.Is(err, fault.Invalid) {
		t.Errorf("ModuleKey of no name = %v, want Invalid", err)
	}
	if n := auditRows(t, w.Vault, "module.key"); n != 3 {
		t.Errorf("%d hand-outs in the audit, want one for each key", n)
	}
	must(t, w.VerifyAudit(t.Context()))
}

// TestModuleKey_Moved: a wrapped key that somebody moves to another tenant's row opens there for nobody.
func TestModuleKey_Moved(t *testing.T) {
	w := newWorld(t)
	website := w.service(vault.ServiceWebsite)
	got(w.ModuleKey(t.Context(), website, town, "newsletter"))(t)
	got(w.ModuleKey(t.Context(), website, host, "newsletter"))(t)
	must(t, w.DB().Update(t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec(t.Context(), `update vault_modules set key_wrapped = (select m.key_wrapped from vault_modules m where m.tenant = $1) where tenant = $2`, town, host)
		return err
	}))
	if _, err := w.ModuleKey(t.Context(), website, host, "newsletter"); !errors.Is(err, seal.ErrForged) {
		t.Errorf("ModuleKey of a moved row = %v, want ErrForged", err)
	}
}

func auditRows(t *testing.T, v *vault.Vault, action string) (n int) {
	t.Helper()
	must(t, v.DB().View(t.Context(), func(tx *db.Tx) error {
		return tx.QueryRow(t.Context(), `select count(*) from vault_audit where action = $1`, action).Scan(&n)
	}))
	return n
}
