package blog

import (
	"context"
	"time"

	"poststelle/internal/db"
	"poststelle/internal/tenant"
)

const commentColumns = "id, post_id, parent_id, body, state, score, flags, ground, statement, created_at, decided_at"

func scanComment(s db.Scanner) (c comment, err error) {
	var at, decided int64
	err = s.Scan(&c.ID, &c.Post, &c.Parent, &c.Body, &c.State, &c.Score, &c.Flags, &c.Ground, &c.Statement, &at, &decided)
	c.Created, c.Decided = db.Time(at), db.Time(decided)
	return c, err
}

// insertComment reports whether the comment is new: a form that was sent twice
// gives one.
func insertComment(ctx context.Context, tx *db.Tx, of tenant.ID, c comment, token []byte) (bool, error) {
	n, err := tx.Exec(ctx, `
insert into blog_comments (id, tenant_id, post_id, parent_id, body, state, score, flags, token, ground, statement, created_at, decided_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, '', '', $10, 0)
on conflict (id) do nothing`, c.ID, of, c.Post, c.Parent, c.Body, c.State, c.Score, c.Flags, token, db.Millis(c.Created))
	return n == 1, err
}

func selectComment(ctx context.Context, tx *db.Tx, of tenant.ID, id string) (comment, error) {
	return scanComment(tx.QueryRow(ctx, `
select `+commentColumns+`
from blog_comments
where tenant_id = $1
and id = $2`, of, id))
}

func selectCommentByToken(ctx context.Context, tx *db.Tx, of tenant.ID, token []byte) (comment, error) {
	return scanComment(tx.QueryRow(ctx, `
select `+commentColumns+`
from blog_comments
where tenant_id = $1
and token = $2`, of, token))
}

// selectThread lists comments that answer none, with the places that removed and
// deleted ones have left.
func selectThread(ctx context.Context, tx *db.Tx, of tenant.ID, post string, after cursor, most int) ([]comment, error) {
	return db.Collect(ctx, tx, scanComment, `
select `+commentColumns+`
from blog_comments
where tenant_id = $1
and post_id = $2
and parent_id = ''
and state in ('published', 'removed', 'deleted')
and (created_at, id) > ($3, $4)
order by created_at, id
limit $5`, of, post, db.Millis(after.At), after.ID, most)
}

// answersShown bounds the answers of one page of comments.
const answersShown = 1000

func selectAnswers(ctx context.Context, tx *db.Tx, of tenant.ID, post string, parents []comment, most int) ([]comment, error) {
	args := make([]any, 0, 3+len(parents))
	args = append(args, of, post, most)
	for _, p := range parents {
		args = append(args, p.ID)
	}
	return db.Collect(ctx, tx, scanComment, `
select `+commentColumns+`
from blog_comments
where tenant_id = $1
and post_id = $2
and state in ('published', 'removed', 'deleted')
and parent_id in (`+db.In(4, len(parents))+`)
order by created_at, id
limit $3`, args...)
}

func countShown(ctx context.Context, tx *db.Tx, of tenant.ID, post string) (n int, err error) {
	err = tx.QueryRow(ctx, `
select count(*)
from (
  select 1
  from blog_comments
  where tenant_id = $1
  and post_id = $2
  and state in ('published', 'removed', 'deleted')
  limit $3
) as c`, of, post, countLimit+1).Scan(&n)
	return n, err
}

func countAnswers(ctx context.Context, tx *db.Tx, of tenant.ID, post, id string) (n int, err error) {
	err = tx.QueryRow(ctx, `
select count(*)
from blog_comments
where tenant_id = $1
and post_id = $2
and parent_id = $3`, of, post, id).Scan(&n)
	return n, err
}

// selectQueued reads comments with the posts they stand under, for scanQueued.
const selectQueued = `
select c.id, c.post_id, c.parent_id, c.body, c.state, c.score, c.flags, c.ground, c.statement, c.created_at, c.decided_at, p.slug, p.title
from blog_comments c
join blog_posts p on p.id = c.post_id`

func scanQueued(s db.Scanner) (q queued, err error) {
	q.comment, err = scanComment(wider{s, []any{&q.Slug, &q.Title}})
	return q, err
}

// wider scans a row that has more columns at its end.
type wider struct {
	db.Scanner
	more []any
}

