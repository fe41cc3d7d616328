-- +goose Up
-- One key per tenant and module of the website, wrapped under a key derived from the root key.
create table vault_modules (
  tenant text not null references vault_tenants (id),
  module text not null,
  key_wrapped {blob} not null,
  created_at {int} not null,
  primary key (tenant, module)
) {strict};

-- +goose Down
select 1;
