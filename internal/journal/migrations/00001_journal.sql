-- +goose Up
create table journal_entries (
	id         text not null primary key,
	tenant     text not null,
	at         {int} not null,
	actor      text not null,
	action     text not null,
	object     text not null,
	detail     text,
	reason     text,
	salt       {blob},
	commitment {blob} not null,
	blanked_by text not null,
	seq        {int},
	chained_at {int},
	hash       {blob}
) {strict};

create index journal_object on journal_entries (tenant, object, at, id);
create index journal_time on journal_entries (tenant, at, id);
create unique index journal_chain on journal_entries (tenant, seq) where seq is not null;
create index journal_open on journal_entries
	(tenant, (case when action = 'journal.blanked' then 1 else 0 end), at, id) where seq is null;

create table journal_heads (
	tenant     text not null primary key,
	seq        {int} not null,
	hash       {blob} not null,
	base_seq   {int} not null,
	base_hash  {blob} not null,
	changed_at {int} not null
) {strict};
