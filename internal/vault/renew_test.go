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

const renewed = "Kastanie im Regen"

// takeOver is an administrator who sets a member's password or second factor and signs in as them.
func (c *council) takeOver(by, whom vault.Grant, login, how string) vault.Grant {
	c.t.Helper()
	proof := vault.Proof{Tenant: town, Login: login, Password: vaulttest.Password(login)}
	if how == "factor" {
		e := got(c.RenewSecondFactor(c.t.Context(), by.Token, town, whom.Person))(c.t)
		seed := got(base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(e.TOTPSecret))(c.t)
		proof.OTP = vault.TOTPAt(seed, c.clock.now().Unix()/30)
	} else {
		must(c.t, c.SetPassword(c.t.Context(), by.Token, town, whom.Person, renewed))
		proof.Password = renewed
	}
	return got(c.SignIn(c.t.Context(), proof))(c.t)
}

// TestRenew_ReadsNothing: who renews a member's access and signs in as them reads nothing until a second person has confirmed, and that
// is neither the administrator, nor the person, nor anybody who could be the same hand.
func TestRenew_ReadsNothing(t *testing.T) {
	for _, how := range []string{"password", "factor"} {
		t.Run(how, func(t *testing.T) {
			c := newCouncil(t)
			l := c.stored(town, "bauamt")
			c.wantReads(c.bau, l, true)
			as := c.takeOver(c.admin, c.bau, "bau", how)
			c.wantReads(as, l, false)
			if len(as.Mailboxes) != 0 {
				t.Errorf("sees %v", as.Mailboxes)
			}
			if _, err := c.Check(t.Context(), c.bau.Token); fault.KindOf(err) != fault.Denied {
				t.Errorf("the person's session goes on: %v", err)
			}
			id := "member:" + c.bau.Person + ":bauamt"
			open := got(c.Proposals(t.Context(), c.admin.Token, town))(t)
			if len(open) != 1 || open[0].ID != id || open[0].By != c.admin.Person || open[0].MayConfirm {
				t.Fatalf("proposals = %+v", open)
			}
			wantErr(t, c.confirm(c.admin, id), fault.Denied)
			wantErr(t, c.confirm(as, id), fault.Denied)
			if active, err := c.Join(t.Context(), c.admin.Token, town, c.bau.Person, "bauamt"); active {
				t.Errorf("one hand made a member again: %v", err)
			}
			c.wantReads(as, l, false)
			must(t, c.confirm(c.second, id))
			c.wantReads(as, l, true)
		})
	}
}

// TestRenew_Substitution: what an administrator could read as a deputy, and what was proposed by somebody else, wait for another one too.
func TestRenew_Substitution(t *testing.T) {
	c := newCouncil(t)
	l := c.stored(town, "bauamt")
	must(t, c.Substitute(t.Context(), c.bau.Token, town, c.bau.Person, c.neu.Person, c.clock.now().Add(day)))
	id := "substitute:" + c.bau.Person + ":" + c.neu.Person
	must(t, c.confirm(c.second, id))
	c.wantReads(c.neu, l, true)
	member := c.propose(c.second, c.neu.Person)
	as := c.takeOver(c.admin, c.neu, "neu", "password")
	c.wantReads(as, l, false)
	wantErr(t, c.confirm(c.admin, id), fault.Denied)
	wantErr(t, c.confirm(c.admin, member), fault.Denied) // not what the other administrator proposed for the person before
	must(t, c.confirm(c.second, id))
	c.wantReads(as, l, true)
}

// TestRenew_Own: who renews their own access goes on reading, and the console does not lock out an authority that begins.
func TestRenew_Own(t *testing.T) {
	c := newCouncil(t)
	l := c.stored(town, "bauamt")
	must(t, c.SetPassword(t.Context(), c.bau.Token, town, c.bau.Person, renewed))
	c.wantReads(c.bau, l, true)
	got(c.RenewSecondFactor(t.Context(), c.bau.Token, town, c.bau.Person))(t)
	c.wantReads(c.bau, l, true)

	must(t, c.SetPassword(t.Context(), c.service(vault.ServiceConsole), town, c.ord.Person, renewed)) // two administrators could confirm
	if g := got(c.SignIn(t.Context(), vault.Proof{Tenant: town, Login: "ord", Password: renewed}))(t); len(g.Mailboxes) != 0 {
		t.Errorf("the console alone opens %v", g.Mailboxes)
	}
	w := newWorldWith(t, vault.Config{FourEyes: true})
	must(t, w.SetPassword(t.Context(), w.service(vault.ServiceConsole), town, w.bau.Person, renewed))
	if g := got(w.SignIn(t.Context(), vault.Proof{Tenant: town, Login: "bau", Password: renewed}))(t); len(g.Mailboxes) != 1 {
		t.Errorf("an authority that begins: %v", g.Mailboxes)
	}
}

// TestStaff_FreshProof: what gives access demands a proof of the last ten minutes; what takes it does not wait for one.
func TestStaff_FreshProof(t *testing.T) {
	c := newCouncil(t)
	ctx, person := t.Context(), c.neu.Person
	id := c.propose(c.second, person)
	c.clock.add(11 * time.Minute)
	_, add := c.AddStaff(ctx, c.admin.Token, vault.StaffSpec{Tenant: town, Login: "x", Password: renewed, Role: vault.RoleClerk})
	_, factor := c.RenewSecondFactor(ctx, c.admin.Token, town, person)
	_, own := c.RenewSecondFactor(ctx, c.admin.Token, town, c.admin.Person)
	_, join := c.Join(ctx, c.admin.Token, town, person, "ordnungsamt")
	for name, err := range map[string]error{
		"add": add, "factor": factor, "own factor": own, "join": join,
		"password":   c.SetPassword(ctx, c.admin.Token, town, person, renewed),
		"role":       c.SetRole(ctx, c.admin.Token, town, person, vault.RoleLead),
		"confirm":    c.confirm(c.admin, id),
		"substitute": c.Substitute(ctx, c.admin.Token, town, c.bau.Person, person, c.clock.now().Add(day)),
	} {
		if !errors.Is(err, vault.ErrProve) {
			t.Errorf("%s with an old proof = %v, want ErrProve", name, err)
		}
	}
	must(t, c.ProvePassword(ctx, c.admin.Token, vaulttest.Password("chefin"), ""))
	must(t, c.confirm(c.admin, id))
	c.clock.add(11 * time.Minute)
	must(t, c.Leave(ctx, c.admin.Token, town, person, "bauamt"))
	must(t, c.DisableStaff(ctx, c.admin.Token, town, person))
}
