-- +goose Up
create table tenant_tenants (
  id          text not null primary key,
  kind        text not null,
  profile     text not null,
  name        text not null,
  ars         text not null,
  street      text not null,
  postcode    text not null,
  place       text not null,
  phone       text not null,
  email       text not null,
  modules     text not null,
  position    {int} not null,
  created_at  {int} not null
) {strict};

create table tenant_hosts (
  host        text not null primary key,
  tenant_id   text not null references tenant_tenants (id),
  position    {int} not null
) {strict};

create table tenant_mail (
  address     text not null primary key,
  tenant_id   text not null references tenant_tenants (id)
) {strict};

create table tenant_networks (
  tenant_id   text not null references tenant_tenants (id),
  prefix      text not null,
  primary key (tenant_id, prefix)
) {strict};

create table tenant_departments (
  tenant_id   text not null references tenant_tenants (id),
  id          text not null,
  name        text not null,
  name_en     text not null,
  position    {int} not null,
  primary key (tenant_id, id)
) {strict};

create table tenant_mailboxes (
  tenant_id        text not null references tenant_tenants (id),
  id               text not null,
  department_id    text not null,
  name             text not null,
  name_en          text not null,
  duties           text not null,
  duties_en        text not null,
  reply_days       {int} not null,
  file_kinds       text not null,
  max_file         {int} not null,
  max_message      {int} not null,
  max_files        {int} not null,
  email_reply      {bool} not null,
  sender_required  {bool} not null,
  fallback         {bool} not null,
  position         {int} not null,
  retention_days   {int} not null default 0,
  retention_since  {int} not null default 0,
  members_only     {bool} not null default false,
  primary key (tenant_id, id)
) {strict};

create table tenant_topics (
  tenant_id   text not null,
  mailbox_id  text not null,
  id          text not null,
  name        text not null,
  name_en     text not null,
  position    {int} not null,
  primary key (tenant_id, mailbox_id, id)
) {strict};

create table tenant_banners (
  id          text not null primary key,
  tenant_id   text not null,
  kind        text not null,
  title       text not null,
  title_en    text not null,
  text        text not null,
  text_en     text not null,
  starts_at   {int} not null,
  ends_at     {int} not null
) {strict};

create table tenant_revision (
  id          {int} not null primary key,
  revision    {int} not null
) {strict};
insert into tenant_revision (id, revision) values (1, 1);

