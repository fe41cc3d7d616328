-- +goose Up
-- private is ciphertext, public a SubjectPublicKeyInfo. since is 0 as long as a key waits for its record in the DNS.
create table mail_dkim (
  tenant_id  text not null,
  domain     text not null,
  selector   text not null,
  private    {blob} not null,
  public     {blob} not null,
  made_at    {int} not null,
  since      {int} not null,
  primary key (tenant_id, domain, selector)
) {strict};
create index mail_dkim_domain on mail_dkim (domain, since);
