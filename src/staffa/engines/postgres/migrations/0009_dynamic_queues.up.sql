-- Queues that are kept in the database: their options as [queues.name] of staffa.toml has them, and
-- those that the configuration had when a process with it started last.
CREATE TABLE :"prefix".staffa_dynamic_queues (
    name        text NOT NULL,
    queue       text NOT NULL,
    options     jsonb NOT NULL CHECK (jsonb_typeof(options) = 'object'),
    configured  jsonb CHECK (jsonb_typeof(configured) = 'object'),
    deleted     boolean NOT NULL DEFAULT false,
    version     bigint NOT NULL,
    inserted_at timestamp NOT NULL,
    changed_at  timestamp NOT NULL,
    PRIMARY KEY (queue, name)
);

-- changes.sql: what has changed since a process looked last.
CREATE INDEX staffa_dynamic_queues_changes ON :"prefix".staffa_dynamic_queues (name, version);
