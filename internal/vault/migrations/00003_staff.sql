-- +goose Up
-- Passkeys of staff ("staff:TENANT:PERSON") and of accounts ("account:ID"). find_key is a keyed hash of the credential id; public
-- key, handle, host, name and counter are sealed.
create table vault_passkeys (
  id text not null primary key,
  owner text not null,
  find_key {blob} not null,
  sealed {blob} not null,
  created_at {int} not null,
  used_at {int} not null
) {strict};
create unique index vault_passkeys_find on vault_passkeys (find_key);
create index vault_passkeys_owner on vault_passkeys (owner);

-- The deputy sees the mailboxes of the person until until_at, once confirmed.
create table vault_substitutions (
  tenant text not null,
  person text not null,
  deputy text not null,
  proposed_by text not null,
  confirmed_by text not null,
  until_at {int} not null,
  created_at {int} not null,
  primary key (tenant, person, deputy),
  foreign key (tenant, person) references vault_staff (tenant, id),
  foreign key (tenant, deputy) references vault_staff (tenant, id)
) {strict};
create index vault_substitutions_deputy on vault_substitutions (tenant, deputy);

create index vault_members_person on vault_members (tenant, person);
create index vault_audit_tenant on vault_audit (tenant, seq);
create index vault_audit_action on vault_audit (tenant, action, person, object);

-- +goose Down
select 1;
