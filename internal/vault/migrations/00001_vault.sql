-- +goose Up
-- Every column named *_sealed or *_wrapped is encrypted under a key derived from the root key, which is never in this file.
create table vault_meta (
  name text not null primary key,
  value {blob} not null
) {strict};

create table vault_tenants (
  id text not null primary key,
  operator {bool} not null,
  signing_public {blob} not null,
  signing_sealed {blob} not null,
  created_at {int} not null
) {strict};

create table vault_mailboxes (
  tenant text not null references vault_tenants (id),
  id text not null,
  key_wrapped {blob} not null,
  created_at {int} not null,
  primary key (tenant, id)
) {strict};

create table vault_threads (
  tenant text not null,
  id text not null,
  mailbox text not null,
  key_wrapped {blob} not null,
  day text not null,
  created_at {int} not null,
  primary key (tenant, id),
  foreign key (tenant, mailbox) references vault_mailboxes (tenant, id)
) {strict};

create table vault_codes (
  tenant text not null,
  lookup {blob} not null,
  thread text not null,
  key_wrapped {blob} not null,
  primary key (tenant, lookup),
  foreign key (tenant, thread) references vault_threads (tenant, id)
) {strict};
create unique index vault_codes_thread on vault_codes (tenant, thread);

create table vault_messages (
  tenant text not null,
  id text not null,
  thread text not null,
  key_wrapped {blob} not null,
  day text not null,
  by_mail {bool} not null,
  author text not null,
  created_at {int} not null,
  primary key (tenant, id),
  foreign key (tenant, thread) references vault_threads (tenant, id)
) {strict};
create index vault_messages_thread on vault_messages (tenant, thread);

create table vault_tombstones (
  tenant text not null,
  kind text not null,
  id text not null,
  day text not null,
  created_at {int} not null,
  primary key (tenant, kind, id)
) {strict};
create index vault_tombstones_day on vault_tombstones (day);

create table vault_days (
  purpose text not null,
  day text not null,
  public_key {blob} not null,
  private_sealed {blob} not null,
  created_at {int} not null,
  drained_at {int} not null,
  primary key (purpose, day)
) {strict};

create table vault_staff (
  tenant text not null references vault_tenants (id),
  id text not null,
  login_key {blob} not null,
  login_sealed {blob} not null,
  role text not null,
  active {bool} not null,
  second_factor {bool} not null,
  password_sealed {blob} not null,
  totp_sealed {blob} not null,
  totp_step {int} not null,
  mail_sealed {blob} not null,
  created_at {int} not null,
  disabled_at {int} not null,
  primary key (tenant, id)
) {strict};
create unique index vault_staff_login on vault_staff (tenant, login_key);

create table vault_members (
  tenant text not null,
  person text not null,
  mailbox text not null,
  proposed_by text not null,
  confirmed_by text not null,
  created_at {int} not null,
  primary key (tenant, person, mailbox),
  foreign key (tenant, person) references vault_staff (tenant, id),
  foreign key (tenant, mailbox) references vault_mailboxes (tenant, id)
) {strict};
create index vault_members_mailbox on vault_members (tenant, mailbox);

create table vault_audit (
  seq {int} not null primary key,
  at {int} not null,
  tenant text not null,
  person text not null,
  action text not null,
  thread text not null,
  object text not null,
  items {int} not null,
  purpose text not null,
  reason_sealed {blob} not null,
  hash {blob} not null
) {strict};
create index vault_audit_person on vault_audit (tenant, person, action, at);
create index vault_audit_thread on vault_audit (tenant, thread, seq);
create index vault_audit_at on vault_audit (at);

-- +goose Down
select 1;
