-- The limits of queues on all processes: see the tables of PostgreSQL.
CREATE TABLE staffa_limits (
    queue      TEXT PRIMARY KEY,
    options    TEXT NOT NULL,
    fields     TEXT NOT NULL DEFAULT '[]',
    cursors    TEXT NOT NULL DEFAULT '{}',
    sweep      TEXT NOT NULL DEFAULT '{}',
    changed_at TEXT NOT NULL,
    used_at    TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE staffa_rates (
    queue    TEXT NOT NULL,
    key      TEXT NOT NULL,
    meter    TEXT NOT NULL,
    free_at  TEXT,
    spent_at TEXT NOT NULL,
    PRIMARY KEY (queue, key)
) STRICT, WITHOUT ROWID;

-- limits/walk.sql, limits/take.sql: the partitions that wait in a queue, and their next jobs.
CREATE INDEX staffa_jobs_ring ON oban_jobs (queue, priority, meta ->> '$.partition_key', scheduled_at, id)
    WHERE state = 'available' AND meta ->> '$.partition_key' IS NOT NULL;

-- limits/look.sql, limits/walk.sql: the running jobs of limited queues, by partition.
CREATE INDEX staffa_jobs_limited ON oban_jobs (queue, meta ->> '$.partition_key')
    WHERE state = 'executing' AND meta ->> '$.partition_key' IS NOT NULL;
