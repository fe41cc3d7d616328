package vault_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"poststelle/internal/fault"
	"poststelle/internal/vault"
	"poststelle/internal/vault/vaulttest"
)

// council is a world with four eyes, a second administrator, and a lead in bauamt.
type council struct {
	*world
	second, lead, neu vault.Grant
	console           string
}

func newCouncil(t testing.TB) *council {
	c := &council{world: newWorldWith(t, vault.Config{FourEyes: true})}
	c.lead = vaulttest.Clerk(t, c.Vault, town, "leitung", vault.RoleLead, "bauamt")
	c.second = vaulttest.Clerk(t, c.Vault, town, "zweite", vault.RoleAdmin)
	c.neu = vaulttest.Clerk(t, c.Vault, town, "neu", vault.RoleClerk)
	c.console = c.service(vault.ServiceConsole)
	return c
}

// propose lets an administrator propose a membership in bauamt and returns its id.
func (c *council) propose(by vault.Grant, person string) string {
	c.t.Helper()
	if got(c.Join(c.t.Context(), by.Token, town, person, "bauamt"))(c.t) {
		c.t.Fatal("one hand made a member")
	}
	return "member:" + person + ":bauamt"
}

func (c *council) confirm(g vault.Grant, id string) error {
	return c.Confirm(c.t.Context(), g.Token, town, id)
}

func TestSetRole(t *testing.T) {
	w := newWorld(t)
	set := func(token, tenant, person, role string) error {
		return w.SetRole(t.Context(), token, tenant, person, role)
	}
	wantErr(t, set(w.bau.Token, town, w.ord.Person, vault.RoleLead), fault.Denied)
	wantErr(t, set(w.far.Token, town, w.ord.Person, vault.RoleLead), fault.NotFound)
	wantErr(t, set(w.service(vault.ServiceNotifier), town, w.ord.Person, vault.RoleLead), fault.Denied)
	wantErr(t, set(w.admin.Token, town, w.admin.Person, vault.RoleClerk), fault.Denied) // nobody their own
	wantErr(t, set(w.admin.Token, town, w.far.Person, vault.RoleLead), fault.NotFound)
	for _, role := range []string{"root", "", vault.RoleOperator} {
		err := set(w.admin.Token, town, w.ord.Person, role)
		if f := fault.FieldsOf(err); len(f) != 1 || f[0].Name != "role" {
			t.Errorf("SetRole(%q) = %v, want the field role", role, err)
		}
	}
	l := w.stored(town, "bauamt")
	w.wantReads(w.bau, l, true)
	must(t, set(w.admin.Token, town, w.bau.Person, vault.RoleLead))
	_, err := w.Check(t.Context(), w.bau.Token)
	wantErr(t, err, fault.Denied) // a new role, a new session
	w.bau = w.signIn(town, "bau")
	if w.bau.Role != vault.RoleLead || !slices.Equal(w.bau.Mailboxes, []string{"bauamt"}) {
		t.Errorf("grant = %+v", w.bau)
	}
	w.wantReads(w.bau, l, true)
	for _, role := range []string{vault.RoleEditor, vault.RoleDPO, vault.RoleAuditor} {
		must(t, set(w.admin.Token, town, w.bau.Person, role))
		w.wantReads(w.signIn(town, "bau"), l, false)
	}
	must(t, set(w.admin.Token, town, w.bau.Person, vault.RoleClerk))
	if g := w.signIn(town, "bau"); len(g.Mailboxes) != 0 {
		t.Errorf("memberships came back: %v", g.Mailboxes)
	}
}

// TestRoles_NoContent: a role that sees no content sees none even when somebody with the file makes the person a member.
func TestRoles_NoContent(t *testing.T) {
	w := newWorld(t)
	l := w.stored(town, "bauamt")
	for _, role := range vault.Roles() {
		w.exec(`update vault_staff set role = $1 where tenant = $2 and id = $3`, role, town, w.bau.Person)
		sees := slices.Contains([]string{vault.RoleClerk, vault.RoleLead, vault.RoleAdmin}, role)
		w.wantReads(w.bau, l, sees)
		if n := len(got(w.Check(t.Context(), w.bau.Token))(t).Mailboxes); (n > 0) != sees {
			t.Errorf("%s: %d mailboxes", role, n)
		}
	}
}

