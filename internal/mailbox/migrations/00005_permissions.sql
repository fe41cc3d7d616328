-- +goose Up
-- Who asked an office to write to them: a person with an account allows one mailbox to write first. Name and reason are sealed in the
-- card; the key is that of a thread of its own in the vault, with the id of the row.
create table mailbox_permissions (
  id           text not null primary key,
  tenant_id    text not null,
  mailbox_id   text not null,
  account_id   text not null,
  message_id   text not null,
  card         {blob} not null,
  created_at   {int} not null
) {strict};
create unique index mailbox_permissions_account on mailbox_permissions (account_id, tenant_id, mailbox_id);
-- A thread that began by a permission: as long as the person has not written in it, nothing more begins from it.
alter table mailbox_threads add column permitted {bool} not null default false;
create index mailbox_permissions_mailbox on mailbox_permissions (tenant_id, mailbox_id, created_at, id);
