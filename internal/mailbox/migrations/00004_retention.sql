-- +goose Up
-- Exceptions from routine deletion: what a law makes the office keep, and until when.
create table mailbox_exceptions (
  tenant_id    text not null,
  thread_id    text not null references mailbox_threads (id),
  norm         text not null,
  until_at     {int} not null,
  created_at   {int} not null,
  primary key (tenant_id, thread_id)
) {strict};

create index mailbox_threads_closed on mailbox_threads (tenant_id, mailbox_id, closed_at, id) where state = 'closed';
