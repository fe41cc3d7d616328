package newsletter

import (
	"context"
	"errors"
	"strings"
	"time"

	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/tenant"
)

// selectLine leaves out the words of an issue, for lists.
const (
	issueHead = `
select id, number, state, lang, subject, `
	issueTail = `, categories, archived, author, version, changed_at, send_at, started_at, sent_at, cursor_id, sent, failed
from newsletter_issues`
	selectIssue = issueHead + `body` + issueTail
	selectLine  = issueHead + `''` + issueTail
)

func scanIssue(r db.Scanner) (i Issue, err error) {
	var categories string
	var changed, at, started, sent int64
	err = r.Scan(&i.ID, &i.Number, &i.State, &i.Lang, &i.Subject, &i.Body, &categories, &i.Archived, &i.Author, &i.Version, &changed, &at, &started,
		&sent, &i.cursor, &i.Delivered, &i.Failed)
	i.Categories = strings.Fields(categories)
	i.Changed, i.SendAt, i.Started, i.Sent = db.Time(changed), db.Time(at), db.Time(started), db.Time(sent)
	return i, err
}

func issueByID(ctx context.Context, tx *db.Tx, of tenant.ID, id string) (Issue, error) {
	return scanIssue(tx.QueryRow(ctx, selectIssue+`
where tenant_id = $1 and id = $2`, string(of), id))
}

// listIssues are the issues of the desk without their words.
func listIssues(ctx context.Context, tx *db.Tx, of tenant.ID, limit int) ([]Issue, error) {
	return db.Collect(ctx, tx, scanIssue, selectLine+`
where tenant_id = $1
order by changed_at desc, id
limit $2`, string(of), limit)
}

// countIssues is how many issues a tenant has in each state.
func countIssues(ctx context.Context, tx *db.Tx, of tenant.ID) (map[State]int, error) {
	type some struct {
		state State
		n     int
	}
	list, err := db.Collect(ctx, tx, func(r db.Scanner) (x some, err error) {
		err = r.Scan(&x.state, &x.n)
		return x, err
	}, `
select state, count(*)
from newsletter_issues
where tenant_id = $1
group by state
order by state
limit 10`, string(of))
	out := map[State]int{}
	for _, x := range list {
		out[x.state] = x.n
	}
	return out, err
}

// inArchive are those that everybody may read, newest first.
const inArchive = `
where tenant_id = $1 and archived and started_at > 0
order by number desc
limit $2`

func archivedIssues(ctx context.Context, tx *db.Tx, of tenant.ID, limit int) ([]Issue, error) {
	return db.Collect(ctx, tx, scanIssue, selectIssue+inArchive, string(of), limit)
}

// archivedLines are archivedIssues without their words.
func archivedLines(ctx context.Context, tx *db.Tx, of tenant.ID, limit int) ([]Issue, error) {
	return db.Collect(ctx, tx, scanIssue, selectLine+inArchive, string(of), limit)
}

func archivedIssue(ctx context.Context, tx *db.Tx, of tenant.ID, number int64) (Issue, error) {
	return scanIssue(tx.QueryRow(ctx, selectIssue+`
where tenant_id = $1 and number = $2 and archived and started_at > 0
order by id
limit 1`, string(of), number))
}

func insertIssue(ctx context.Context, tx *db.Tx, of tenant.ID, i Issue) error {
	_, err := tx.Exec(ctx, `
insert into newsletter_issues (tenant_id, id, number, state, lang, subject, body, categories, archived, author, version, changed_at, send_at,
  started_at, sent_at, cursor_id, sent, failed)
values ($1, $2, 0, 'draft', $3, $4, $5, $6, $7, $8, 1, $9, 0, 0, 0, '', 0, 0)`,
		string(of), i.ID, i.Lang, i.Subject, i.Body, words(i.Categories), i.Archived, i.Author, db.Millis(tx.Now))
	return err
}

// updateIssue stores the words of a draft; fault.Conflict when it has another
// version or is a draft no more.
func updateIssue(ctx context.Context, tx *db.Tx, of tenant.ID, i Issue) error {
	n, err := tx.Exec(ctx, `
update newsletter_issues
set lang = $4, subject = $5, body = $6, categories = $7, archived = $8, version = version + 1, changed_at = $9
where tenant_id = $1 and id = $2 and version = $3 and state = 'draft'`,
		string(of), i.ID, i.Version, i.Lang, i.Subject, i.Body, words(i.Categories), i.Archived, db.Millis(tx.Now))
	return one(n, err)
}

// moveIssue brings an issue from one state into another.
func moveIssue(ctx context.Context, tx *db.Tx, of tenant.ID, id string, from, to State, version int64, sendAt time.Time) error {
	n, err := tx.Exec(ctx, `
update newsletter_issues
set state = $5, send_at = $6, version = version + 1, changed_at = $7
where tenant_id = $1 and id = $2 and state = $3 and version = $4`,
		string(of), id, string(from), version, string(to), db.Millis(sendAt), db.Millis(tx.Now))
	return one(n, err)
}

func deleteDraft(ctx context.Context, tx *db.Tx, of tenant.ID, id string, version int64) error {
	n, err := tx.Exec(ctx, `
delete from newsletter_issues
where tenant_id = $1 and id = $2 and state = 'draft' and version = $3`, string(of), id, version)
	return one(n, err)
}

func one(n int64, err error) error {
	if err == nil && n == 0 {
		err = fault.Conflict
	}
	return err
}

