-- +goose Up
create table blog_posts (
  id           text not null primary key,
  tenant_id    text not null,
  slug         text not null,
  title        text not null,
  summary      text not null,
  source       text not null,
  state        text not null,
  comments     {bool} not null,
  moderated    {bool} not null,
  close_days   {int} not null,
  author       text not null,
  publish_at   {int} not null,
  published_at {int} not null,
  changed_at   {int} not null,
  version      {int} not null
) {strict};
create unique index blog_posts_slug on blog_posts (tenant_id, slug);
create index blog_posts_published on blog_posts (tenant_id, published_at, id) where state = 'published';
create index blog_posts_changed on blog_posts (tenant_id, changed_at, id);

create table blog_pictures (
  name         text not null,
  tenant_id    text not null,
  post_id      text not null references blog_posts (id),
  alt          text not null,
  kind         text not null,
  width        {int} not null,
  height       {int} not null,
  data         {blob} not null,
  created_at   {int} not null,
  primary key (tenant_id, name)
) {strict};
create index blog_pictures_post on blog_pictures (tenant_id, post_id, created_at);

create table blog_comments (
  id           text not null primary key,
  tenant_id    text not null,
  post_id      text not null references blog_posts (id),
  parent_id    text not null,
  body         text not null,
  state        text not null,
  score        {int} not null,
  flags        text not null,
  token        {blob} not null,
  ground       text not null,
  statement    text not null,
  created_at   {int} not null,
  decided_at   {int} not null
) {strict};
create unique index blog_comments_token on blog_comments (tenant_id, token);
create index blog_comments_thread on blog_comments (tenant_id, post_id, parent_id, created_at, id) where state in ('published', 'removed', 'deleted');
create index blog_comments_state on blog_comments (tenant_id, state, created_at, id);
create index blog_comments_post on blog_comments (post_id);
create index blog_comments_decided on blog_comments (state, decided_at);

-- The address from which a comment came, sealed to the evidence key of the day: only the vault opens box, with two persons.
create table blog_evidence (
  comment_id   text not null primary key,
  tenant_id    text not null,
  day          text not null,
  box          {blob} not null,
  created_at   {int} not null
) {strict};
create index blog_evidence_created on blog_evidence (created_at);

-- What was taken over from the export of another program: a hash of how it is named there, so that a second run makes no
-- doubles and brings nothing back that was deleted here.
create table blog_imports (
  id           text not null,
  tenant_id    text not null,
  post_id      text not null references blog_posts (id),
  created_at   {int} not null,
  primary key (tenant_id, id)
) {strict};
create index blog_imports_post on blog_imports (post_id);

-- Reports of unlawful content and complaints against a decision (Art. 16, 20 DSA); body is sealed under the key of the module.
create table blog_cases (
  id           text not null primary key,
  tenant_id    text not null,
  comment_id   text not null,
  post_id      text not null,
  kind         text not null,
  ground       text not null,
  body         {blob} not null,
  token        {blob} not null,
  state        text not null,
  decision     text not null,
  statement    text not null,
  decided_by   text not null,
  created_at   {int} not null,
  decided_at   {int} not null
) {strict};
create unique index blog_cases_token on blog_cases (tenant_id, token);
create index blog_cases_state on blog_cases (tenant_id, state, created_at, id);
create index blog_cases_comment on blog_cases (tenant_id, comment_id);
create index blog_cases_decided on blog_cases (state, decided_at);

-- +goose Down
select 1;
