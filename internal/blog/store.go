package blog

import (
	"context"
	"time"

	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/tenant"
)

const postColumns = "id, slug, title, summary, source, state, comments, moderated, close_days, author, publish_at, published_at, changed_at, version"

func scanPost(s db.Scanner) (p post, err error) {
	var at, pub, changed int64
	err = s.Scan(&p.ID, &p.Slug, &p.Title, &p.Summary, &p.Source, &p.State, &p.Comments, &p.Moderated, &p.CloseDays, &p.Author, &at, &pub, &changed, &p.Version)
	p.PublishAt, p.Published, p.Changed = db.Time(at), db.Time(pub), db.Time(changed)
	return p, err
}

func insertPost(ctx context.Context, tx *db.Tx, of tenant.ID, id string, d Draft, author string) error {
	_, err := tx.Exec(ctx, `
insert into blog_posts (id, tenant_id, slug, title, summary, source, state, comments, moderated, close_days, author, publish_at, published_at, changed_at, version)
values ($1, $2, $3, $4, $5, $6, 'draft', $7, $8, $9, $10, 0, 0, $11, 1)`,
		id, of, d.Slug, d.Title, d.Summary, d.Source, d.Comments, d.Moderated, d.CloseDays, author, db.Millis(tx.Now))
	return err
}

func updatePost(ctx context.Context, tx *db.Tx, of tenant.ID, id string, version int, d Draft) (bool, error) {
	n, err := tx.Exec(ctx, `
update blog_posts
set slug = $4, title = $5, summary = $6, source = $7, comments = $8, moderated = $9, close_days = $10, changed_at = $11, version = version + 1
where tenant_id = $1
and id = $2
and version = $3`, of, id, version, d.Slug, d.Title, d.Summary, d.Source, d.Comments, d.Moderated, d.CloseDays, db.Millis(tx.Now))
	return n == 1, err
}

// updateState moves a post; the first publication fixes its time.
func updateState(ctx context.Context, tx *db.Tx, of tenant.ID, p post, to postState, at time.Time, author string) error {
	when := p.Published
	if to == published && when.IsZero() {
		when = tx.Now
	}
	_, err := tx.Exec(ctx, `
update blog_posts
set state = $3, publish_at = $4, published_at = $5, changed_at = $6, author = $7, version = version + 1
where tenant_id = $1
and id = $2`, of, p.ID, to, db.Millis(at), db.Millis(when), db.Millis(tx.Now), author)
	return err
}

func selectPost(ctx context.Context, tx *db.Tx, of tenant.ID, id string) (post, error) {
	return scanPost(tx.QueryRow(ctx, `
select `+postColumns+`
from blog_posts
where tenant_id = $1
and id = $2`, of, id))
}

func selectPostBySlug(ctx context.Context, tx *db.Tx, of tenant.ID, slug string) (post, error) {
	return scanPost(tx.QueryRow(ctx, `
select `+postColumns+`
from blog_posts
where tenant_id = $1
and slug = $2`, of, slug))
}

// selectPublic returns a post that is public; every other one is fault.NotFound.
func selectPublic(ctx context.Context, tx *db.Tx, of tenant.ID, slug string) (post, error) {
	p, err := selectPostBySlug(ctx, tx, of, slug)
	if err == nil && p.State != published {
		err = fault.NotFound
	}
	return p, err
}

func selectPublished(ctx context.Context, tx *db.Tx, of tenant.ID, after cursor, most int) ([]post, error) {
	return db.Collect(ctx, tx, scanPost, `
select `+postColumns+`
from blog_posts
where tenant_id = $1
and state = 'published'
and (published_at, id) < ($2, $3)
order by published_at desc, id desc
limit $4`, of, after.before(tx.Now), after.ID, most)
}

// selectAll lists the posts of the desk, those changed last first.
func selectAll(ctx context.Context, tx *db.Tx, of tenant.ID, after cursor, most int) ([]post, error) {
	return db.Collect(ctx, tx, scanPost, `
select `+postColumns+`
from blog_posts
where tenant_id = $1
and (changed_at, id) < ($2, $3)
order by changed_at desc, id desc
limit $4`, of, after.before(tx.Now), after.ID, most)
}

// deletePost removes a post and everything that hangs on it.
func deletePost(ctx context.Context, tx *db.Tx, of tenant.ID, id string) error {
	for _, q := range []string{
		`delete from blog_evidence where tenant_id = $1 and comment_id in (select id from blog_comments where tenant_id = $1 and post_id = $2)`,
		`delete from blog_cases where tenant_id = $1 and post_id = $2`,
		`delete from blog_comments where tenant_id = $1 and post_id = $2`,
		`delete from blog_pictures where tenant_id = $1 and post_id = $2`,
		`delete from blog_imports where tenant_id = $1 and post_id = $2`,
		`delete from blog_posts where tenant_id = $1 and id = $2`,
	} {
		if _, err := tx.Exec(ctx, q, of, id); err != nil {
			return err
		}
	}
	return nil
}

const pictureColumns = "name, post_id, alt, kind, width, height, created_at"

func scanPicture(s db.Scanner) (p picture, err error) {
	var at int64
	err = s.Scan(&p.Name, &p.Post, &p.Alt, &p.Kind, &p.Width, &p.Height, &at)
	p.Created = db.Time(at)
	return p, err
}

func insertPicture(ctx context.Context, tx *db.Tx, of tenant.ID, p picture, data []byte) error {
	_, err := tx.Exec(ctx, `
insert into blog_pictures (name, tenant_id, post_id, alt, kind, width, height, data, created_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
on conflict (tenant_id, name) do nothing`, p.Name, of, p.Post, p.Alt, p.Kind, p.Width, p.Height, data, db.Millis(tx.Now))
	return err
}

func selectPictures(ctx context.Context, tx *db.Tx, of tenant.ID, post string) ([]picture, error) {
	return db.Collect(ctx, tx, scanPicture, `
select `+pictureColumns+`
from blog_pictures
where tenant_id = $1
and post_id = $2
order by created_at, name
limit 100`, of, post)
}

// selectPicture returns a picture and the state of its post.
func selectPicture(ctx context.Context, tx *db.Tx, of tenant.ID, name string) (kind string, state postState, data []byte, err error) {
	err = tx.QueryRow(ctx, `
select i.kind, i.data, p.state
from blog_pictures i
join blog_posts p on p.id = i.post_id and p.tenant_id = i.tenant_id
where i.tenant_id = $1
and i.name = $2`, of, name).Scan(&kind, &data, &state)
	return kind, state, data, err
}

func deletePicture(ctx context.Context, tx *db.Tx, of tenant.ID, post, name string) error {
	_, err := tx.Exec(ctx, `
delete from blog_pictures
where tenant_id = $1
and post_id = $2
and name = $3`, of, post, name)
	return err
}
