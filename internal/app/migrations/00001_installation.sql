-- +goose Up
create table app_installation (
  id          text not null primary key,
  created_at  {int} not null
) {strict};
