package vault

import (
	"context"
	"crypto/subtle"
	"embed"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"poststelle/internal/db"
	"poststelle/internal/fault"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations are those of the vault's own database.
func Migrations() db.Migrations { return db.Migrations{Name: "vault", FS: migrations} }

// rowID names a row within the store: tenant and id.
type rowID struct{ tenant, id string }

type tombstoneID struct{ tenant, kind, id string }

type threadRow struct {
	mailbox string
	wrapped []byte
}

type messageRow struct {
	tenant, id, thread string
	wrapped            []byte
	day                string // of intake; "" for answers
	byMail             bool
	author             string // person id of an answer
}

// keyRow is one message with the three wraps above it.
type keyRow struct {
	message, thread, mailbox string
	k, t, m                  []byte
}

type dayRow struct {
	purpose, day string
	public       []byte
	drained      bool
}

type tenantRow struct {
	id     string
	sealed []byte
}

// args puts strings behind the first arguments of a statement.
func args(first []any, rest []string) []any {
	for _, s := range rest {
		first = append(first, s)
	}
	return first
}

// pairs renders "($1, $2), ($3, $4)" for n pairs.
func pairs(n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("($" + strconv.Itoa(2*i+1) + ", $" + strconv.Itoa(2*i+2) + ")")
	}
	return b.String()
}

// Meta.

func getMeta(ctx context.Context, tx *db.Tx, name string) (value []byte, err error) {
	err = tx.QueryRow(ctx, `select value from vault_meta where name = $1`, name).Scan(&value)
	return value, err
}

func putMeta(ctx context.Context, tx *db.Tx, name string, value []byte) error {
	_, err := tx.Exec(ctx, `
		insert into vault_meta (name, value) values ($1, $2)
		on conflict (name) do update set value = excluded.value`, name, value)
	return err
}

// Tenants and mailboxes.

func insertTenant(ctx context.Context, tx *db.Tx, s TenantSpec, public, sealed []byte) error {
	_, err := tx.Exec(ctx, `
		insert into vault_tenants (id, operator, signing_public, signing_sealed, created_at)
		values ($1, $2, $3, $4, $5)
		on conflict (id) do nothing`, s.ID, s.Operator, public, sealed, db.Millis(tx.Now))
	return err
}

func insertMailbox(ctx context.Context, tx *db.Tx, tenant, mailbox string, wrapped []byte) error {
	_, err := tx.Exec(ctx, `
		insert into vault_mailboxes (tenant, id, key_wrapped, created_at)
		values ($1, $2, $3, $4)
		on conflict (tenant, id) do nothing`, tenant, mailbox, wrapped, db.Millis(tx.Now))
	return err
}

func selectTenants(ctx context.Context, tx *db.Tx) ([]tenantRow, error) {
	return db.Collect(ctx, tx, func(s db.Scanner) (r tenantRow, err error) {
		return r, s.Scan(&r.id, &r.sealed)
	}, `select id, signing_sealed from vault_tenants order by id`)
}

func tenantExists(ctx context.Context, tx *db.Tx, tenant string) error {
	var operator bool
	return tx.QueryRow(ctx, `select operator from vault_tenants where id = $1`, tenant).Scan(&operator)
}

func selectMailbox(ctx context.Context, tx *db.Tx, tenant, mailbox string) (wrapped []byte, err error) {
	err = tx.QueryRow(ctx, `select key_wrapped from vault_mailboxes where tenant = $1 and id = $2`, tenant, mailbox).Scan(&wrapped)
	return wrapped, err
}

// Days.

func insertDay(ctx context.Context, tx *db.Tx, purpose, day string, public, sealed []byte) error {
	_, err := tx.Exec(ctx, `
		insert into vault_days (purpose, day, public_key, private_sealed, created_at, drained_at)
		values ($1, $2, $3, $4, $5, 0)
		on conflict (purpose, day) do nothing`, purpose, day, public, sealed, db.Millis(tx.Now))
	return err
}

func scanDay(s db.Scanner) (r dayRow, err error) {
	var drained int64
	err = s.Scan(&r.purpose, &r.day, &r.public, &drained)
	r.drained = drained > 0
	return r, err
}

