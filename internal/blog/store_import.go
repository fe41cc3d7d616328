package blog

import (
	"context"

	"poststelle/internal/db"
	"poststelle/internal/tenant"
)

// selectImported returns which of the ids were taken over already.
func selectImported(ctx context.Context, tx *db.Tx, of tenant.ID, ids []string) (map[string]bool, error) {
	args := make([]any, 0, 1+len(ids))
	args = append(args, of)
	for _, id := range ids {
		args = append(args, id)
	}
	rows, err := db.Collect(ctx, tx, func(s db.Scanner) (id string, err error) { return id, s.Scan(&id) }, `
select id
from blog_imports
where tenant_id = $1
and id in (`+db.In(2, len(ids))+`)
order by id
limit 1000`, args...)
	known := make(map[string]bool, len(rows))
	for _, id := range rows {
		known[id] = true
	}
	return known, err
}

// selectImportedPost returns the post that a thread belongs to.
func selectImportedPost(ctx context.Context, tx *db.Tx, of tenant.ID, id string) (post, error) {
	return scanPost(tx.QueryRow(ctx, `
select `+postColumns+`
from blog_posts
where tenant_id = $1
and id = (select post_id from blog_imports where tenant_id = $1 and id = $2)`, of, id))
}

func insertImported(ctx context.Context, tx *db.Tx, of tenant.ID, id, post string) error {
	_, err := tx.Exec(ctx, `
insert into blog_imports (id, tenant_id, post_id, created_at)
values ($1, $2, $3, $4)
on conflict (tenant_id, id) do nothing`, id, of, post, db.Millis(tx.Now))
	return err
}

// insertForeignPost writes a post that was public elsewhere, or is to be. A draft
// keeps the time at which it was public: publishing it does not make it new.
func insertForeignPost(ctx context.Context, tx *db.Tx, of tenant.ID, p post) error {
	_, err := tx.Exec(ctx, `
insert into blog_posts (id, tenant_id, slug, title, summary, source, state, comments, moderated, close_days, author, publish_at, published_at, changed_at, version)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, '', 0, $11, $12, 1)`,
		p.ID, of, p.Slug, p.Title, p.Summary, p.Source, p.State, p.Comments, p.Moderated, p.CloseDays, db.Millis(p.Published), db.Millis(p.Changed))
	return err
}
