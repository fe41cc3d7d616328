package journal

import (
	"context"
	"encoding/json"
	"time"

	"poststelle/internal/db"
	"poststelle/internal/fault"
)

// MaxPage is the largest number of entries of one page.
const MaxPage = 200

// Place is where a page ended: the time and id of its last entry. The zero value
// is the newest end.
type Place struct {
	At time.Time
	ID string
}

// Filter says which entries of a tenant a page shows.
type Filter struct {
	After    Place     // older than that
	From, To time.Time // of that time, To left out; zero for all
	Action   string    // actions that begin with it
	Limit    int       // 1 to MaxPage
}

// Page returns entries of a tenant, newest first, without the free text under
// Reason. more is true when older ones follow.
func Page(ctx context.Context, tx *db.Tx, tenant string, f Filter) (items []Item, more bool, err error) {
	if f.Limit < 1 || f.Limit > MaxPage {
		return nil, false, wrap("journal: page", fault.Invalid)
	}
	const never = int64(1) << 62
	from, to, at := int64(0), never, never
	if !f.From.IsZero() {
		from = db.Millis(f.From)
	}
	if !f.To.IsZero() {
		to = db.Millis(f.To)
	}
	if f.After.ID != "" {
		at = db.Millis(f.After.At)
	}
	items, err = page(ctx, tx, tenant, from, to, at, f)
	if err != nil {
		return nil, false, wrap("journal: page", err)
	}
	if len(items) > f.Limit {
		return items[:f.Limit], true, nil
	}
	return items, false, nil
}

// page returns one entry more than the filter asks for, if there is one.
func page(ctx context.Context, tx *db.Tx, tenant string, from, to, at int64, f Filter) ([]Item, error) {
	return db.Collect(ctx, tx, func(s db.Scanner) (Item, error) {
		var at int64
		var detail *string
		i := Item{Entry: Entry{Tenant: tenant}}
		if err := s.Scan(&i.ID, &at, &i.Actor, &i.Action, &i.Object, &detail); err != nil {
			return i, err
		}
		i.At, i.Blanked = db.Time(at), detail == nil
		if detail == nil {
			return i, nil
		}
		return i, json.Unmarshal([]byte(*detail), &i.Detail)
	}, `
		select id, at, actor, action, object, detail
		from journal_entries
		where tenant = $1 and at >= $2 and at < $3 and (at < $4 or at = $4 and id < $5) and substr(action, 1, $6) = $7
		order by at desc, id desc
		limit $8`, tenant, from, to, at, f.After.ID, len(f.Action), f.Action, f.Limit+1)
}
