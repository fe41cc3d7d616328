package vault

import (
	"context"
	"time"
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
	AuditRows(ctx context.Context, token, tenant string, before int64, limit int) (AuditPage, error)
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

// AuditPage is a page of rows, newest first.
type AuditPage struct {
	Rows  []AuditRow
	More  bool // older rows follow: ask with before = the last row's Seq
	Whole bool // the chain of the whole audit verifies
}
