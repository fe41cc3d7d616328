-- +goose Up
-- What people with an account hold of their matters, and what they saved of a letter that is not sent. The keys of both are in the
-- vault, under the key of the account.
create table mailbox_holdings (
  account_id   text not null,
  tenant_id    text not null,
  thread_id    text not null references mailbox_threads (id),
  unread       {bool} not null,
  notice       {bool} not null,
  last_id      text not null,
  created_at   {int} not null,
  changed_at   {int} not null,
  told_at      {int} not null,
  primary key (account_id, tenant_id, thread_id)
) {strict};
create index mailbox_holdings_changed on mailbox_holdings (account_id, changed_at, thread_id);
create index mailbox_holdings_thread on mailbox_holdings (tenant_id, thread_id);

create table mailbox_saved_drafts (
  id           text not null primary key,
  account_id   text not null,
  tenant_id    text not null,
  sealed       {blob} not null,
  updated_at   {int} not null,
  expires_at   {int} not null
) {strict};
create index mailbox_saved_drafts_account on mailbox_saved_drafts (account_id, updated_at, id);
create index mailbox_saved_drafts_expires on mailbox_saved_drafts (expires_at, id);

create table mailbox_saved_files (
  draft_id     text not null references mailbox_saved_drafts (id),
  tenant_id    text not null,
  blob_id      text not null,
  primary key (draft_id, blob_id)
) {strict};
