package vault

import (
	"context"
	"errors"
	"fmt"
	"time"

	"poststelle/internal/db"
	"poststelle/internal/fault"
)

type staffRow struct {
	id                          string
	login, password, totp, mail []byte // sealed
	role                        string
	active, secondFactor        bool
	totpStep                    int64
}

func insertStaff(ctx context.Context, tx *db.Tx, tenant string, loginKey []byte, r staffRow) error {
	_, err := tx.Exec(ctx, `
		insert into vault_staff (tenant, id, login_key, login_sealed, role, active, second_factor,
			password_sealed, totp_sealed, totp_step, mail_sealed, created_at, disabled_at)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, $10, $11, 0)`,
		tenant, r.id, loginKey, r.login, r.role, r.active, r.secondFactor, r.password, r.totp, r.mail, db.Millis(tx.Now))
	return err
}

func selectLogin(ctx context.Context, tx *db.Tx, tenant string, loginKey []byte) (r staffRow, err error) {
	err = tx.QueryRow(ctx, `
		select id, login_sealed, role, active, second_factor, password_sealed, totp_sealed, totp_step
		from vault_staff
		where tenant = $1 and login_key = $2`, tenant, loginKey).
		Scan(&r.id, &r.login, &r.role, &r.active, &r.secondFactor, &r.password, &r.totp, &r.totpStep)
	return r, err
}

// useTOTP marks a step as used; 0 rows when it, or a later one, was used before.
func useTOTP(ctx context.Context, tx *db.Tx, tenant, person string, step int64) (int64, error) {
	return tx.Exec(ctx, `
		update vault_staff set totp_step = $3
		where tenant = $1 and id = $2 and totp_step < $3 and active`, tenant, person, step)
}

// activePerson is fault.NotFound when the person does not exist or is disabled.
func activePerson(ctx context.Context, tx *db.Tx, tenant, person string) error {
	_, err := selectRole(ctx, tx, tenant, person)
	return err
}

func selectRole(ctx context.Context, tx *db.Tx, tenant, person string) (role string, err error) {
	err = tx.QueryRow(ctx, `select role from vault_staff where tenant = $1 and id = $2 and active`, tenant, person).Scan(&role)
	return role, err
}

func selectOperator(ctx context.Context, tx *db.Tx, tenant string) (operator bool, err error) {
	err = tx.QueryRow(ctx, `select operator from vault_tenants where id = $1`, tenant).Scan(&operator)
	return operator, err
}

func updatePassword(ctx context.Context, tx *db.Tx, tenant, person string, sealed []byte) error {
	n, err := tx.Exec(ctx, `
		update vault_staff set password_sealed = $3
		where tenant = $1 and id = $2 and active`, tenant, person, sealed)
	return found(n, err, person)
}

func updateTOTP(ctx context.Context, tx *db.Tx, tenant, person string, sealed []byte) (login []byte, err error) {
	n, err := tx.Exec(ctx, `
		update vault_staff set totp_sealed = $3, second_factor = $4, totp_step = 0
		where tenant = $1 and id = $2 and active`, tenant, person, sealed, true)
	if err := found(n, err, person); err != nil {
		return nil, err
	}
	err = tx.QueryRow(ctx, `select login_sealed from vault_staff where tenant = $1 and id = $2`, tenant, person).Scan(&login)
	return login, err
}

func found(n int64, err error, person string) error {
	if err == nil && n == 0 {
		return fmt.Errorf("person %s: %w", person, fault.NotFound)
	}
	return err
}

// disableStaff blanks the verifiers and the address and ends memberships and substitutions; done is false when there was nothing to do.
func disableStaff(ctx context.Context, tx *db.Tx, tenant, person string) (role string, done bool, err error) {
	var active bool
	err = tx.QueryRow(ctx, `select role, active from vault_staff where tenant = $1 and id = $2`, tenant, person).Scan(&role, &active)
	if err != nil || !active {
		return role, false, err
	}
	if _, err := tx.Exec(ctx, `
		update vault_staff set active = $3, disabled_at = $4, password_sealed = $5, totp_sealed = $5, mail_sealed = $5
		where tenant = $1 and id = $2`, tenant, person, false, db.Millis(tx.Now), []byte{}); err != nil {
		return role, false, err
	}
	return role, true, deleteReach(ctx, tx, tenant, person)
}

// deleteReach removes all memberships of a person and all substitutions by and of them.
func deleteReach(ctx context.Context, tx *db.Tx, tenant, person string) error {
	if _, err := tx.Exec(ctx, `delete from vault_members where tenant = $1 and person = $2`, tenant, person); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `delete from vault_substitutions where tenant = $1 and (person = $2 or deputy = $2)`, tenant, person)
	return err
}

func deleteDisabledStaff(ctx context.Context, tx *db.Tx, before time.Time) error {
	_, err := tx.Exec(ctx, `delete from vault_staff where not active and disabled_at < $1`, db.Millis(before))
	return err
}

func selectStaff(ctx context.Context, tx *db.Tx, tenant string) ([]staffRow, error) {
	return db.Collect(ctx, tx, func(s db.Scanner) (r staffRow, err error) {
		return r, s.Scan(&r.id, &r.login, &r.role, &r.active, &r.secondFactor)
	}, `
		select id, login_sealed, role, active, second_factor from vault_staff
		where tenant = $1
		order by id
		limit 10000`, tenant)
}

func selectMails(ctx context.Context, tx *db.Tx, tenant string, persons []string) ([]staffRow, error) {
	return db.Collect(ctx, tx, func(s db.Scanner) (r staffRow, err error) {
		return r, s.Scan(&r.id, &r.mail)
	}, `
		select id, mail_sealed from vault_staff
		where tenant = $1 and active and id in (`+db.In(2, len(persons))+`)
		order by id
		limit 200`, args([]any{tenant}, persons)...)
}

