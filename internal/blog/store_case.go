package blog

import (
	"context"

	"poststelle/internal/db"
	"poststelle/internal/tenant"
)

const caseColumns = "id, comment_id, post_id, kind, ground, body, state = 'open', decision, statement, decided_by, created_at, decided_at"

func scanCase(s db.Scanner) (n inquiry, err error) {
	var at, decided int64
	err = s.Scan(&n.ID, &n.Comment, &n.Post, &n.Kind, &n.Ground, &n.sealed, &n.Open, &n.Decision, &n.Statement, &n.By, &at, &decided)
	n.Created, n.Decided = db.Time(at), db.Time(decided)
	return n, err
}

// insertCase reports whether the inquiry is new: each token has one.
func insertCase(ctx context.Context, tx *db.Tx, of tenant.ID, n inquiry, token []byte) (bool, error) {
	rows, err := tx.Exec(ctx, `
insert into blog_cases (id, tenant_id, comment_id, post_id, kind, ground, body, token, state, decision, statement, decided_by, created_at, decided_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, 'open', '', '', '', $9, 0)
on conflict (tenant_id, token) do nothing`, n.ID, of, n.Comment, n.Post, n.Kind, n.Ground, n.sealed, token, db.Millis(tx.Now))
	return rows == 1, err
}

func selectCase(ctx context.Context, tx *db.Tx, of tenant.ID, id string) (inquiry, error) {
	return scanCase(tx.QueryRow(ctx, `
select `+caseColumns+`
from blog_cases
where tenant_id = $1
and id = $2`, of, id))
}

func selectCaseByToken(ctx context.Context, tx *db.Tx, of tenant.ID, token []byte) (inquiry, error) {
	return scanCase(tx.QueryRow(ctx, `
select `+caseColumns+`
from blog_cases
where tenant_id = $1
and token = $2`, of, token))
}

func selectCasesOf(ctx context.Context, tx *db.Tx, of tenant.ID, comment, kind string) ([]inquiry, error) {
	return db.Collect(ctx, tx, scanCase, `
select `+caseColumns+`
from blog_cases
where tenant_id = $1
and comment_id = $2
and kind = $3
order by created_at, id
limit 20`, of, comment, kind)
}

func countOpenCases(ctx context.Context, tx *db.Tx, of tenant.ID, comment string) (n int, err error) {
	err = tx.QueryRow(ctx, `
select count(*)
from blog_cases
where tenant_id = $1
and comment_id = $2
and state = 'open'`, of, comment).Scan(&n)
	return n, err
}

// selectCases lists what waits for an answer, or what was answered, oldest first.
func selectCases(ctx context.Context, tx *db.Tx, of tenant.ID, open bool, after cursor, most int) ([]asked, error) {
	st := "open"
	if !open {
		st = "answered"
	}
	return db.Collect(ctx, tx, func(s db.Scanner) (a asked, err error) {
		a.inquiry, err = scanCase(wider{s, []any{&a.Slug, &a.Title}})
		return a, err
	}, `
select c.id, c.comment_id, c.post_id, c.kind, c.ground, c.body, c.state = 'open', c.decision, c.statement, c.decided_by, c.created_at, c.decided_at, p.slug, p.title
from blog_cases c
join blog_posts p on p.id = c.post_id
where c.tenant_id = $1
and c.state = $2
and (c.created_at, c.id) > ($3, $4)
order by c.created_at, c.id
limit $5`, of, st, db.Millis(after.At), after.ID, most)
}

// updateCase keeps an answer, unless there is one already.
func updateCase(ctx context.Context, tx *db.Tx, of tenant.ID, id, decision, statement, by string) (bool, error) {
	n, err := tx.Exec(ctx, `
update blog_cases
set state = 'answered', decision = $3, statement = $4, decided_by = $5, decided_at = $6
where tenant_id = $1
and id = $2
and state = 'open'`, of, id, decision, statement, by, db.Millis(tx.Now))
	return n == 1, err
}

func deleteOldCases(ctx context.Context, tx *db.Tx, of tenant.ID, before int64) error {
	_, err := tx.Exec(ctx, `
delete from blog_cases
where tenant_id = $1
and state = 'answered'
and decided_at < $2`, of, before)
	return err
}
