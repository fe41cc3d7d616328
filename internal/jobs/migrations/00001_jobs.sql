-- +goose Up
create table jobs (
	id          text not null primary key,
	kind        text not null,
	ref         text not null,
	slot        text not null,
	state       text not null check (state in ('ready', 'done', 'dead')),
	attempt     {int} not null,
	spared      {int} not null,
	run_at      {int} not null,
	created_at  {int} not null,
	finished_at {int} not null,
	expires_at  {int} not null,
	error_code  text not null,
	error_class text not null
) {strict};

create unique index jobs_slot on jobs (kind, slot) where slot <> '';
create index jobs_due on jobs (run_at, id) where state = 'ready';
create index jobs_over on jobs (expires_at, id) where state <> 'ready';
create index jobs_dead on jobs (finished_at, id) where state = 'dead';
