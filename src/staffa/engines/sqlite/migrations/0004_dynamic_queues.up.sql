-- Queues that are kept in the database: their options as [queues.name] of staffa.toml has them, and
-- those that the configuration had when a process with it started last.
CREATE TABLE staffa_dynamic_queues (
    name        TEXT NOT NULL,
    queue       TEXT NOT NULL,
    options     TEXT NOT NULL,
    configured  TEXT,
    deleted     INTEGER NOT NULL DEFAULT 0,
    version     INTEGER NOT NULL,
    inserted_at TEXT NOT NULL,
    changed_at  TEXT NOT NULL,
    PRIMARY KEY (queue, name),
    CHECK (json_type(options) = 'object'),
    CHECK (configured IS NULL OR json_type(configured) = 'object')
) STRICT, WITHOUT ROWID;

-- changes.sql: what has changed since a process looked last.
CREATE INDEX staffa_dynamic_queues_changes ON staffa_dynamic_queues (name, version);
