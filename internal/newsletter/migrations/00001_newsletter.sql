-- +goose Up
-- Columns of the type {blob} hold ciphertext (address, record) or a keyed hash (address_key).
create table newsletter_settings (
  tenant_id    text not null primary key,
  title        text not null,
  title_en     text not null,
  about        text not null,
  about_en     text not null,
  sender       text not null,
  archive      {bool} not null,
  next_number  {int} not null,
  version      {int} not null
) {strict};

create table newsletter_categories (
  tenant_id  text not null,
  id         text not null,
  name       text not null,
  name_en    text not null,
  position   {int} not null,
  active     {bool} not null,
  primary key (tenant_id, id)
) {strict};

create table newsletter_subscribers (
  tenant_id     text not null,
  id            text not null,
  address_key   {blob} not null,
  address       {blob} not null,
  state         text not null,
  lang          text not null,
  categories    text not null,
  mailed_at     {int} not null,
  mailed_ref    text not null,
  bounces       {int} not null,
  requested_at  {int} not null,
  confirmed_at  {int} not null,
  primary key (tenant_id, id)
) {strict};
create unique index newsletter_subscribers_address on newsletter_subscribers (tenant_id, address_key);
create index newsletter_subscribers_state on newsletter_subscribers (tenant_id, state, id);
create index newsletter_subscribers_requested on newsletter_subscribers (state, requested_at);

create table newsletter_evidence (
  tenant_id    text not null,
  id           text not null,
  address_key  {blob} not null,
  record       {blob} not null,
  created_at   {int} not null,
  ended_at     {int} not null,
  primary key (tenant_id, id)
) {strict};
create index newsletter_evidence_address on newsletter_evidence (tenant_id, address_key);
create index newsletter_evidence_ended on newsletter_evidence (ended_at);

create table newsletter_suppressed (
  tenant_id    text not null,
  address_key  {blob} not null,
  reason       text not null,
  created_at   {int} not null,
  primary key (tenant_id, address_key)
) {strict};

create table newsletter_issues (
  tenant_id    text not null,
  id           text not null,
  number       {int} not null,
  state        text not null,
  lang         text not null,
  subject      text not null,
  body         text not null,
  categories   text not null,
  archived     {bool} not null,
  author       text not null,
  version      {int} not null,
  changed_at   {int} not null,
  send_at      {int} not null,
  started_at   {int} not null,
  sent_at      {int} not null,
  cursor_id    text not null,
  sent         {int} not null,
  failed       {int} not null,
  primary key (tenant_id, id)
) {strict};
create index newsletter_issues_changed on newsletter_issues (tenant_id, state, changed_at);

create table newsletter_deferred (
  tenant_id      text not null,
  issue_id       text not null,
  subscriber_id  text not null,
  attempts       {int} not null,
  due_at         {int} not null,
  primary key (tenant_id, issue_id, subscriber_id)
) {strict};
create index newsletter_deferred_due on newsletter_deferred (tenant_id, issue_id, due_at);
create index newsletter_deferred_subscriber on newsletter_deferred (tenant_id, subscriber_id);