// selectDays lists the days from one on.
func selectDays(ctx context.Context, tx *db.Tx, from string) ([]dayRow, error) {
	return db.Collect(ctx, tx, scanDay, `
		select purpose, day, public_key, drained_at from vault_days
		where day >= $1
		order by purpose, day`, from)
}

func selectPastDays(ctx context.Context, tx *db.Tx, before string) ([]dayRow, error) {
	return db.Collect(ctx, tx, scanDay, `
		select purpose, day, public_key, drained_at from vault_days
		where day < $1
		order by purpose, day`, before)
}

func selectIntakeDays(ctx context.Context, tx *db.Tx) ([]string, error) {
	return db.Collect(ctx, tx, scanText, `select day from vault_days where purpose = $1 order by day`, purposeIntake)
}

func selectDayPrivate(ctx context.Context, tx *db.Tx, purpose, day string) (sealed []byte, err error) {
	err = tx.QueryRow(ctx, `select private_sealed from vault_days where purpose = $1 and day = $2`, purpose, day).Scan(&sealed)
	return sealed, err
}

func deleteDay(ctx context.Context, tx *db.Tx, purpose, day string) error {
	_, err := tx.Exec(ctx, `delete from vault_days where purpose = $1 and day = $2`, purpose, day)
	return err
}

func markDrained(ctx context.Context, tx *db.Tx, day string, at time.Time) error {
	_, err := tx.Exec(ctx, `update vault_days set drained_at = $3 where purpose = $1 and day = $2`, purposeIntake, day, db.Millis(at))
	return err
}

func unmarkDrained(ctx context.Context, tx *db.Tx, day string) error {
	_, err := tx.Exec(ctx, `update vault_days set drained_at = 0 where purpose = $1 and day = $2 and drained_at > 0`, purposeIntake, day)
	return err
}

// Intake: what a batch of boxes touches, one statement each.

func selectMessageThreads(ctx context.Context, tx *db.Tx, boxes []Box) (map[rowID]string, error) {
	var in []string
	for _, b := range boxes {
		in = append(in, b.Tenant, b.Message)
	}
	type pair struct {
		id     rowID
		thread string
	}
	rows, err := db.Collect(ctx, tx, func(s db.Scanner) (p pair, err error) {
		return p, s.Scan(&p.id.tenant, &p.id.id, &p.thread)
	}, `select tenant, id, thread from vault_messages where (tenant, id) in (values `+pairs(len(boxes))+`)`, args(nil, in)...)
	if err != nil {
		return nil, err
	}
	out := make(map[rowID]string, len(boxes))
	for _, r := range rows {
		out[r.id] = r.thread
	}
	return out, nil
}

func selectThreadsOf(ctx context.Context, tx *db.Tx, boxes []Box) (map[rowID]threadRow, error) {
	var in []string
	for _, b := range boxes {
		in = append(in, b.Tenant, b.Thread)
	}
	type pair struct {
		id  rowID
		row threadRow
	}
	rows, err := db.Collect(ctx, tx, func(s db.Scanner) (p pair, err error) {
		return p, s.Scan(&p.id.tenant, &p.id.id, &p.row.mailbox, &p.row.wrapped)
	}, `select tenant, id, mailbox, key_wrapped from vault_threads where (tenant, id) in (values `+pairs(len(boxes))+`)`, args(nil, in)...)
	if err != nil {
		return nil, err
	}
	out := make(map[rowID]threadRow, len(boxes))
	for _, r := range rows {
		out[r.id] = r.row
	}
	return out, nil
}

func selectTombstones(ctx context.Context, tx *db.Tx, boxes []Box) (map[tombstoneID]bool, error) {
	out := map[tombstoneID]bool{}
	for _, kind := range []string{kindMessage, kindThread} {
		var in []string
		for _, b := range boxes {
			id := b.Message
			if kind == kindThread {
				id = b.Thread
			}
			in = append(in, b.Tenant, id)
		}
		q := `select tenant, kind, id from vault_tombstones
			where (tenant, id) in (values ` + pairs(len(boxes)) + `) and kind = '` + kind + `'`
		rows, err := db.Collect(ctx, tx, func(s db.Scanner) (t tombstoneID, err error) {
			return t, s.Scan(&t.tenant, &t.kind, &t.id)
		}, q, args(nil, in)...)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			out[r] = true
		}
	}
	return out, nil
}

