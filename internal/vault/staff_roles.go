package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"poststelle/internal/db"
	"poststelle/internal/fault"
)

// RoleService is what concerns roles, the second pair of eyes, substitution and the evidence of what staff did.
type RoleService interface {
	SetRole(ctx context.Context, token, tenant, person, role string) error
	Proposals(ctx context.Context, token, tenant string) ([]Proposal, error)
	Confirm(ctx context.Context, token, tenant, proposal string) error
	Refuse(ctx context.Context, token, tenant, proposal string) error
	Substitute(ctx context.Context, token, tenant, person, deputy string, until time.Time) error
	EndSubstitution(ctx context.Context, token, tenant, person, deputy string) error
	Substitutions(ctx context.Context, token, tenant string) ([]Substitution, error)
	AuditRows(ctx context.Context, token, tenant string, f AuditFilter) (AuditPage, error)
}

// maxSubstitution is how long a substitution may last.
const maxSubstitution = 92 * 24 * time.Hour

// Kinds of proposals.
const (
	ProposeMember     = "member"     // Person becomes a member of Mailbox
	ProposeSubstitute = "substitute" // Deputy stands in for Person until Until
)

// Proposal is a change that waits for a second person.
type Proposal struct {
	ID              string
	Kind            string // ProposeMember or ProposeSubstitute
	Person          string
	Mailbox, Deputy string
	Until           time.Time
	By              string // person id, or "service:console"
	At              time.Time
	Mine            bool // the caller proposed it, or it concerns them, and so cannot confirm it
	MayConfirm      bool // the caller may confirm it now
}

// Substitution is a person standing in for another: they see the mailboxes of the absent one until it ends.
type Substitution struct {
	Person, Deputy string
	Since, Until   time.Time
	Active         bool // false while a second person has not confirmed it
}

// AuditRow is one row of the vault's audit: ids, words of fixed lists and counts. Reasons in words stay sealed.
type AuditRow struct {
	Seq                                             int64
	At                                              time.Time
	Person, Action, Thread, Object, Purpose, Tenant string
	Items                                           int
}

// AuditFilter says which rows of the audit are asked for.
type AuditFilter struct {
	Before   int64     // rows with a smaller Seq; 0 for the newest
	From, To time.Time // of that time, To left out; zero for all
	Action   string    // actions that begin with it
	Limit    int       // 1 to 200
	Verify   bool      // the whole chain is checked as well, which reads all of it
}

// AuditPage is a page of rows, newest first.
type AuditPage struct {
	Rows  []AuditRow
	More  bool // older rows follow: ask with before = the last row's Seq
	Whole bool // the chain of the whole audit verifies; false when that was not asked for
}

// maxAuditRows bounds one page of AuditRows.
const maxAuditRows = 200

func proposalID(kind, person, object string) string { return kind + ":" + person + ":" + object }

// SetRole gives a person another role and ends their sessions: it counts from the next call on. token is that of an administrator of
// the tenant with a fresh proof (ErrProve), who cannot change their own role (fault.Denied), or of the console. The last administrator stays one (fault.Conflict).
// In a role that sees no content the person loses their memberships and substitutions. fault.Invalid names the field role.
func (v *Vault) SetRole(ctx context.Context, token, tenant, person, role string) error {
	g, err := v.provedAdmin(token, tenant)
	if err == nil && g.service == "" && g.person == person {
		err = fmt.Errorf("nobody changes their own role: %w", fault.Denied)
	}
	if err == nil && !slices.Contains(Roles(), role) {
		err = fault.Fields(fault.Field{Name: "role", Key: "vault.staff.role"})
	}
	if err != nil {
		return fmt.Errorf("vault: set role of %s: %w", person, err)
	}
	return v.update(ctx, "set role", func(tx *db.Tx) error {
		if err := stillAdmin(ctx, tx, g); err != nil {
			return err
		}
		old, err := selectRole(ctx, tx, tenant, person)
		if err != nil || old == role {
			return err
		}
		if err := roleFits(ctx, tx, tenant, role); err != nil {
			return err
		}
		if err := updateRole(ctx, tx, tenant, person, role); err != nil {
			return err
		}
		if old == RoleAdmin {
			if err := keepAdmin(ctx, tx, tenant); err != nil {
				return err
			}
		}
		if !mayJoin(role) {
			if err := deleteReach(ctx, tx, tenant, person); err != nil {
				return err
			}
		}
		tx.AfterCommit(func() { v.grants.endPerson(tenant, person, "") })
		return v.audit(ctx, tx, entry{tenant: tenant, person: g.actor(), action: actionRole, object: person, purpose: role, items: 1})
	})
}

