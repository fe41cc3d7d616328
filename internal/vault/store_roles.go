package vault

import (
	"cmp"
	"context"
	"strconv"

	"poststelle/internal/db"
)

// selectMailboxesOf lists what a person sees now, by the rule of ofMember.
func selectMailboxesOf(ctx context.Context, tx *db.Tx, tenant, person string) ([]string, error) {
	return db.Collect(ctx, tx, scanText, `
		select t.mailbox
		from (select id as mailbox from vault_mailboxes where tenant = $1) t
		where`+ofMember+`
		order by t.mailbox`, tenant, person, db.Millis(tx.Now))
}

// selectMemberships lists the confirmed memberships that a person has by themselves.
func selectMemberships(ctx context.Context, tx *db.Tx, tenant, person string) ([]string, error) {
	return db.Collect(ctx, tx, scanText, `
		select mailbox from vault_members
		where tenant = $1 and person = $2 and confirmed_by <> ''
		order by mailbox`, tenant, person)
}

// selectAllOf lists the mailboxes of all memberships of a person, proposed ones too.
func selectAllOf(ctx context.Context, tx *db.Tx, tenant, person string) ([]string, error) {
	return db.Collect(ctx, tx, scanText, `
		select mailbox from vault_members
		where tenant = $1 and person = $2
		order by mailbox`, tenant, person)
}

// reopenMember makes a membership a proposal.
func reopenMember(ctx context.Context, tx *db.Tx, tenant, person, mailbox, by string) error {
	_, err := tx.Exec(ctx, `
		update vault_members set proposed_by = $4, confirmed_by = '', created_at = $5
		where tenant = $1 and person = $2 and mailbox = $3`, tenant, person, mailbox, by, db.Millis(tx.Now))
	return err
}

func countAdmins(ctx context.Context, tx *db.Tx, tenant string) (n int, err error) {
	err = tx.QueryRow(ctx, `select count(*) from vault_staff where tenant = $1 and active and role = 'admin'`, tenant).Scan(&n)
	return n, err
}

// countConfirmers is how many persons could confirm that a person joins a mailbox: administrators and its leads.
func countConfirmers(ctx context.Context, tx *db.Tx, tenant, person, mailbox string) (n int, err error) {
	err = tx.QueryRow(ctx, `
		select count(*) from vault_staff s
		where s.tenant = $1 and s.active and s.id <> $2 and (s.role = 'admin' or s.role = 'lead' and exists (
			select m.person from vault_members m
			where m.tenant = $1 and m.person = s.id and m.mailbox = $3 and m.confirmed_by <> ''))`, tenant, person, mailbox).Scan(&n)
	return n, err
}

func selectGivers(ctx context.Context, tx *db.Tx, tenant string) (givers, error) {
	out := givers{}
	_, err := db.Collect(ctx, tx, func(s db.Scanner) (struct{}, error) {
		var by, to string
		err := s.Scan(&by, &to)
		out[to] = append(out[to], by)
		return struct{}{}, err
	}, `
		select distinct person, object from vault_audit
		where tenant = $1 and person <> object and substr(person, 1, 8) <> 'service:'
		and action in ('staff.add', 'staff.role', 'staff.password', 'staff.factor')`, tenant)
	return out, err
}

func updateRole(ctx context.Context, tx *db.Tx, tenant, person, role string) error {
	n, err := tx.Exec(ctx, `
		update vault_staff set role = $3
		where tenant = $1 and id = $2 and active`, tenant, person, role)
	return found(n, err, person)
}

func confirmMember(ctx context.Context, tx *db.Tx, tenant, person, mailbox, by string) (int64, error) {
	return tx.Exec(ctx, `
		update vault_members set confirmed_by = $4, created_at = $5
		where tenant = $1 and person = $2 and mailbox = $3 and confirmed_by = ''`, tenant, person, mailbox, by, db.Millis(tx.Now))
}