func insertThread(ctx context.Context, tx *db.Tx, tenant, thread string, row threadRow, day string) error {
	_, err := tx.Exec(ctx, `
		insert into vault_threads (tenant, id, mailbox, key_wrapped, day, created_at)
		values ($1, $2, $3, $4, $5, $6)`, tenant, thread, row.mailbox, row.wrapped, day, db.Millis(tx.Now))
	return err
}

func codeTaken(ctx context.Context, tx *db.Tx, tenant string, hash []byte) (bool, error) {
	var thread string
	err := tx.QueryRow(ctx, `select thread from vault_codes where tenant = $1 and lookup = $2`, tenant, hash).Scan(&thread)
	if errors.Is(err, fault.NotFound) {
		return false, nil
	}
	return err == nil, err
}

func insertCode(ctx context.Context, tx *db.Tx, tenant string, hash []byte, thread string, wrapped []byte) error {
	_, err := tx.Exec(ctx, `
		insert into vault_codes (tenant, lookup, thread, key_wrapped)
		values ($1, $2, $3, $4)`, tenant, hash, thread, wrapped)
	return err
}

func insertMessage(ctx context.Context, tx *db.Tx, m messageRow) error {
	_, err := tx.Exec(ctx, `
		insert into vault_messages (tenant, id, thread, key_wrapped, day, by_mail, author, created_at)
		values ($1, $2, $3, $4, $5, $6, $7, $8)`, m.tenant, m.id, m.thread, m.wrapped, m.day, m.byMail, m.author, db.Millis(tx.Now))
	return err
}

// Threads and messages.

// ofMember is the condition under which a person ($2) of a tenant ($1) sees a thread or mailbox t at a time ($3): they are active, in a
// role that may be a member, and a confirmed member of the mailbox where it lies now, or the confirmed deputy, for as long as agreed, of
// somebody who is.
const ofMember = `
	exists (
		select m.mailbox
		from vault_staff s
		join vault_members m on m.tenant = s.tenant and m.confirmed_by <> ''
		where s.tenant = $1 and s.id = $2 and s.active and s.role in ('clerk', 'lead', 'admin') and m.mailbox = t.mailbox
		and (m.person = $2 or m.person in (
			select d.person from vault_substitutions d
			where d.tenant = $1 and d.deputy = $2 and d.confirmed_by <> '' and d.until_at > $3)))`

func scanKey(s db.Scanner) (r keyRow, err error) {
	return r, s.Scan(&r.message, &r.thread, &r.mailbox, &r.k, &r.t, &r.m)
}

const selectKeys = `
	select k.id, k.thread, t.mailbox, k.key_wrapped, t.key_wrapped, b.key_wrapped
	from vault_messages k
	join vault_threads t on t.tenant = k.tenant and t.id = k.thread
	join vault_mailboxes b on b.tenant = t.tenant and b.id = t.mailbox`

func selectMemberKeys(ctx context.Context, tx *db.Tx, tenant, person string, messages []string) ([]keyRow, error) {
	return db.Collect(ctx, tx, scanKey, selectKeys+`
		where k.tenant = $1 and k.id in (`+db.In(4, len(messages))+`) and`+ofMember+`
		order by k.id
		limit 200`, args([]any{tenant, person, db.Millis(tx.Now)}, messages)...)
}

func selectThreadKeys(ctx context.Context, tx *db.Tx, tenant, thread string, messages []string, byMail bool) ([]keyRow, error) {
	only := ""
	if byMail {
		only = ` and k.by_mail`
	}
	return db.Collect(ctx, tx, scanKey, selectKeys+`
		where k.tenant = $1 and k.thread = $2 and k.id in (`+db.In(3, len(messages))+`)`+only+`
		order by k.id
		limit 200`, args([]any{tenant, thread}, messages)...)
}

func selectServiceKeys(ctx context.Context, tx *db.Tx, tenant string, messages []string, mailed bool) ([]keyRow, error) {
	only := ""
	if mailed {
		only = ` and exists (select 1 from vault_messages x where x.tenant = k.tenant and x.thread = k.thread and x.by_mail)`
	}
	return db.Collect(ctx, tx, scanKey, selectKeys+`
		where k.tenant = $1 and k.id in (`+db.In(2, len(messages))+`)`+only+`
		order by k.id
		limit 200`, args([]any{tenant}, messages)...)
}