func TestLastAdmin(t *testing.T) {
	w := newWorld(t)
	console := w.service(vault.ServiceConsole)
	for _, role := range vault.Roles() {
		if role == vault.RoleAdmin || role == vault.RoleOperator {
			continue
		}
		wantErr(t, w.SetRole(t.Context(), console, town, w.admin.Person, role), fault.Conflict)
	}
	wantErr(t, w.DisableStaff(t.Context(), console, town, w.admin.Person), fault.Conflict)
	wantErr(t, w.DisableStaff(t.Context(), w.admin.Token, town, w.admin.Person), fault.Conflict)
	got(w.Check(t.Context(), w.admin.Token))(t) // still there, sessions too
	got(w.SignIn(t.Context(), vault.Proof{Tenant: town, Login: "chefin", Password: vaulttest.Password("chefin")}))(t)
	vaulttest.Clerk(t, w.Vault, other, "fern", vault.RoleAdmin) // another tenant's does not count
	wantErr(t, w.DisableStaff(t.Context(), console, town, w.admin.Person), fault.Conflict)
	second := vaulttest.Clerk(t, w.Vault, town, "zweite", vault.RoleAdmin)
	must(t, w.DisableStaff(t.Context(), w.admin.Token, town, w.admin.Person)) // who goes may go: a second one stays
	wantErr(t, w.DisableStaff(t.Context(), second.Token, town, second.Person), fault.Conflict)
}

// TestLastAdmin_Race: two administrators remove each other, and both themselves, at the same time. One stays.
func TestLastAdmin_Race(t *testing.T) {
	for name, call := range map[string]func(w *world, by, whom vault.Grant) error{
		"demote each other": func(w *world, by, whom vault.Grant) error {
			return w.SetRole(context.Background(), by.Token, town, whom.Person, vault.RoleClerk)
		},
		"disable each other": func(w *world, by, whom vault.Grant) error {
			return w.DisableStaff(context.Background(), by.Token, town, whom.Person)
		},
		"leave": func(w *world, by, _ vault.Grant) error {
			return w.DisableStaff(context.Background(), by.Token, town, by.Person)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			second := vaulttest.Clerk(t, w.Vault, town, "zweite", vault.RoleAdmin)
			errs := make(chan error, 2)
			go func() { errs <- call(w, w.admin, second) }()
			go func() { errs <- call(w, second, w.admin) }()
			done := 0
			for range cap(errs) {
				switch err := <-errs; {
				case err == nil:
					done++
				case !errors.Is(err, fault.Conflict) && !errors.Is(err, fault.Denied):
					t.Errorf("%v", err)
				}
			}
			if n := w.count(`select count(*) from vault_staff where tenant = $1 and active and role = 'admin'`, town); n != 1 || done != 1 {
				t.Errorf("%d went, %d administrators stay; want one of each", done, n)
			}
		})
	}
}

