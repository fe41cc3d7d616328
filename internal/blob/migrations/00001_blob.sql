-- +goose Up
create table blob_refs (
	id         text not null primary key,
	tenant     text not null,
	owner      text not null,
	size       {int} not null,
	created_at {int} not null
) {strict};

create index blob_refs_owner on blob_refs (tenant, owner);