// eyes is the person behind a grant as the second pair: what their rows say in this transaction, read once for any number of proposals.
type eyes struct {
	person, role string   // both "" for a service
	mine         []string // their own confirmed memberships, read for leads only
	givers       givers
}

// selectEyes reads the active person of a grant; any other one is fault.Denied.
func selectEyes(ctx context.Context, tx *db.Tx, g *grant) (e eyes, err error) {
	if g.service != "" {
		return e, nil
	}
	e.person = g.person
	if e.role, err = stillIn(ctx, tx, g, Roles()...); err != nil {
		return e, err
	}
	if e.role == RoleLead {
		if e.mine, err = selectMemberships(ctx, tx, g.tenant, g.person); err != nil {
			return e, err
		}
	}
	e.givers, err = selectGivers(ctx, tx, g.tenant)
	return e, err
}

// mayConfirm is eyes.confirms for one proposal.
func mayConfirm(ctx context.Context, tx *db.Tx, g *grant, tenant string, p Proposal) (bool, error) {
	e, err := selectEyes(ctx, tx, g)
	if err != nil {
		return false, err
	}
	return e.confirms(ctx, tx, tenant, p)
}

// confirms reports whether the person is a second pair of eyes for a proposal of their tenant: not who proposed it, not who gains by
// it, and not somebody who could be the same hand. An administrator may; the lead of the mailbox may; for a substitution also the
// absent person and a lead of all their mailboxes.
func (e eyes) confirms(ctx context.Context, tx *db.Tx, tenant string, p Proposal) (bool, error) {
	gains := p.Person
	if p.Kind == ProposeSubstitute {
		gains = p.Deputy
	}
	if e.person == "" || e.person == gains || e.givers.sameHand(p.By, e.person) {
		return false, nil
	}
	if e.role == RoleAdmin || p.Kind == ProposeSubstitute && e.person == p.Person {
		return true, nil
	}
	return e.leads(ctx, tx, tenant, p)
}

// givers are, for each person of a tenant, those who gave them their role, password or second factor. The console is not among them:
// everybody's first password may come from there.
type givers map[string][]string

// sameHand reports whether one person could have acted as both: they are one, or somebody gave to both of them, or one of the two gave
// to the other, directly or by way of third ones.
func (all givers) sameHand(a, b string) bool {
	behind := all.behind(b)
	for person := range all.behind(a) {
		if behind[person] {
			return true
		}
	}
	return false
}

// behind are all who could act as a person, the person too.
func (all givers) behind(person string) map[string]bool {
	out := map[string]bool{person: true}
	for next := []string{person}; len(next) > 0; next = next[1:] {
		for _, by := range all[next[0]] {
			if !out[by] {
				out[by] = true
				next = append(next, by)
			}
		}
	}
	return out
}

// leads reports whether the person is a lead and a member of every mailbox that the proposal opens.
func (e eyes) leads(ctx context.Context, tx *db.Tx, tenant string, p Proposal) (bool, error) {
	if e.role != RoleLead {
		return false, nil
	}
	opened := []string{p.Mailbox}
	if p.Kind == ProposeSubstitute {
		var err error
		if opened, err = selectMemberships(ctx, tx, tenant, p.Person); err != nil {
			return false, err
		}
	}
	for _, m := range opened {
		if !slices.Contains(e.mine, m) {
			return false, nil
		}
	}
	return len(opened) > 0, nil
}

