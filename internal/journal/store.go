package journal

import (
	"context"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"strconv"

	"poststelle/internal/db"
	"poststelle/internal/fault"
)

//go:embed migrations/*.sql
var files embed.FS

// Migrations returns the schema of the journal.
func Migrations() db.Migrations {
	dir, err := fs.Sub(files, "migrations")
	if err != nil {
		panic(err)
	}
	return db.Migrations{Name: "journal", FS: dir}
}

func insert(ctx context.Context, tx *db.Tx, e entry) error {
	_, err := tx.Exec(ctx, `
		insert into journal_entries (id, tenant, at, actor, action, object, detail, reason, salt, commitment, blanked_by)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, '')`,
		e.id, e.tenant, e.at, e.actor, e.action, e.object, *e.detail, *e.reason, e.salt, e.commitment)
	return err
}

func list(ctx context.Context, tx *db.Tx, tenant, object string, limit int) ([]Item, error) {
	return db.Collect(ctx, tx, func(s db.Scanner) (Item, error) {
		var at int64
		var detail, reason *string
		i := Item{Entry: Entry{Tenant: tenant, Object: object}}
		if err := s.Scan(&i.ID, &at, &i.Actor, &i.Action, &detail, &reason); err != nil {
			return i, err
		}
		i.At, i.Blanked = db.Time(at), detail == nil
		if detail != nil {
			if err := json.Unmarshal([]byte(*detail), &i.Detail); err != nil {
				return i, err
			}
		}
		if reason != nil && *reason != "" {
			if i.Detail == nil {
				i.Detail = map[string]string{}
			}
			i.Detail[Reason] = *reason
		}
		return i, nil
	}, `
		select id, at, actor, action, detail, reason
		from journal_entries
		where tenant = $1 and object = $2
		order by at desc, id desc
		limit $3`, tenant, object, limit)
}

func lookUp(ctx context.Context, tx *db.Tx, tenant, id string) (action string, blanked bool, err error) {
	var by string
	err = tx.QueryRow(ctx, `
		select action, blanked_by
		from journal_entries
		where tenant = $1 and id = $2`, tenant, id).Scan(&action, &by)
	return action, by != "", err
}

// blankSlack is in milliseconds.
const blankSlack = 60_000

func blank(ctx context.Context, tx *db.Tx, tenant, id, by string) error {
	_, err := tx.Exec(ctx, `
		update journal_entries
		set detail = null, reason = null, salt = null, blanked_by = $3
		where tenant = $1 and id = $2 and blanked_by = ''`, tenant, id, by)
	return err
}

// blankable reports whether an object has an entry that holds a payload.
func blankable(ctx context.Context, tx *db.Tx, tenant, object string) (bool, error) {
	var one int
	err := tx.QueryRow(ctx, `
		select 1
		from journal_entries
		where tenant = $1 and object = $2 and blanked_by = '' and action not in ($3, $4)
		limit 1`, tenant, object, actionBlanked, actionExpired).Scan(&one)
	if errors.Is(err, fault.NotFound) {
		return false, nil
	}
	return err == nil, err
}

func blankObject(ctx context.Context, tx *db.Tx, tenant, object, by string) (int, error) {
	n, err := tx.Exec(ctx, `
		update journal_entries
		set detail = null, reason = null, salt = null, blanked_by = $3
		where tenant = $1 and object = $2 and blanked_by = '' and action not in ($4, $5)`,
		tenant, object, by, actionBlanked, actionExpired)
	return int(n), err
}

// blankingRecorded reports whether the entry that e names as its blanking is
// one, and speaks of e. It may not be chained yet. A record cannot cover what
// was written after it; the slack is for transactions that overlap.
func blankingRecorded(ctx context.Context, tx *db.Tx, e entry) (bool, error) {
	var one int
	err := tx.QueryRow(ctx, `
		select 1
		from journal_entries
		where tenant = $1 and id = $2 and action = $3 and object in ($4, $5) and at >= $6`,
		e.tenant, e.blankedBy, actionBlanked, e.id, e.object, e.at-blankSlack).Scan(&one)
	if errors.Is(err, fault.NotFound) {
		return false, nil
	}
	return err == nil, err
}