// Memberships.

func selectMember(ctx context.Context, tx *db.Tx, tenant, person, mailbox string) (proposed, confirmed string, err error) {
	err = tx.QueryRow(ctx, `
		select proposed_by, confirmed_by from vault_members
		where tenant = $1 and person = $2 and mailbox = $3`, tenant, person, mailbox).Scan(&proposed, &confirmed)
	return proposed, confirmed, err
}

func putMember(ctx context.Context, tx *db.Tx, tenant, person, mailbox, proposed, confirmed string) error {
	_, err := tx.Exec(ctx, `
		insert into vault_members (tenant, person, mailbox, proposed_by, confirmed_by, created_at)
		values ($1, $2, $3, $4, $5, $6)
		on conflict (tenant, person, mailbox) do update set confirmed_by = excluded.confirmed_by, created_at = excluded.created_at`,
		tenant, person, mailbox, proposed, confirmed, db.Millis(tx.Now))
	return err
}

func deleteMember(ctx context.Context, tx *db.Tx, tenant, person, mailbox string) (int64, error) {
	return tx.Exec(ctx, `delete from vault_members where tenant = $1 and person = $2 and mailbox = $3`, tenant, person, mailbox)
}

func selectMembers(ctx context.Context, tx *db.Tx, tenant, mailbox string) ([]Member, error) {
	return db.Collect(ctx, tx, func(s db.Scanner) (m Member, err error) {
		var at int64
		var confirmed string
		err = s.Scan(&m.Person, &confirmed, &at)
		m.Since, m.Active = db.Time(at), confirmed != ""
		return m, err
	}, `
		select person, confirmed_by, created_at from vault_members
		where tenant = $1 and mailbox = $2
		order by person
		limit 10000`, tenant, mailbox)
}

func selectAllMembers(ctx context.Context, tx *db.Tx, tenant string) (map[string][]string, error) {
	type pair struct{ person, mailbox string }
	rows, err := db.Collect(ctx, tx, func(s db.Scanner) (p pair, err error) {
		return p, s.Scan(&p.person, &p.mailbox)
	}, `
		select person, mailbox from vault_members
		where tenant = $1 and confirmed_by <> ''
		order by person, mailbox`, tenant)
	out := map[string][]string{}
	for _, r := range rows {
		out[r.person] = append(out[r.person], r.mailbox)
	}
	return out, err
}

// Audit.

func insertAudit(ctx context.Context, tx *db.Tx, r auditRow) error {
	_, err := tx.Exec(ctx, `
		insert into vault_audit (seq, at, tenant, person, action, thread, object, items, purpose, reason_sealed, hash)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		r.seq, r.at, r.e.tenant, r.e.person, r.e.action, r.e.thread, r.e.object, r.e.items, r.e.purpose, r.sealed, r.hash)
	return err
}

func selectAuditAfter(ctx context.Context, tx *db.Tx, seq int64) ([]auditRow, error) {
	return db.Collect(ctx, tx, func(s db.Scanner) (r auditRow, err error) {
		return r, s.Scan(&r.seq, &r.at, &r.e.tenant, &r.e.person, &r.e.action, &r.e.thread, &r.e.object, &r.e.items, &r.e.purpose, &r.sealed, &r.hash)
	}, `
		select seq, at, tenant, person, action, thread, object, items, purpose, reason_sealed, hash from vault_audit
		where seq > $1
		order by seq
		limit 1000`, seq)
}

// selectPrunable finds the last row before the first one that is not older than cutoff; fault.NotFound when there is none.
func selectPrunable(ctx context.Context, tx *db.Tx, cutoff time.Time) (seq int64, hash []byte, err error) {
	var first int64
	err = tx.QueryRow(ctx, `select seq from vault_audit where at >= $1 order by seq limit 1`, db.Millis(cutoff)).Scan(&first)
	if errors.Is(err, fault.NotFound) {
		first, err = 1<<62, nil
	}
	if err != nil {
		return 0, nil, err
	}
	err = tx.QueryRow(ctx, `select seq, hash from vault_audit where seq < $1 order by seq desc limit 1`, first).Scan(&seq, &hash)
	return seq, hash, err
}

func deleteAuditUpTo(ctx context.Context, tx *db.Tx, seq int64) error {
	_, err := tx.Exec(ctx, `delete from vault_audit where seq <= $1`, seq)
	return err
}

// countOpens returns how many threads a person has opened since a time, and
// whether one was among them.
func countOpens(ctx context.Context, tx *db.Tx, tenant, person, thread string, since time.Time) (n int, again bool, err error) {
	var hits int
	err = tx.QueryRow(ctx, `
		select count(distinct thread), coalesce(sum(case when thread = $4 then 1 else 0 end), 0) from vault_audit
		where tenant = $1 and person = $2 and action = 'open' and at > $3`, tenant, person, db.Millis(since), thread).Scan(&n, &hits)
	return n, hits > 0, err
}

func selectReads(ctx context.Context, tx *db.Tx, tenant, thread string) ([]Read, error) {
	return db.Collect(ctx, tx, func(s db.Scanner) (r Read, err error) {
		var at int64
		err = s.Scan(&at, &r.Person, &r.Action, &r.Purpose, &r.Items)
		r.At = db.Time(at)
		return r, err
	}, `
		select at, person, action, purpose, items from vault_audit
		where tenant = $1 and thread = $2 and action in ('open', 'contact')
		order by seq desc
		limit 200`, tenant, thread)
}