func selectThread(ctx context.Context, tx *db.Tx, tenant, thread string) (r threadRow, err error) {
	err = tx.QueryRow(ctx, `select mailbox, key_wrapped from vault_threads where tenant = $1 and id = $2`, tenant, thread).
		Scan(&r.mailbox, &r.wrapped)
	return r, err
}

// memberThread reads a thread as the person sees it: fault.NotFound when it does not exist or is not theirs.
func memberThread(ctx context.Context, tx *db.Tx, tenant, person, thread string) (r threadRow, err error) {
	err = tx.QueryRow(ctx, `
		select t.mailbox, t.key_wrapped
		from vault_threads t
		where t.tenant = $1 and t.id = $4 and`+ofMember, tenant, person, db.Millis(tx.Now), thread).Scan(&r.mailbox, &r.wrapped)
	return r, err
}

func moveThread(ctx context.Context, tx *db.Tx, tenant, thread, mailbox string, wrapped []byte) error {
	_, err := tx.Exec(ctx, `
		update vault_threads set mailbox = $3, key_wrapped = $4
		where tenant = $1 and id = $2`, tenant, thread, mailbox, wrapped)
	return err
}

func selectMessage(ctx context.Context, tx *db.Tx, tenant, message string) (r messageRow, err error) {
	r.tenant, r.id = tenant, message
	err = tx.QueryRow(ctx, `
		select thread, key_wrapped, day, by_mail, author from vault_messages
		where tenant = $1 and id = $2`, tenant, message).Scan(&r.thread, &r.wrapped, &r.day, &r.byMail, &r.author)
	return r, err
}

func deleteMessage(ctx context.Context, tx *db.Tx, tenant, message, day string) error {
	if err := insertTombstone(ctx, tx, tombstoneID{tenant, kindMessage, message}, day); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `delete from vault_messages where tenant = $1 and id = $2`, tenant, message)
	return err
}

// deleteThread removes a thread with everything under it and returns how many messages it had. The thread's tombstone stays until
// day, since a letter to it may still be on its way; those of its messages until their own days.
func deleteThread(ctx context.Context, tx *db.Tx, tenant, thread, day string) (int, error) {
	if err := insertTombstone(ctx, tx, tombstoneID{tenant, kindThread, thread}, day); err != nil {
		return 0, err
	}
	if _, err := tx.Exec(ctx, `
		insert into vault_tombstones (tenant, kind, id, day, created_at)
		select tenant, $4, id, day, $3 from vault_messages
		where tenant = $1 and thread = $2
		on conflict (tenant, kind, id) do nothing`, tenant, thread, db.Millis(tx.Now), kindMessage); err != nil {
		return 0, err
	}
	n, err := tx.Exec(ctx, `delete from vault_messages where tenant = $1 and thread = $2`, tenant, thread)
	if err != nil {
		return 0, err
	}
	if _, err := tx.Exec(ctx, `delete from vault_codes where tenant = $1 and thread = $2`, tenant, thread); err != nil {
		return 0, err
	}
	if _, err := tx.Exec(ctx, `delete from vault_account_threads where tenant = $1 and thread = $2`, tenant, thread); err != nil {
		return 0, err
	}
	_, err = tx.Exec(ctx, `delete from vault_threads where tenant = $1 and id = $2`, tenant, thread)
	return int(n), err
}

func insertTombstone(ctx context.Context, tx *db.Tx, t tombstoneID, day string) error {
	_, err := tx.Exec(ctx, `
		insert into vault_tombstones (tenant, kind, id, day, created_at)
		values ($1, $2, $3, $4, $5)
		on conflict (tenant, kind, id) do nothing`, t.tenant, t.kind, t.id, day, db.Millis(tx.Now))
	return err
}

func isTombstone(ctx context.Context, tx *db.Tx, tenant, kind, id string) (bool, error) {
	var at int64
	err := tx.QueryRow(ctx, `
		select created_at from vault_tombstones
		where tenant = $1 and kind = $2 and id = $3`, tenant, kind, id).Scan(&at)
	if errors.Is(err, fault.NotFound) {
		return false, nil
	}
	return err == nil, err
}

