package account_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"poststelle/internal/account"
	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/tenant"
	"poststelle/internal/vault"
	"poststelle/internal/vault/vaulttest"
)

// crashing is a vault before or behind whose AddStaff the process ends.
type crashing struct {
	vault.Service
	behind bool
}

func (c crashing) AddStaff(ctx context.Context, token string, s vault.StaffSpec) (vault.Enrolment, error) {
	if c.behind {
		if _, err := c.Service.AddStaff(ctx, token, s); err != nil {
			return vault.Enrolment{}, err
		}
	}
	panic("the process ends here")
}

func newClerk(login string) account.NewStaff {
	return account.NewStaff{
		Tenant: "musterstadt", Login: login, Name: "Jan Thoma", Password: vaulttest.Password(login), Role: account.Clerk,
		Mailboxes: []tenant.MailboxID{"rathaus"}, Notices: true,
	}
}

// crash adds a person and ends the process in the middle.
func (o *office) crash(login string, behind bool) {
	o.t.Helper()
	c := o.accounts.Config
	c.Vault = crashing{o.vault, behind}
	defer func() {
		if recover() == nil {
			o.t.Error("the process did not end")
		}
	}()
	_, err := account.New(c).Console(o.console()).AddStaff(o.t.Context(), newClerk(login))
	o.t.Errorf("AddStaff() = %v", err)
}

func (o *office) names() int {
	o.t.Helper()
	list, err := o.accounts.List(o.t.Context(), "musterstadt")
	o.must(err)
	return len(list)
}

func TestAddStaff_CrashBeforeTheVault(t *testing.T) {
	o := newOffice(t, false)
	o.crash("thoma", false)
	if _, err := o.staff().AddStaff(t.Context(), newClerk("thoma")); err != nil {
		t.Errorf("AddStaff() again = %v", err)
	}
	if n := o.names(); n != 2 {
		t.Errorf("%d names, want 2: the one left may be of an AddStaff under way", n)
	}
	o.advance(2 * time.Hour)
	if _, err := o.staff().AddStaff(t.Context(), newClerk("weber")); err != nil {
		t.Errorf("AddStaff() = %v", err)
	}
	if n := o.names(); n != 2 {
		t.Errorf("%d names, want 2: the name without a login is gone", n)
	}
}

// TestAddStaff_CrashBehindTheVault: the person signs in and every page opens; what
// is missing can be added.
func TestAddStaff_CrashBehindTheVault(t *testing.T) {
	o := newOffice(t, false)
	o.crash("thoma", true)
	b := o.browser()
	if p := signIn(b, "thoma", vaulttest.Password("thoma"), ""); p.Status != 200 || !strings.HasPrefix(p.Body, "Jan Thoma in []") {
		t.Errorf("after the crash: %d %q", p.Status, p.Body)
	}
	if _, err := o.staff().AddStaff(t.Context(), newClerk("thoma")); !errors.Is(err, fault.Conflict) {
		t.Errorf("AddStaff() again = %v, want Conflict", err)
	}
	if n := o.names(); n != 1 {
		t.Errorf("%d names, want 1", n)
	}
	people, err := o.vault.Staff(t.Context(), o.console(), "musterstadt")
	o.must(err)
	_, err = o.vault.Join(t.Context(), o.console(), "musterstadt", people[0].ID, "rathaus")
	o.must(err)
	if p := b.Get("/amt/eingang"); !strings.HasPrefix(p.Body, "Jan Thoma in [rathaus]") {
		t.Errorf("after Join: %d %q", p.Status, p.Body)
	}
}

func TestAddStaff_RefusedLeavesNoName(t *testing.T) {
	o := newOffice(t, false)
	o.hire("thoma", false)
	weak := newClerk("weber")
	weak.Password = "kurz"
	for _, n := range []account.NewStaff{newClerk("Thoma"), weak} {
		if _, err := o.staff().AddStaff(t.Context(), n); err == nil {
			t.Error("AddStaff() takes it")
		}
	}
	if n := o.names(); n != 1 {
		t.Errorf("%d names, want 1", n)
	}
}

// TestActor_WithoutName: a name that is missing takes nobody's pages away.
func TestActor_WithoutName(t *testing.T) {
	o := newOffice(t, false)
	o.hire("thoma", false)
	o.must(o.db.Update(t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec(t.Context(), `delete from account_staff where tenant_id = 'musterstadt'`)
		return err
	}))
	if p := signIn(o.browser(), "thoma", vaulttest.Password("thoma"), ""); p.Status != 200 || !strings.HasPrefix(p.Body, "thoma in [rathaus]") {
		t.Errorf("%d %q", p.Status, p.Body)
	}
}