func selectProposals(ctx context.Context, tx *db.Tx, tenant string) ([]Proposal, error) {
	out, err := selectOpenMembers(ctx, tx, tenant)
	if err != nil {
		return nil, err
	}
	rows, err := selectSubstitutions(ctx, tx, tenant)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		if !r.Active {
			out = append(out, Proposal{ID: proposalID(ProposeSubstitute, r.Person, r.Deputy), Kind: ProposeSubstitute, Person: r.Person,
				Deputy: r.Deputy, Until: r.Until, By: r.by, At: r.Since})
		}
	}
	slices.SortStableFunc(out, func(a, b Proposal) int { return a.At.Compare(b.At) })
	return out, nil
}

// Proposals lists what waits for a second person, the oldest first: all of it for administrators and the console; for others what they
// may confirm, proposed or are part of.
func (v *Vault) Proposals(ctx context.Context, token, tenant string) ([]Proposal, error) {
	g, err := v.console(token, tenant)
	if err != nil {
		return nil, fmt.Errorf("vault: proposals: %w", err)
	}
	var out []Proposal
	err = v.view(ctx, "proposals", func(tx *db.Tx) error {
		e, err := selectEyes(ctx, tx, g)
		if err != nil {
			return err
		}
		all, err := selectProposals(ctx, tx, tenant)
		if err != nil {
			return err
		}
		wide := g.service != "" || e.role == RoleAdmin
		out = nil
		for _, p := range all {
			p.Mine = slices.Contains([]string{p.By, p.Person, p.Deputy}, g.actor())
			if p.MayConfirm, err = e.confirms(ctx, tx, tenant, p); err != nil {
				return err
			}
			if wide || p.Mine || p.MayConfirm {
				out = append(out, p)
			}
		}
		return nil
	})
	return out, err
}

// console resolves the token of any person of the tenant, or of the console.
func (v *Vault) console(token, tenant string) (*grant, error) {
	g, err := v.grant(token)
	if err == nil && g.service != ServiceConsole {
		return v.person(token, tenant)
	}
	return g, err
}

// Confirm puts a proposal in force, as the second person, with a fresh proof (ErrProve). Whether the caller may is decided on the rows, in the transaction:
// fault.Denied otherwise. A proposal that is gone, or of which the caller may not know, is fault.NotFound.
func (v *Vault) Confirm(ctx context.Context, token, tenant, proposal string) error {
	g, err := v.person(token, tenant)
	if err == nil {
		err = v.proved(g)
	}
	if err != nil {
		return fmt.Errorf("vault: confirm: %w", err)
	}
	return v.update(ctx, "confirm", func(tx *db.Tx) error {
		if err := stillActive(ctx, tx, g); err != nil {
			return err
		}
		p, err := findProposal(ctx, tx, tenant, proposal)
		if err != nil {
			return err
		}
		if ok, err := mayConfirm(ctx, tx, g, tenant, p); err != nil || !ok {
			return errors.Join(err, hidden(g, p))
		}
		e := entry{tenant: tenant, person: g.actor(), action: actionJoin, object: p.Person, purpose: p.Mailbox, items: 1}
		var n int64
		if p.Kind == ProposeMember {
			n, err = confirmMember(ctx, tx, tenant, p.Person, p.Mailbox, g.person)
		} else {
			e.action, e.purpose = actionStandIn, p.Deputy
			n, err = confirmSubstitution(ctx, tx, tenant, p.Person, p.Deputy, g.person)
		}
		if err == nil && n == 0 {
			err = fmt.Errorf("proposal: %w", fault.NotFound)
		}
		if err != nil {
			return err
		}
		return v.audit(ctx, tx, e)
	})
}

// hidden is the answer to who may not decide on a proposal: fault.Denied when Proposals shows it to them.
func hidden(g *grant, p Proposal) error {
	if g.role == RoleAdmin || slices.Contains([]string{p.By, p.Person, p.Deputy}, g.person) {
		return fmt.Errorf("proposal: a second person decides: %w", fault.Denied)
	}
	return fmt.Errorf("proposal: %w", fault.NotFound)
}

