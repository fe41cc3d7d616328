-- +goose Up
-- Accounts of citizens. As in 00001, every column named *_sealed or *_wrapped is encrypted under a key derived from the root key, or
-- under one that is itself wrapped so; mail_key is a keyed hash.
create table vault_accounts (
  id text not null primary key,
  realm text not null,
  mail_key {blob} not null,
  mail_sealed {blob} not null,
  key_wrapped {blob} not null,
  password_sealed {blob} not null,
  second_factor {bool} not null,
  totp_sealed {blob} not null,
  totp_next_sealed {blob} not null,
  totp_step {int} not null,
  lang text not null,
  created_at {int} not null
) {strict};
create unique index vault_accounts_mail on vault_accounts (realm, mail_key);

create table vault_account_threads (
  account text not null references vault_accounts (id),
  tenant text not null,
  thread text not null,
  key_wrapped {blob} not null,
  created_at {int} not null,
  primary key (account, tenant, thread),
  foreign key (tenant, thread) references vault_threads (tenant, id)
) {strict};
create index vault_account_threads_thread on vault_account_threads (tenant, thread);

create table vault_drafts (
  account text not null references vault_accounts (id),
  id text not null,
  key_wrapped {blob} not null,
  created_at {int} not null,
  primary key (account, id)
) {strict};
create index vault_drafts_id on vault_drafts (id);

create table vault_requests (
  id text not null primary key,
  realm text not null,
  tenant text not null references vault_tenants (id),
  kind text not null,
  account text not null,
  mail_key {blob} not null,
  mail_sealed {blob} not null,
  secret_sealed {blob} not null,
  quiet {bool} not null,
  lang text not null,
  created_at {int} not null,
  expires_at {int} not null,
  ready_at {int} not null
) {strict};
create index vault_requests_mail on vault_requests (realm, mail_key, created_at);
create index vault_requests_account on vault_requests (account);
create index vault_requests_expires on vault_requests (expires_at);

-- +goose Down
select 1;