func TestFourEyes_WhoConfirms(t *testing.T) {
	c := newCouncil(t)
	l := c.stored(town, "bauamt")
	id := c.propose(c.admin, c.neu.Person)
	c.wantReads(c.neu, l, false)
	leadElsewhere := vaulttest.Clerk(t, c.Vault, town, "kasse", vault.RoleLead)
	for name, r := range map[string]struct {
		g    vault.Grant
		want error
	}{
		"who proposed":   {c.admin, fault.Denied},
		"who gains":      {c.neu, fault.Denied},
		"a clerk":        {c.bau, fault.NotFound}, // need not know
		"lead elsewhere": {leadElsewhere, fault.NotFound},
		"another tenant": {c.far, fault.NotFound},
	} {
		if err := c.confirm(r.g, id); !errors.Is(err, r.want) {
			t.Errorf("%s: %v, want %v", name, err, r.want)
		}
	}
	wantErr(t, c.Confirm(t.Context(), c.console, town, id), fault.Denied)
	wantErr(t, c.confirm(c.second, "member:"+c.neu.Person+":ordnungsamt"), fault.NotFound)
	c.wantReads(c.neu, l, false)

	var mine, theirs vault.Proposal
	if p := got(c.Proposals(t.Context(), c.admin.Token, town))(t); len(p) == 1 {
		mine = p[0]
	}
	if p := got(c.Proposals(t.Context(), c.lead.Token, town))(t); len(p) == 1 {
		theirs = p[0]
	}
	if mine.ID != id || !mine.Mine || mine.MayConfirm || theirs.ID != id || theirs.Mine || !theirs.MayConfirm || theirs.By != c.admin.Person {
		t.Errorf("Proposals() = %+v and %+v", mine, theirs)
	}
	if p := got(c.Proposals(t.Context(), c.bau.Token, town))(t); len(p) != 0 {
		t.Errorf("a clerk sees %+v", p)
	}
	_, err := c.Proposals(t.Context(), c.far.Token, town)
	wantErr(t, err, fault.NotFound)

	must(t, c.confirm(c.lead, id))
	c.wantReads(c.neu, l, true)
	wantErr(t, c.confirm(c.second, id), fault.NotFound) // once

	must(t, c.Leave(t.Context(), c.admin.Token, town, c.neu.Person, "bauamt"))
	id = c.propose(c.admin, c.neu.Person)
	wantErr(t, c.Refuse(t.Context(), c.bau.Token, town, id), fault.NotFound)
	must(t, c.Refuse(t.Context(), c.lead.Token, town, id))
	wantErr(t, c.confirm(c.second, id), fault.NotFound)
	id = c.propose(c.admin, c.neu.Person)
	must(t, c.Refuse(t.Context(), c.admin.Token, town, id)) // withdrawn
	must(t, c.VerifyAudit(t.Context()))
}

// TestFourEyes_SameHand: an administrator who makes a colleague, or sets a colleague's password, is not two people.
func TestFourEyes_SameHand(t *testing.T) {
	c := newCouncil(t)
	got(c.AddStaff(t.Context(), c.admin.Token, vault.StaffSpec{Tenant: town, Login: "strohmann", Password: "Kastanie im Regen", Role: vault.RoleAdmin}))(t)
	straw := got(c.SignIn(t.Context(), vault.Proof{Tenant: town, Login: "strohmann", Password: "Kastanie im Regen"}))(t)
	id := c.propose(c.admin, c.neu.Person)
	wantErr(t, c.confirm(straw, id), fault.Denied)
	if got(c.Join(t.Context(), straw.Token, town, c.neu.Person, "bauamt"))(t) {
		t.Error("the straw man confirmed by Join")
	}
	must(t, c.SetPassword(t.Context(), c.admin.Token, town, c.second.Person, "Kastanie im Regen"))
	second := got(c.SignIn(t.Context(), vault.Proof{Tenant: town, Login: "zweite", Password: "Kastanie im Regen"}))(t)
	wantErr(t, c.confirm(second, id), fault.Denied)
	must(t, c.confirm(c.lead, id))
}

// TestFourEyes_Race: the decision is on the rows. Whoever is disabled or demoted at the same time confirms nothing afterwards.
func TestFourEyes_Race(t *testing.T) {
	for range 5 {
		c := newCouncil(t)
		id := c.propose(c.admin, c.neu.Person)
		errs := make(chan error, 4)
		go func() { errs <- c.confirm(c.second, id) }()
		go func() { errs <- c.confirm(c.lead, id) }()
		go func() { errs <- c.Refuse(context.Background(), c.admin.Token, town, id) }()
		go func() { errs <- c.confirm(c.admin, id) }()
		won := 0
		for range cap(errs) {
			if <-errs == nil {
				won++
			}
		}
		if won != 1 {
			t.Errorf("%d of four decisions won, want one", won)
		}
	}
	c := newCouncil(t)
	id := c.propose(c.admin, c.neu.Person)
	c.exec(`update vault_staff set role = 'clerk' where tenant = $1 and id = $2`, town, c.second.Person) // behind the grant's back
	wantErr(t, c.confirm(c.second, id), fault.Denied)
	c.exec(`update vault_staff set active = 0 where tenant = $1 and id = $2`, town, c.lead.Person)
	wantErr(t, c.confirm(c.lead, id), fault.Denied)
}