func findProposal(ctx context.Context, tx *db.Tx, tenant, id string) (Proposal, error) {
	all, err := selectProposals(ctx, tx, tenant)
	if err != nil {
		return Proposal{}, err
	}
	at := slices.IndexFunc(all, func(p Proposal) bool { return p.ID == id })
	if at < 0 {
		return Proposal{}, fmt.Errorf("proposal: %w", fault.NotFound)
	}
	return all[at], nil
}

// Refuse removes a proposal. Who could confirm it may, and who proposed it, and every administrator.
func (v *Vault) Refuse(ctx context.Context, token, tenant, proposal string) error {
	g, err := v.console(token, tenant)
	if err != nil {
		return fmt.Errorf("vault: refuse: %w", err)
	}
	return v.update(ctx, "refuse", func(tx *db.Tx) error {
		if err := stillActive(ctx, tx, g); err != nil {
			return err
		}
		p, err := findProposal(ctx, tx, tenant, proposal)
		if err != nil {
			return err
		}
		ok, err := mayConfirm(ctx, tx, g, tenant, p)
		if err != nil {
			return err
		}
		if !ok && p.By != g.actor() {
			if err := stillAdmin(ctx, tx, g); err != nil {
				return hidden(g, p)
			}
		}
		purpose := p.Mailbox
		if p.Kind == ProposeMember {
			_, err = deleteMember(ctx, tx, tenant, p.Person, p.Mailbox)
		} else {
			purpose = p.Deputy
			_, err = deleteSubstitution(ctx, tx, tenant, p.Person, p.Deputy)
		}
		if err != nil {
			return err
		}
		return v.audit(ctx, tx, entry{tenant: tenant, person: g.actor(), action: actionRefuse, object: p.Person, purpose: purpose, items: 1})
	})
}

// Substitute proposes that deputy sees the mailboxes of person until a time, at most 92 days ahead. token is that of the person, of an
// administrator who is not the deputy, with a fresh proof (ErrProve), or of the console. A second person confirms, always; a shorter time for a substitution in force
// needs nobody. fault.Invalid names the fields deputy, until.
func (v *Vault) Substitute(ctx context.Context, token, tenant, person, deputy string, until time.Time) error {
	g, err := v.own(token, tenant, person)
	if err == nil {
		err = v.proved(g)
	}
	if err == nil && g.service == "" && g.person == deputy {
		err = fmt.Errorf("nobody admits themselves: %w", fault.Denied)
	}
	if err != nil {
		return fmt.Errorf("vault: substitute: %w", err)
	}
	return v.update(ctx, "substitute", func(tx *db.Tx) error {
		if err := stillOwn(ctx, tx, g, person); err != nil {
			return err
		}
		until = db.Time(db.Millis(until))
		if err := checkSubstitution(ctx, tx, tenant, person, deputy, until); err != nil {
			return err
		}
		s := Substitution{Person: person, Deputy: deputy, Until: until}
		by, confirmed, err := stillConfirmed(ctx, tx, tenant, s)
		if err != nil {
			return err
		}
		if confirmed == "" {
			by = g.actor()
		}
		if err := putSubstitution(ctx, tx, tenant, s, by, confirmed); err != nil {
			return err
		}
		return v.audit(ctx, tx, entry{tenant: tenant, person: g.actor(), action: actionStandInAsk, object: person, purpose: deputy, items: 1})
	})
}

func checkSubstitution(ctx context.Context, tx *db.Tx, tenant, person, deputy string, until time.Time) error {
	var bad []fault.Field
	if _, err := selectRole(ctx, tx, tenant, person); err != nil {
		return err
	}
	role, err := selectRole(ctx, tx, tenant, deputy)
	if err != nil && !errors.Is(err, fault.NotFound) {
		return err
	}
	if !mayJoin(role) || deputy == person {
		bad = append(bad, fault.Field{Name: "deputy", Key: "vault.substitute.deputy"})
	}
	if !until.After(tx.Now) || until.After(tx.Now.Add(maxSubstitution)) {
		bad = append(bad, fault.Field{Name: "until", Key: "vault.substitute.until", Args: []any{"days", int(maxSubstitution / (24 * time.Hour))}})
	}
	return fault.Fields(bad...)
}

