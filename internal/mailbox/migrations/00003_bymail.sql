-- +goose Up
-- How letters came that were ordinary e-mail, sealed, and the marks by which the same mail is known when it is sent again.
create table mailbox_mail (
  message_id   text not null primary key references mailbox_messages (id),
  tenant_id    text not null,
  thread_id    text not null,
  facts        {blob} not null
) {strict};
create index mailbox_mail_thread on mailbox_mail (tenant_id, thread_id);

create table mailbox_mail_marks (
  tenant_id    text not null,
  mark         {blob} not null,
  created_at   {int} not null,
  primary key (tenant_id, mark)
) {strict};
create index mailbox_mail_marks_created on mailbox_mail_marks (created_at);

create index mailbox_threads_mail on mailbox_threads (tenant_id, mailbox_id, received_at, id) where reply_way in ('mail', 'none');
