CREATE TABLE IF NOT EXISTS :"prefix".staffa_migrations (
    version    integer PRIMARY KEY,
    name       text NOT NULL,
    applied_at timestamp NOT NULL DEFAULT timezone('UTC', clock_timestamp())
);