func TestSubstitute(t *testing.T) {
	c := newCouncil(t)
	bau, ord := c.stored(town, "bauamt"), c.stored(town, "ordnungsamt")
	until := c.clock.now().Add(14 * day)
	ask := func(token, person, deputy string, until time.Time) error {
		return c.Substitute(t.Context(), token, town, person, deputy, until)
	}
	id := "substitute:" + c.bau.Person + ":" + c.ord.Person
	wantErr(t, ask(c.ord.Token, c.bau.Person, c.ord.Person, until), fault.Denied) // nobody admits themselves
	wantErr(t, ask(c.far.Token, c.bau.Person, c.ord.Person, until), fault.NotFound)
	for name, r := range map[string]struct {
		deputy, field string
		until         time.Time
	}{
		"past": {c.ord.Person, "until", c.clock.now()}, "too long": {c.ord.Person, "until", c.clock.now().Add(92*day + time.Millisecond)},
		"self": {c.bau.Person, "deputy", until}, "nobody": {"nobody", "deputy", until}, "other tenant": {c.far.Person, "deputy", until},
		"no content": {vaulttest.Clerk(t, c.Vault, town, "redaktion", vault.RoleEditor).Person, "deputy", until},
	} {
		if f := fault.FieldsOf(ask(c.console, c.bau.Person, r.deputy, r.until)); len(f) != 1 || f[0].Name != r.field {
			t.Errorf("%s: fields %v, want %s", name, f, r.field)
		}
	}
	must(t, ask(c.bau.Token, c.bau.Person, c.ord.Person, until))
	c.wantReads(c.ord, bau, false) // proposed
	for _, g := range []vault.Grant{c.bau, c.ord} {
		wantErr(t, c.confirm(g, id), fault.Denied)
	}
	wantErr(t, c.confirm(c.neu, id), fault.NotFound)
	must(t, c.confirm(c.lead, id))
	c.wantReads(c.ord, bau, true)
	c.wantReads(c.ord, ord, true)
	c.wantReads(c.bau, ord, false) // one way
	if g := got(c.Check(t.Context(), c.ord.Token))(t); !slices.Equal(g.Mailboxes, []string{"bauamt", "ordnungsamt"}) {
		t.Errorf("mailboxes = %v", g.Mailboxes)
	}
	s := got(c.Substitutions(t.Context(), c.ord.Token, town))(t)
	if len(s) != 1 || !s[0].Active || !s[0].Until.Equal(until) || len(got(c.Substitutions(t.Context(), c.neu.Token, town))(t)) != 0 {
		t.Errorf("Substitutions() = %+v", s)
	}

	must(t, ask(c.bau.Token, c.bau.Person, c.ord.Person, until.Add(-day))) // shorter: nobody is asked
	c.wantReads(c.ord, bau, true)
	must(t, ask(c.bau.Token, c.bau.Person, c.ord.Person, until.Add(day))) // longer: a second person again
	c.wantReads(c.ord, bau, false)
	must(t, c.confirm(c.second, id))
	c.wantReads(c.ord, bau, true)

	must(t, c.EndSubstitution(t.Context(), c.ord.Token, town, c.bau.Person, c.ord.Person))
	must(t, c.EndSubstitution(t.Context(), c.console, town, c.bau.Person, c.ord.Person))
	wantErr(t, c.EndSubstitution(t.Context(), c.neu.Token, town, c.bau.Person, c.ord.Person), fault.Denied)
	c.wantReads(c.ord, bau, false)
}