func (w wider) Scan(dest ...any) error { return w.Scanner.Scan(append(dest, w.more...)...) }

func selectWaiting(ctx context.Context, tx *db.Tx, of tenant.ID, after cursor, most int) ([]queued, error) {
	return db.Collect(ctx, tx, scanQueued, selectQueued+`
where c.tenant_id = $1
and c.state = 'waiting'
and (c.created_at, c.id) > ($2, $3)
order by c.created_at, c.id
limit $4`, of, db.Millis(after.At), after.ID, most)
}

func selectDecided(ctx context.Context, tx *db.Tx, of tenant.ID, st commentState, after cursor, most int) ([]queued, error) {
	return db.Collect(ctx, tx, scanQueued, selectQueued+`
where c.tenant_id = $1
and c.state = $2
and (c.created_at, c.id) < ($3, $4)
order by c.created_at desc, c.id desc
limit $5`, of, st, after.before(tx.Now), after.ID, most)
}

// countWaiting counts what waits for a decision: comments, reports and
// complaints.
func countWaiting(ctx context.Context, tx *db.Tx, of tenant.ID) (comments, cases int, err error) {
	err = tx.QueryRow(ctx, `
select (select count(*) from blog_comments where tenant_id = $1 and state = 'waiting'),
  (select count(*) from blog_cases where tenant_id = $1 and state = 'open')`, of).Scan(&comments, &cases)
	return comments, cases, err
}

// updateDecision keeps a decision; what spoke for or against it is forgotten.
func updateDecision(ctx context.Context, tx *db.Tx, of tenant.ID, id string, to commentState, ground, statement string) error {
	_, err := tx.Exec(ctx, `
update blog_comments
set state = $3, ground = $4, statement = $5, decided_at = $6, score = 0, flags = ''
where tenant_id = $1
and id = $2`, of, id, to, ground, statement, db.Millis(tx.Now))
	return err
}

// blankComment empties a comment that answers hang on; its token is worth
// nothing from now on.
func blankComment(ctx context.Context, tx *db.Tx, of tenant.ID, id string, token []byte) error {
	_, err := tx.Exec(ctx, `
update blog_comments
set state = 'deleted', body = '', ground = '', statement = '', score = 0, flags = '', token = $3, decided_at = $4
where tenant_id = $1
and id = $2`, of, id, token, db.Millis(tx.Now))
	return err
}

func deleteComment(ctx context.Context, tx *db.Tx, of tenant.ID, id string) error {
	_, err := tx.Exec(ctx, `
delete from blog_comments
where tenant_id = $1
and id = $2`, of, id)
	return err
}

// selectExpired lists comments whose decision against them cannot be complained
// about any more.
func selectExpired(ctx context.Context, tx *db.Tx, of tenant.ID, st commentState, before int64) ([]comment, error) {
	return db.Collect(ctx, tx, scanComment, `
select `+commentColumns+`
from blog_comments
where tenant_id = $1
and state = $2
and decided_at > 0
and decided_at < $3
order by decided_at, id
limit 1000`, of, st, before)
}

func insertEvidence(ctx context.Context, tx *db.Tx, of tenant.ID, id, day string, box []byte, at time.Time) error {
	_, err := tx.Exec(ctx, `
insert into blog_evidence (comment_id, tenant_id, day, box, created_at)
values ($1, $2, $3, $4, $5)
on conflict (comment_id) do nothing`, id, of, day, box, db.Millis(at))
	return err
}

func selectEvidence(ctx context.Context, tx *db.Tx, of tenant.ID, id string) (day string, box []byte, err error) {
	err = tx.QueryRow(ctx, `
select day, box
from blog_evidence
where tenant_id = $1
and comment_id = $2`, of, id).Scan(&day, &box)
	return day, box, err
}

func deleteEvidence(ctx context.Context, tx *db.Tx, of tenant.ID, id string) error {
	_, err := tx.Exec(ctx, `
delete from blog_evidence
where tenant_id = $1
and comment_id = $2`, of, id)
	return err
}

func deleteOldEvidence(ctx context.Context, tx *db.Tx, of tenant.ID, before int64) error {
	_, err := tx.Exec(ctx, `
delete from blog_evidence
where tenant_id = $1
and created_at < $2`, of, before)
	return err
}
