-- +goose Up
create table mailbox_threads (
  id           text not null primary key,
  tenant_id    text not null,
  mailbox_id   text not null,
  topic_id     text not null,
  number       text not null,
  submit_id    {blob} not null,
  state        text not null,
  unread       {bool} not null,
  assignee     text not null,
  reply_way    text not null,
  notice       {bool} not null,
  files        {int} not null,
  size_class   {int} not null,
  withdrawal   {bool} not null,
  deleting     {bool} not null,
  registered   {bool} not null default false,
  first_id     text not null,
  received_at  {int} not null,
  changed_at   {int} not null,
  due_at       {int} not null,
  closed_at    {int} not null,
  version      {int} not null
) {strict};
create unique index mailbox_threads_submit on mailbox_threads (tenant_id, submit_id);
create unique index mailbox_threads_number on mailbox_threads (tenant_id, number);
create index mailbox_threads_received on mailbox_threads (tenant_id, mailbox_id, received_at, id);
create index mailbox_threads_open on mailbox_threads (tenant_id, mailbox_id, received_at, id) where state <> 'closed';
create index mailbox_threads_due on mailbox_threads
  (tenant_id, mailbox_id, (due_at + case when state in ('new', 'open') then 0 else 4503599627370496 end), id) where state <> 'closed';

create table mailbox_messages (
  id           text not null primary key,
  tenant_id    text not null,
  thread_id    text not null references mailbox_threads (id),
  kind         text not null,
  author       text not null,
  by_mail      {bool} not null,
  undelivered  {bool} not null default false,
  created_at   {int} not null,
  card         {blob} not null,
  body         {blob} not null,
  contact      {blob} not null,
  receipt      {blob} not null
) {strict};
create index mailbox_messages_thread on mailbox_messages (thread_id, created_at, id);

create table mailbox_files (
  message_id   text not null references mailbox_messages (id),
  part         text not null,
  tenant_id    text not null,
  thread_id    text not null,
  position     {int} not null,
  blob_id      text not null,
  card         {blob} not null,
  primary key (message_id, part)
) {strict};
create index mailbox_files_thread on mailbox_files (tenant_id, thread_id);

create table mailbox_intake (
  message_id   text not null primary key,
  tenant_id    text not null,
  mailbox_id   text not null,
  thread_id    text not null,
  day          text not null,
  box          {blob} not null,
  state        text not null,
  created_at   {int} not null
) {strict};
create index mailbox_intake_state on mailbox_intake (state, created_at);
create index mailbox_intake_taken on mailbox_intake (state, message_id);
create index mailbox_intake_day on mailbox_intake (day, state);

create table mailbox_numbers (
  tenant_id    text not null,
  year         {int} not null,
  next         {int} not null,
  primary key (tenant_id, year)
) {strict};