// TestSubstitute_Ends: by itself, to the millisecond, without a housekeeper; and with everything it rests on.
func TestSubstitute_Ends(t *testing.T) {
	begin := func(t *testing.T) (*council, letter) {
		c := newCouncil(t)
		must(t, c.Substitute(t.Context(), c.console, town, c.bau.Person, c.ord.Person, c.clock.now().Add(20*time.Minute)))
		must(t, c.confirm(c.bau, "substitute:"+c.bau.Person+":"+c.ord.Person)) // the absent person is the second
		l := c.stored(town, "bauamt")
		c.wantReads(c.ord, l, true)
		return c, l
	}
	for name, end := range map[string]func(*council) error{
		"time":            func(c *council) error { c.clock.add(20 * time.Minute); return nil },
		"person disabled": func(c *council) error { return c.DisableStaff(context.Background(), c.admin.Token, town, c.bau.Person) },
		"person leaves": func(c *council) error {
			return c.Leave(context.Background(), c.admin.Token, town, c.bau.Person, "bauamt")
		},
		"person's role": func(c *council) error {
			return c.SetRole(context.Background(), c.admin.Token, town, c.bau.Person, vault.RoleDPO)
		},
		"deputy disabled": func(c *council) error { return c.DisableStaff(context.Background(), c.admin.Token, town, c.ord.Person) },
		"deputy's role": func(c *council) error {
			return c.SetRole(context.Background(), c.admin.Token, town, c.ord.Person, vault.RoleEditor)
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, l := begin(t)
			must(t, end(c))
			c.wantReads(c.ord, l, false)
			must(t, c.Housekeep(t.Context()))
			if n := c.count(`select count(*) from vault_substitutions`); n != 0 && name != "person leaves" {
				t.Errorf("%d rows are left", n)
			}
		})
	}
	c, l := begin(t)
	c.clock.add(20*time.Minute - time.Millisecond)
	c.wantReads(c.ord, l, true)
	// It is not handed on: who stands in for the deputy does not see the absent person's mailboxes.
	must(t, c.Substitute(t.Context(), c.console, town, c.ord.Person, c.neu.Person, c.clock.now().Add(day)))
	must(t, c.ProvePassword(t.Context(), c.second.Token, vaulttest.Password("zweite"), ""))
	must(t, c.confirm(c.second, "substitute:"+c.ord.Person+":"+c.neu.Person))
	c.wantReads(c.neu, c.stored(town, "ordnungsamt"), true)
	c.wantReads(c.neu, l, false)
}