// TestConsole_Repairs are the ways of the console to mend a person's access.
func TestConsole_Repairs(t *testing.T) {
	o := newOffice(t, false)
	e := o.hire("thoma", false)
	b := o.browser()
	signIn(b, "thoma", vaulttest.Password("thoma"), "").Want(200)
	if active, err := o.staff().Join(t.Context(), "musterstadt", e.Person, "bauamt"); err != nil || !active {
		t.Errorf("Join() = %t, %v", active, err)
	}
	if p := b.Get("/amt/eingang"); !strings.HasPrefix(p.Body, "Ayşe Kaya in [bauamt rathaus]") {
		t.Errorf("after Join: %q", p.Body)
	}
	b.Get("/amt/einstellungen").Want(200).Form("").Set("postfach", "bauamt").Submit()
	wants := func() (yes bool) {
		o.must(o.db.View(t.Context(), func(tx *db.Tx) (err error) {
			yes, err = o.accounts.WantsNotice(t.Context(), tx, "musterstadt", "bauamt")
			return err
		}))
		return yes
	}
	if !wants() {
		t.Error("no notice is asked for")
	}
	o.must(o.staff().Leave(t.Context(), "musterstadt", e.Person, "bauamt"))
	if p := b.Get("/amt/eingang"); !strings.HasPrefix(p.Body, "Ayşe Kaya in [rathaus]") || wants() {
		t.Errorf("after Leave: %q, notices %t", p.Body, wants())
	}

	o.must(o.staff().SetPassword(t.Context(), "musterstadt", e.Person, "ein neues Kennwort"))
	if p := b.Get("/amt/eingang"); !strings.Contains(p.Path, "/amt/anmelden") {
		t.Errorf("the session goes on after a new password: %s", p.Path)
	}
	signIn(b, "thoma", vaulttest.Password("thoma"), "").Want(422)
	if p := signIn(b, "thoma", "ein neues Kennwort", "").Want(200); p.Path != "/amt/einstellungen/passwort" {
		t.Errorf("a password from the console leads to %s", p.Path)
	}
	renewed, err := o.staff().RenewSecondFactor(t.Context(), "musterstadt", e.Person)
	o.must(err)
	b = o.browser()
	signIn(b, "thoma", "ein neues Kennwort", "").Want(422)
	signIn(b, "thoma", "ein neues Kennwort", code(t, renewed.TOTPSecret, o.Now())).Want(200)
	if _, err := o.staff().RenewSecondFactor(t.Context(), "musterstadt", "nobody"); !errors.Is(err, fault.NotFound) {
		t.Errorf("RenewSecondFactor(nobody) = %v", err)
	}
}

// TestConsole_StartPassword: passwords that the console gives end after seven days, and open only the page that replaces them (ASVS
// 6.4.1).
func TestConsole_StartPassword(t *testing.T) {
	o := newOffice(t, false)
	e, err := o.staff().AddStaff(t.Context(), account.NewStaff{
		Tenant: "musterstadt", Login: "neu", Name: "Nora Neu", Password: "vier graue Reiher", Role: account.Clerk, Start: true,
	})
	o.must(err)
	b := o.browser()
	if p := signIn(b, "neu", "vier graue Reiher", "").Want(200); p.Path != "/amt/einstellungen/passwort" {
		t.Fatalf("the first sign-in leads to %s", p.Path)
	}
	if p := b.Get("/amt/eingang"); p.Path != "/amt/einstellungen/passwort" {
		t.Errorf("with a start password one gets to %s", p.Path)
	}
	o.advance(7*24*time.Hour + time.Minute)
	if p := signIn(o.browser(), "neu", "vier graue Reiher", "").Want(http.StatusUnprocessableEntity); !p.Contains("abgelaufen") {
		t.Error("the first password of the console is taken after a week")
	}
	o.must(o.staff().SetPassword(t.Context(), "musterstadt", e.Person, "fuenf weisse Schwaene"))
	p := signIn(b, "neu", "fuenf weisse Schwaene", "").Want(200)
	if p = p.Form("").Set("password", "sechs schwarze Raben").Submit().Want(200); p.Path != "/amt/einstellungen?getan=passwort" {
		t.Errorf("after the own password at %s", p.Path)
	}
	o.must(o.staff().SetPassword(t.Context(), "musterstadt", e.Person, "sieben braune Meisen"))
	o.advance(7*24*time.Hour + time.Minute)
	signIn(o.browser(), "neu", "sieben braune Meisen", "").Want(http.StatusUnprocessableEntity)
	signIn(o.browser(), "neu", "sechs schwarze Raben", "").Want(http.StatusUnprocessableEntity)
}
