-- +goose Up
-- A request of one person for a sealed address; a second one grants it. reason_sealed is encrypted under a key derived from the root
-- key. The row goes when it was decided or has waited too long; the audit keeps who did what.
create table vault_evidence (
  tenant text not null references vault_tenants (id),
  id text not null,
  object text not null,
  ground text not null,
  reason_sealed {blob} not null,
  asked_by text not null,
  created_at {int} not null,
  primary key (tenant, id)
) {strict};
create index vault_evidence_created on vault_evidence (created_at);

-- +goose Down
select 1;
