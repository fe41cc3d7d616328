-- +goose Up
create table account_staff (
  tenant_id    text not null,
  id           text not null,
  name         text not null,
  role         text not null,
  created_at   {int} not null,
  disabled_at  {int} not null,
	start_until {int} not null,
  primary key (tenant_id, id)
) {strict};

create table account_notices (
  tenant_id    text not null,
  mailbox_id   text not null,
  person       text not null,
  created_at   {int} not null,
  primary key (tenant_id, mailbox_id, person)
) {strict};

create table account_citizens (
  id          text not null primary key,
  realm       text not null,
  created_at  {int} not null,
  notice      {bool} not null
) {strict};