// expiryRecorded reports whether an entry says that the chain begins where it
// does. Its payload is checked with the chain.
func expiryRecorded(ctx context.Context, tx *db.Tx, h head) (bool, error) {
	var detail string
	err := tx.QueryRow(ctx, `
		select detail
		from journal_entries
		where tenant = $1 and object = $2 and action = $3
		order by at desc, id desc
		limit 1`, h.tenant, strconv.FormatInt(h.baseSeq, 10), actionExpired).Scan(&detail)
	if errors.Is(err, fault.NotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	var says map[string]string
	if err := json.Unmarshal([]byte(detail), &says); err != nil {
		return false, nil
	}
	return says["hash"] == hex.EncodeToString(h.baseHash), nil
}

// nextOpen returns the first tenant after the given one that has entries to be
// chained, or nothing.
func (c *Chain) nextOpen(ctx context.Context, after string) (tenant string, err error) {
	err = c.db.View(ctx, func(tx *db.Tx) error {
		return tx.QueryRow(ctx, `
			select tenant
			from journal_entries
			where seq is null and tenant > $1
			order by tenant
			limit 1`, after).Scan(&tenant)
	})
	if errors.Is(err, fault.NotFound) {
		return "", nil
	}
	return tenant, err
}

// head is a row of journal_heads.
type head struct {
	tenant   string
	seq      int64
	hash     []byte
	baseSeq  int64
	baseHash []byte
}

// lockHead returns the head of a tenant and keeps other extenders out until
// the transaction ends.
func lockHead(ctx context.Context, tx *db.Tx, tenant string) (head, error) {
	h := head{tenant: tenant}
	err := tx.QueryRow(ctx, `
		insert into journal_heads (tenant, seq, hash, base_seq, base_hash, changed_at)
		values ($1, 0, $2, 0, $2, $3)
		on conflict (tenant) do update set changed_at = excluded.changed_at
		returning seq, hash, base_seq, base_hash`,
		tenant, origin(tenant), db.Millis(tx.Now)).Scan(&h.seq, &h.hash, &h.baseSeq, &h.baseHash)
	return h, err
}

// readHead returns the head of a tenant; without one, the origin.
func readHead(ctx context.Context, tx *db.Tx, tenant string) (head, error) {
	h := head{tenant: tenant}
	err := tx.QueryRow(ctx, `
		select seq, hash, base_seq, base_hash
		from journal_heads
		where tenant = $1`, tenant).Scan(&h.seq, &h.hash, &h.baseSeq, &h.baseHash)
	if errors.Is(err, fault.NotFound) {
		h.hash, h.baseHash = origin(tenant), origin(tenant)
		return h, nil
	}
	return h, err
}

func saveHead(ctx context.Context, tx *db.Tx, h head) error {
	_, err := tx.Exec(ctx, `
		update journal_heads
		set seq = $2, hash = $3, base_seq = $4, base_hash = $5
		where tenant = $1`, h.tenant, h.seq, h.hash, h.baseSeq, h.baseHash)
	return err
}

// openEntries returns entries to be chained. Records of a blanking come last,
// so that none gets a lower number than the entry it speaks of, and expires
// before it.
func openEntries(ctx context.Context, tx *db.Tx, tenant string, limit int) ([]entry, error) {
	return db.Collect(ctx, tx, func(s db.Scanner) (entry, error) {
		e := entry{tenant: tenant}
		err := s.Scan(&e.id, &e.at, &e.actor, &e.action, &e.object, &e.commitment)
		return e, err
	}, `
		select id, at, actor, action, object, commitment
		from journal_entries
		where tenant = $1 and seq is null
		order by case when action = 'journal.blanked' then 1 else 0 end, at, id
		limit $2`, tenant, limit)
}

func chainEntry(ctx context.Context, tx *db.Tx, e entry) error {
	_, err := tx.Exec(ctx, `
		update journal_entries
		set seq = $3, chained_at = $4, hash = $5
		where tenant = $1 and id = $2`, e.tenant, e.id, e.seq, e.chainedAt, e.hash)
	return err
}

func chained(ctx context.Context, tx *db.Tx, tenant string, after int64, limit int) ([]entry, error) {
	return db.Collect(ctx, tx, func(s db.Scanner) (entry, error) {
		e := entry{tenant: tenant}
		err := s.Scan(&e.id, &e.at, &e.actor, &e.action, &e.object, &e.detail, &e.reason,
			&e.salt, &e.commitment, &e.blankedBy, &e.seq, &e.chainedAt, &e.hash)
		return e, err
	}, `
		select id, at, actor, action, object, detail, reason, salt, commitment, blanked_by, seq, chained_at, hash
		from journal_entries
		where tenant = $1 and seq > $2
		order by seq
		limit $3`, tenant, after, limit)
}

func deleteUpTo(ctx context.Context, tx *db.Tx, tenant string, seq int64) error {
	_, err := tx.Exec(ctx, `
		delete from journal_entries
		where tenant = $1 and seq <= $2`, tenant, seq)
	return err
}
