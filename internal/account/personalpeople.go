package account

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"poststelle/internal/fault"
	"poststelle/internal/i18n"
	"poststelle/internal/tenant"
	"poststelle/internal/vault"
)

// personRow is a member of staff as the pages about staff show them.
type personRow struct {
	ID, Name, Login string
	Role            Role
	Active          bool
	SecondFactor    bool
	Passkeys        int
	Boxes           []boxRow
	Own             bool // it is the person who looks
}

// boxRow is a mailbox with its title.
type boxRow struct {
	ID    tenant.MailboxID
	Title string
}

// proposalRow is a change that waits for a second person, in words.
type proposalRow struct {
	vault.Proposal
	Who, Box, For, By string // names and titles
	ByMe              bool
}

// standInRow is a substitution in words.
type standInRow struct {
	vault.Substitution
	Who, For string
	Waits    bool // for a second person
}

// people are the staff of a tenant with the names that this package keeps.
type people struct {
	rows  []personRow
	names map[string]string
}

// people reads the staff of the person's tenant, by name. A person in the vault
// without a name here goes by their login.
func (a *Accounts) people(ctx context.Context, who Actor) (people, error) {
	list, err := a.Vault.Staff(ctx, who.Grant, string(who.Tenant))
	if err != nil {
		return people{}, fmt.Errorf("account: staff: %w", away(err))
	}
	names, err := a.Names(ctx, who.Tenant)
	if err != nil {
		return people{}, err
	}
	p := people{names: names}
	for _, s := range list {
		row := personRow{
			ID: s.ID, Name: names[s.ID], Login: s.Login, Role: Role(s.Role), Active: s.Active, SecondFactor: s.SecondFactor, Own: s.ID == who.Person,
			Passkeys: s.Passkeys,
		}
		if row.Name == "" {
			row.Name = s.Login
			p.names[s.ID] = s.Login
		}
		for _, m := range s.Mailboxes {
			row.Boxes = append(row.Boxes, boxRow{tenant.MailboxID(m), a.boxTitle(ctx, who.Tenant, tenant.MailboxID(m))})
		}
		p.rows = append(p.rows, row)
	}
	slices.SortStableFunc(p.rows, func(x, y personRow) int {
		if x.Active != y.Active {
			if x.Active {
				return -1
			}
			return 1
		}
		return strings.Compare(strings.ToLower(x.Name), strings.ToLower(y.Name))
	})
	return p, nil
}

// one is the person with that id; fault.NotFound for nobody of this tenant.
func (p people) one(id string) (personRow, error) {
	at := slices.IndexFunc(p.rows, func(r personRow) bool { return r.ID == id })
	if at < 0 {
		return personRow{}, fmt.Errorf("account: person: %w", fault.NotFound)
	}
	return p.rows[at], nil
}

// deputies are the people who may stand in for a person.
func (p people) deputies(of string) (out []personRow) {
	for _, r := range p.rows {
		if r.Active && r.ID != of && slices.Contains(Readers(), r.Role) {
			out = append(out, r)
		}
	}
	return out
}

// near keeps whom a lead may see: themselves and who shares a mailbox, with the
// shared mailboxes only.
func (p people) near(who Actor) (out []personRow) {
	for _, r := range p.rows {
		r.Boxes = slices.DeleteFunc(slices.Clone(r.Boxes), func(b boxRow) bool { return !slices.Contains(who.Mailboxes, b.ID) })
		if r.Active && (r.Own || len(r.Boxes) > 0) {
			r.Login = ""
			out = append(out, r)
		}
	}
	return out
}

func (a *Accounts) boxTitle(ctx context.Context, of tenant.ID, box tenant.MailboxID) string {
	if t, ok := a.Directory.ByID(of); ok {
		if m, ok := t.Mailbox(box); ok {
			return m.Title(i18n.Lang(ctx))
		}
	}
	return string(box)
}

// boxes are the mailboxes of the person's tenant, in their order.
func (a *Accounts) boxes(ctx context.Context, of tenant.ID) (out []boxRow) {
	t, ok := a.Directory.ByID(of)
	if !ok {
		return nil
	}
	for _, m := range t.Mailboxes {
		out = append(out, boxRow{m.ID, m.Title(i18n.Lang(ctx))})
	}
	return out
}

// proposals reads what waits for a second person and concerns who looks.
func (a *Accounts) proposals(ctx context.Context, who Actor, p people) (out []proposalRow, err error) {
	open, err := a.Vault.Proposals(ctx, who.Grant, string(who.Tenant))
	if err != nil {
		return nil, fmt.Errorf("account: proposals: %w", away(err))
	}
	for _, o := range open {
		row := proposalRow{Proposal: o, Who: p.name(ctx, o.Person), By: p.name(ctx, o.By), ByMe: o.By == who.Person}
		if o.Kind == vault.ProposeMember {
			row.Box = a.boxTitle(ctx, who.Tenant, tenant.MailboxID(o.Mailbox))
		} else {
			row.For, row.Who = row.Who, p.name(ctx, o.Deputy)
		}
		out = append(out, row)
	}
	return out, nil
}

// standIns reads the substitutions of one person, "" for all that may be seen.
func (a *Accounts) standIns(ctx context.Context, who Actor, p people, of string) (out []standInRow, err error) {
	list, err := a.Vault.Substitutions(ctx, who.Grant, string(who.Tenant))
	if err != nil {
		return nil, fmt.Errorf("account: substitutions: %w", away(err))
	}
	for _, s := range list {
		if of == "" || s.Person == of || s.Deputy == of {
			out = append(out, standInRow{Substitution: s, Who: p.name(ctx, s.Deputy), For: p.name(ctx, s.Person), Waits: !s.Active})
		}
	}
	return out, nil
}

// name is what a person or a service is called.
func (p people) name(ctx context.Context, id string) string {
	if name := p.names[id]; name != "" {
		return name
	}
	if strings.HasPrefix(id, "service:") {
		return i18n.T(ctx, "account.personal.console")
	}
	return i18n.T(ctx, "account.personal.unknown")
}

// lastDay reads the last day of an absence as a date field sends it, and returns
// the moment at which that day ends; the zero time for anything else.
func lastDay(s string) time.Time {
	day, err := time.ParseInLocation(time.DateOnly, s, i18n.Zone())
	if err != nil {
		return time.Time{}
	}
	return day.AddDate(0, 0, 1)
}

func tenantID(g vault.Grant) tenant.ID { return tenant.ID(g.Tenant) }

func boxIDs(ids []string) (out []tenant.MailboxID) {
	for _, id := range ids {
		out = append(out, tenant.MailboxID(id))
	}
	return out
}