func selectOpenMembers(ctx context.Context, tx *db.Tx, tenant string) ([]Proposal, error) {
	return db.Collect(ctx, tx, func(s db.Scanner) (p Proposal, err error) {
		var at int64
		err = s.Scan(&p.Person, &p.Mailbox, &p.By, &at)
		p.Kind, p.At = ProposeMember, db.Time(at)
		p.ID = proposalID(p.Kind, p.Person, p.Mailbox)
		return p, err
	}, `
		select person, mailbox, proposed_by, created_at from vault_members
		where tenant = $1 and confirmed_by = ''
		order by created_at, person, mailbox
		limit 1000`, tenant)
}

// Substitutions.

func putSubstitution(ctx context.Context, tx *db.Tx, tenant string, s Substitution, by, confirmed string) error {
	_, err := tx.Exec(ctx, `
		insert into vault_substitutions (tenant, person, deputy, proposed_by, confirmed_by, until_at, created_at)
		values ($1, $2, $3, $4, $5, $6, $7)
		on conflict (tenant, person, deputy) do update set proposed_by = excluded.proposed_by, confirmed_by = excluded.confirmed_by,
			until_at = excluded.until_at, created_at = excluded.created_at`,
		tenant, s.Person, s.Deputy, by, confirmed, db.Millis(s.Until), db.Millis(tx.Now))
	return err
}

func confirmSubstitution(ctx context.Context, tx *db.Tx, tenant, person, deputy, by string) (int64, error) {
	return tx.Exec(ctx, `
		update vault_substitutions set confirmed_by = $4, created_at = $5
		where tenant = $1 and person = $2 and deputy = $3 and confirmed_by = '' and until_at > $5`, tenant, person, deputy, by, db.Millis(tx.Now))
}

func deleteSubstitution(ctx context.Context, tx *db.Tx, tenant, person, deputy string) (int64, error) {
	return tx.Exec(ctx, `delete from vault_substitutions where tenant = $1 and person = $2 and deputy = $3`, tenant, person, deputy)
}

func deleteEndedSubstitutions(ctx context.Context, tx *db.Tx) error {
	_, err := tx.Exec(ctx, `delete from vault_substitutions where until_at <= $1`, db.Millis(tx.Now))
	return err
}

type substitutionRow struct {
	Substitution
	by, confirmed string
}

func selectSubstitutions(ctx context.Context, tx *db.Tx, tenant string) ([]substitutionRow, error) {
	return db.Collect(ctx, tx, func(s db.Scanner) (r substitutionRow, err error) {
		var until, at int64
		err = s.Scan(&r.Person, &r.Deputy, &r.by, &r.confirmed, &until, &at)
		r.Until, r.Since, r.Active = db.Time(until), db.Time(at), r.confirmed != ""
		return r, err
	}, `
		select person, deputy, proposed_by, confirmed_by, until_at, created_at from vault_substitutions
		where tenant = $1 and until_at > $2
		order by until_at, person, deputy
		limit 1000`, tenant, db.Millis(tx.Now))
}

// Audit.

// selectAuditBefore returns one row more than the filter asks for, if there is one.
func selectAuditBefore(ctx context.Context, tx *db.Tx, tenant string, f AuditFilter) ([]AuditRow, error) {
	const never = 1 << 62
	before, from, to := cmp.Or(f.Before, never), int64(0), int64(never)
	if !f.From.IsZero() {
		from = db.Millis(f.From)
	}
	if !f.To.IsZero() {
		to = db.Millis(f.To)
	}
	return db.Collect(ctx, tx, func(s db.Scanner) (r AuditRow, err error) {
		var at int64
		err = s.Scan(&r.Seq, &at, &r.Tenant, &r.Person, &r.Action, &r.Thread, &r.Object, &r.Items, &r.Purpose)
		r.At = db.Time(at)
		return r, err
	}, `
		select seq, at, tenant, person, action, thread, object, items, purpose from vault_audit
		where tenant = $1 and seq < $2 and at >= $3 and at < $4 and substr(action, 1, length($5)) = $5
		order by seq desc
		limit `+strconv.Itoa(f.Limit+1), tenant, before, from, to, f.Action)
}