// stillConfirmed returns who proposed and confirmed a substitution in force that the new one does not lengthen.
func stillConfirmed(ctx context.Context, tx *db.Tx, tenant string, s Substitution) (by, confirmed string, err error) {
	rows, err := selectSubstitutions(ctx, tx, tenant)
	for _, r := range rows {
		if r.Person == s.Person && r.Deputy == s.Deputy && r.Active && !s.Until.After(r.Until) {
			return r.by, r.confirmed, err
		}
	}
	return "", "", err
}

// EndSubstitution ends a substitution, or its proposal, from the next call on. token is that of the person, the deputy, an
// administrator or the console. It is idempotent.
func (v *Vault) EndSubstitution(ctx context.Context, token, tenant, person, deputy string) error {
	g, err := v.own(token, tenant, person)
	if errors.Is(err, fault.Denied) {
		g, err = v.own(token, tenant, deputy)
	}
	if err != nil {
		return fmt.Errorf("vault: end substitution: %w", err)
	}
	return v.update(ctx, "end substitution", func(tx *db.Tx) error {
		who := person
		if g.person == deputy {
			who = deputy
		}
		if err := stillOwn(ctx, tx, g, who); err != nil {
			return err
		}
		n, err := deleteSubstitution(ctx, tx, tenant, person, deputy)
		if err != nil || n == 0 {
			return err
		}
		return v.audit(ctx, tx, entry{tenant: tenant, person: g.actor(), action: actionStandInEnd, object: person, purpose: deputy, items: 1})
	})
}

// Substitutions lists those that have not ended, the soonest to end first: all for administrators and the console, their own for others.
func (v *Vault) Substitutions(ctx context.Context, token, tenant string) ([]Substitution, error) {
	g, err := v.console(token, tenant)
	if err != nil {
		return nil, fmt.Errorf("vault: substitutions: %w", err)
	}
	var out []Substitution
	err = v.view(ctx, "substitutions", func(tx *db.Tx) error {
		role, err := stillIn(ctx, tx, g, Roles()...)
		if err != nil {
			return err
		}
		rows, err := selectSubstitutions(ctx, tx, tenant)
		out = nil
		for _, r := range rows {
			if g.service != "" || role == RoleAdmin || slices.Contains([]string{r.Person, r.Deputy}, g.person) {
				out = append(out, r.Substitution)
			}
		}
		return err
	})
	return out, err
}

// AuditRows returns a page of the audit of a tenant, newest first. token is that of an administrator, data protection officer or auditor of the tenant, or of the console. The rows hold ids
// and words of fixed lists; nothing is opened. The look itself is audited, once for a page from the start.
func (v *Vault) AuditRows(ctx context.Context, token, tenant string, f AuditFilter) (AuditPage, error) {
	g, err := v.console(token, tenant)
	if err != nil {
		return AuditPage{}, fmt.Errorf("vault: audit rows: %w", err)
	}
	if f.Before < 0 || f.Limit < 1 || f.Limit > maxAuditRows {
		return AuditPage{}, fmt.Errorf("vault: audit rows: page: %w", fault.Invalid)
	}
	var page AuditPage
	err = v.update(ctx, "audit rows", func(tx *db.Tx) error {
		if _, err := stillIn(ctx, tx, g, RoleAdmin, RoleDPO, RoleAuditor); err != nil {
			return err
		}
		rows, err := selectAuditBefore(ctx, tx, tenant, f)
		if err != nil {
			return err
		}
		page = AuditPage{Rows: rows[:min(f.Limit, len(rows))], More: len(rows) > f.Limit}
		if f.Before > 0 {
			return nil
		}
		return v.audit(ctx, tx, entry{tenant: tenant, person: g.actor(), action: actionAuditRead, items: len(page.Rows)})
	})
	if err != nil || !f.Verify {
		return page, err
	}
	err = v.VerifyAudit(ctx)
	if err != nil && !errors.Is(err, ErrAudit) {
		return AuditPage{}, err
	}
	page.Whole = err == nil
	return page, nil
}