// deleteTombstones removes those that no box can need any more, as the intake key of their day is destroyed. All stay for some time,
// so that the web side can learn that a thread is gone; answers have no day and only that time.
func deleteTombstones(ctx context.Context, tx *db.Tx, before time.Time) error {
	_, err := tx.Exec(ctx, `
		delete from vault_tombstones
		where created_at < $1
		and not exists (select 1 from vault_days d where d.purpose = $2 and d.day = vault_tombstones.day)`, db.Millis(before), purposeIntake)
	return err
}

func selectStates(ctx context.Context, tx *db.Tx, tenant string, threads []string, out map[string]ThreadState) error {
	in := args([]any{tenant}, threads)
	type pair struct{ a, b string }
	scan := func(s db.Scanner) (p pair, err error) { return p, s.Scan(&p.a, &p.b) }
	rows, err := db.Collect(ctx, tx, scan, `
		select id, mailbox from vault_threads
		where tenant = $1 and id in (`+db.In(2, len(threads))+`)`, in...)
	if err != nil {
		return err
	}
	for _, r := range rows {
		out[r.a] = ThreadState{Mailbox: r.b}
	}
	if rows, err = db.Collect(ctx, tx, scan, `
		select thread, id from vault_messages
		where tenant = $1 and thread in (`+db.In(2, len(threads))+`)`, in...); err != nil {
		return err
	}
	for _, r := range rows {
		s := out[r.a]
		s.Messages = append(s.Messages, r.b)
		out[r.a] = s
	}
	if rows, err = db.Collect(ctx, tx, scan, `
		select thread, account from vault_account_threads
		where tenant = $1 and thread in (`+db.In(2, len(threads))+`)`, in...); err != nil {
		return err
	}
	for _, r := range rows {
		s := out[r.a]
		s.Accounts = append(s.Accounts, r.b)
		out[r.a] = s
	}
	if rows, err = db.Collect(ctx, tx, scan, `
		select id, kind from vault_tombstones
		where tenant = $1 and kind = 'thread' and id in (`+db.In(2, len(threads))+`)`, in...); err != nil {
		return err
	}
	for _, r := range rows {
		out[r.a] = ThreadState{Gone: true}
	}
	return nil
}

// work is what collect did, for the test that both answers cost the same.
type work struct{ queries, rows, bytes int }

// collect looks up a code hash. The first statement yields the wanted row or its neighbour; the second reads that thread's
// messages in either case.
func collect(ctx context.Context, tx *db.Tx, tenant string, hash []byte) (c Collected, found bool, w work, err error) {
	var lookup []byte
	c.Tenant = tenant
	err = tx.QueryRow(ctx, `
		select lookup, thread, key_wrapped from (
			select 0 as turn, lookup, thread, key_wrapped from (
				select lookup, thread, key_wrapped from vault_codes where tenant = $1 and lookup >= $2 order by lookup limit 1) as next
			union all
			select 1 as turn, lookup, thread, key_wrapped from (
				select lookup, thread, key_wrapped from vault_codes where tenant = $1 and lookup < $2 order by lookup limit 1) as first) as found
		order by turn
		limit 1`, tenant, hash).Scan(&lookup, &c.Thread, &c.WrappedT)
	if err != nil && !errors.Is(err, fault.NotFound) {
		return Collected{}, false, w, err
	}
	w.queries++
	w.bytes += len(lookup) + len(c.WrappedT)
	type pair struct {
		id      string
		wrapped []byte
	}
	rows, err := db.Collect(ctx, tx, func(s db.Scanner) (p pair, err error) {
		return p, s.Scan(&p.id, &p.wrapped)
	}, `select id, key_wrapped from vault_messages where tenant = $1 and thread = $2 order by id`, tenant, c.Thread)
	if err != nil {
		return Collected{}, false, w, fmt.Errorf("messages: %w", err)
	}
	w.queries++
	c.Messages = make(map[string][]byte, len(rows))
	for _, r := range rows {
		c.Messages[r.id] = r.wrapped
		w.rows++
		w.bytes += len(r.wrapped)
	}
	return c, subtle.ConstantTimeCompare(lookup, hash) == 1, w, nil
}

func scanText(s db.Scanner) (v string, err error) { return v, s.Scan(&v) }