// beginIssue gives an issue its number and marks it as being sent.
func beginIssue(ctx context.Context, tx *db.Tx, of tenant.ID, id string) error {
	var number int64
	err := tx.QueryRow(ctx, `
update newsletter_settings
set next_number = next_number + 1
where tenant_id = $1
returning next_number`, string(of)).Scan(&number)
	if err != nil {
		return err
	}
	n, err := tx.Exec(ctx, `
update newsletter_issues
set state = 'sending', number = $3, started_at = $4, changed_at = $4, version = version + 1
where tenant_id = $1 and id = $2 and state = 'scheduled'`, string(of), id, number-1, db.Millis(tx.Now))
	return one(n, err)
}

// advanceIssue notes what became of a batch; fault.Conflict when somebody else
// has moved the cursor.
func advanceIssue(ctx context.Context, tx *db.Tx, of tenant.ID, id, from, to string, sent, failed int) error {
	n, err := tx.Exec(ctx, `
update newsletter_issues
set cursor_id = $4, sent = sent + $5, failed = failed + $6
where tenant_id = $1 and id = $2 and cursor_id = $3`, string(of), id, from, to, sent, failed)
	return one(n, err)
}

func finishIssue(ctx context.Context, tx *db.Tx, of tenant.ID, id string) error {
	_, err := tx.Exec(ctx, `
update newsletter_issues
set state = 'sent', sent_at = $3, changed_at = $3, version = version + 1
where tenant_id = $1 and id = $2 and state = 'sending'`, string(of), id, db.Millis(tx.Now))
	return err
}

func putDeferred(ctx context.Context, tx *db.Tx, of tenant.ID, issue, id string, attempts int, due time.Time) error {
	_, err := tx.Exec(ctx, `
insert into newsletter_deferred (tenant_id, issue_id, subscriber_id, attempts, due_at)
values ($1, $2, $3, $4, $5)
on conflict (tenant_id, issue_id, subscriber_id) do update
set attempts = excluded.attempts, due_at = excluded.due_at`, string(of), issue, id, attempts, db.Millis(due))
	return err
}

func deleteDeferred(ctx context.Context, tx *db.Tx, of tenant.ID, issue, id string) error {
	_, err := tx.Exec(ctx, `
delete from newsletter_deferred
where tenant_id = $1 and issue_id = $2 and subscriber_id = $3`, string(of), issue, id)
	return err
}

// deleteOrphans drops what waits for somebody who is no longer subscribed.
func deleteOrphans(ctx context.Context, tx *db.Tx, of tenant.ID, issue string) error {
	_, err := tx.Exec(ctx, `
delete from newsletter_deferred
where tenant_id = $1 and issue_id = $2 and not exists (
  select s.id
  from newsletter_subscribers s
  where s.tenant_id = $1 and s.id = newsletter_deferred.subscriber_id and s.state = 'active')`, string(of), issue)
	return err
}

// nextDeferred is when the next one's turn comes; the zero time when nobody waits.
func nextDeferred(ctx context.Context, tx *db.Tx, of tenant.ID, issue string) (time.Time, error) {
	var due int64
	err := tx.QueryRow(ctx, `
select due_at
from newsletter_deferred
where tenant_id = $1 and issue_id = $2
order by due_at
limit 1`, string(of), issue).Scan(&due)
	if errors.Is(err, fault.NotFound) {
		return time.Time{}, nil
	}
	return db.Time(due), err
}

func selectSettings(ctx context.Context, tx *db.Tx, of tenant.ID) (set Settings, err error) {
	err = tx.QueryRow(ctx, `
select title, title_en, about, about_en, sender, archive, version
from newsletter_settings
where tenant_id = $1`, string(of)).Scan(&set.Title, &set.TitleEN, &set.About, &set.AboutEN, &set.Sender, &set.Archive, &set.Version)
	if err != nil {
		return set, err
	}
	set.Categories, err = db.Collect(ctx, tx, func(r db.Scanner) (c Category, err error) {
		err = r.Scan(&c.ID, &c.Name, &c.NameEN, &c.Active)
		return c, err
	}, `
select id, name, name_en, active
from newsletter_categories
where tenant_id = $1
order by position, id
limit 100`, string(of))
	return set, err
}

func insertSettings(ctx context.Context, tx *db.Tx, of tenant.ID, set Settings) error {
	_, err := tx.Exec(ctx, `
insert into newsletter_settings (tenant_id, title, title_en, about, about_en, sender, archive, next_number, version)
values ($1, $2, $3, $4, $5, $6, $7, 1, 1)
on conflict (tenant_id) do nothing`, string(of), set.Title, set.TitleEN, set.About, set.AboutEN, set.Sender, set.Archive)
	return err
}

func updateSettings(ctx context.Context, tx *db.Tx, of tenant.ID, set Settings) error {
	n, err := tx.Exec(ctx, `
update newsletter_settings
set title = $3, title_en = $4, about = $5, about_en = $6, sender = $7, archive = $8, version = version + 1
where tenant_id = $1 and version = $2`, string(of), set.Version, set.Title, set.TitleEN, set.About, set.AboutEN, set.Sender, set.Archive)
	return one(n, err)
}

// putCategories stores the categories in their order. One that is missing is
// switched off and stays, since consents name it.
func putCategories(ctx context.Context, tx *db.Tx, of tenant.ID, all []Category) error {
	if _, err := tx.Exec(ctx, `update newsletter_categories set active = $2 where tenant_id = $1`, string(of), false); err != nil {
		return err
	}
	for i, c := range all {
		_, err := tx.Exec(ctx, `
insert into newsletter_categories (tenant_id, id, name, name_en, position, active)
values ($1, $2, $3, $4, $5, $6)
on conflict (tenant_id, id) do update
set name = excluded.name, name_en = excluded.name_en, position = excluded.position, active = excluded.active`,
			string(of), c.ID, c.Name, c.NameEN, i, c.Active)
		if err != nil {
			return err
		}
	}
	return nil
}