func TestAuditRows(t *testing.T) {
	w := newWorld(t)
	l := w.stored(town, "bauamt")
	w.wantReads(w.bau, l, true)
	_, err := w.OpenLog(t.Context(), w.service(vault.ServiceConsole), "2026-11-22", nil, nil, vault.GroundTest, "Frau Geheim")
	must(t, err)
	for _, role := range []string{vault.RoleClerk, vault.RoleLead, vault.RoleEditor} {
		_, err := w.AuditRows(t.Context(), vaulttest.Clerk(t, w.Vault, town, "r-"+role, role).Token, town, vault.AuditFilter{Limit: 10, Verify: true})
		wantErr(t, err, fault.Denied)
	}
	op := vaulttest.Clerk(t, w.Vault, host, "betrieb", vault.RoleOperator)
	_, err = w.AuditRows(t.Context(), op.Token, host, vault.AuditFilter{Limit: 10, Verify: true})
	wantErr(t, err, fault.Denied)
	auditor := vaulttest.Clerk(t, w.Vault, town, "pruefung", vault.RoleAuditor)
	dpo := vaulttest.Clerk(t, w.Vault, town, "dsb", vault.RoleDPO)
	_, err = w.AuditRows(t.Context(), auditor.Token, other, vault.AuditFilter{Limit: 10, Verify: true})
	wantErr(t, err, fault.NotFound)
	for _, bad := range []int{0, -1, 201} {
		_, err = w.AuditRows(t.Context(), auditor.Token, town, vault.AuditFilter{Limit: bad, Verify: true})
		wantErr(t, err, fault.Invalid)
	}
	var all []vault.AuditRow
	for before, more := int64(0), true; more; {
		page := got(w.AuditRows(t.Context(), dpo.Token, town, vault.AuditFilter{Before: before, Limit: 3, Verify: true}))(t)
		if !page.Whole || len(page.Rows) > 3 {
			t.Fatalf("page = %+v", page)
		}
		all, more = append(all, page.Rows...), page.More
		before = all[len(all)-1].Seq
	}
	opened := slices.IndexFunc(all, func(r vault.AuditRow) bool { return r.Action == "open" })
	if opened < 0 || all[opened].Person != w.bau.Person || all[opened].Thread != l.box.Thread || all[opened].Items != 1 {
		t.Errorf("the opening is not on record: %+v", all)
	}
	for i, r := range all {
		if r.Tenant != town || i > 0 && r.Seq >= all[i-1].Seq || strings.Contains(r.Purpose+r.Object, "Geheim") {
			t.Errorf("row %d = %+v", i, r)
		}
	}
	newest := all[0].At
	for name, c := range map[string]struct {
		f    vault.AuditFilter
		keep func(vault.AuditRow) bool
	}{
		"action": {vault.AuditFilter{Action: "staff."}, func(r vault.AuditRow) bool { return strings.HasPrefix(r.Action, "staff.") }},
		"from":   {vault.AuditFilter{From: newest}, func(r vault.AuditRow) bool { return !r.At.Before(newest) }},
		"to":     {vault.AuditFilter{To: newest}, func(r vault.AuditRow) bool { return r.At.Before(newest) }},
	} {
		c.f.Limit, c.f.Before = 200, all[0].Seq+1 // rows of looking at the audit come after it
		page := got(w.AuditRows(t.Context(), dpo.Token, town, c.f))(t)
		want := slices.DeleteFunc(slices.Clone(all), func(r vault.AuditRow) bool { return !c.keep(r) })
		if !slices.Equal(page.Rows, want) || page.Whole {
			t.Errorf("%s: %d rows of %d, whole %t", name, len(page.Rows), len(want), page.Whole)
		}
	}
	w.exec(`update vault_audit set person = 'niemand' where action = 'open'`)
	if got(w.AuditRows(t.Context(), w.admin.Token, town, vault.AuditFilter{Limit: 3, Verify: true}))(t).Whole {
		t.Error("a changed row went unnoticed")
	}
}

// puppet is an administrator whom another one made, and so can act as.
func (c *council) puppet(by vault.Grant, login string) vault.Grant {
	c.t.Helper()
	const password = "Kastanie im Regen"
	got(c.AddStaff(c.t.Context(), by.Token, vault.StaffSpec{Tenant: town, Login: login, Password: password, Role: vault.RoleAdmin}))(c.t)
	return got(c.SignIn(c.t.Context(), vault.Proof{Tenant: town, Login: login, Password: password}))(c.t)
}

// TestFourEyes_Puppets: nobody is two people by way of those whom they made, whichever of them proposes and whichever confirms.
func TestFourEyes_Puppets(t *testing.T) {
	c := newCouncil(t)
	one, two := c.puppet(c.admin, "eins"), c.puppet(c.admin, "zwei")
	three := c.puppet(one, "drei")
	for name, pair := range map[string][2]vault.Grant{
		"the puppet proposes, the maker confirms": {one, c.admin},
		"one puppet proposes, another confirms":   {one, two},
		"a puppet of a puppet confirms":           {c.admin, three},
		"a puppet of a puppet proposes":           {three, c.admin},
		"cousins":                                 {two, three},
	} {
		id := c.propose(pair[0], c.neu.Person)
		wantErr(t, c.confirm(pair[1], id), fault.Denied)
		if got(c.Join(t.Context(), pair[1].Token, town, c.neu.Person, "bauamt"))(t) {
			t.Errorf("%s: by Join", name)
		}
		must(t, c.Refuse(t.Context(), c.admin.Token, town, id))
	}
	// Somebody of their own is a second person, also for what a puppet proposes; one password set for another makes no ring.
	must(t, c.SetPassword(t.Context(), c.second.Token, town, c.lead.Person, "Ahorn im Schnee 8"))
	must(t, c.SetPassword(t.Context(), c.admin.Token, town, c.lead.Person, "Ahorn im Schnee 9"))
	must(t, c.confirm(c.second, c.propose(three, c.neu.Person)))
}
