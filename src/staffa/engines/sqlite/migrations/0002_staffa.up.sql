-- What Staffa adds: partial indexes, each with the rows of one stage of a job's life, and its tables.
-- The conditions of statements repeat those of the indexes word for word, or SQLite does not use them.

-- claim.sql: the next jobs of a queue.
CREATE INDEX staffa_jobs_claim ON oban_jobs (queue, priority, scheduled_at, id)
    WHERE state = 'available';

-- stage.sql: what is due.
CREATE INDEX staffa_jobs_stage ON oban_jobs (scheduled_at, id)
    WHERE state IN ('scheduled', 'retryable');

-- rescue.sql, release.sql: the running jobs of a producer.
CREATE INDEX staffa_jobs_lease ON oban_jobs (json_extract(attempted_by, '$[1]'))
    WHERE state = 'executing';

-- The pruner: finished jobs of a state in the order in which they ended.
CREATE INDEX staffa_jobs_finished ON oban_jobs
    (state, coalesce(nullif(max(coalesce(completed_at, ''), coalesce(cancelled_at, ''), coalesce(discarded_at, '')), ''), scheduled_at), id)
    WHERE state IN ('completed', 'cancelled', 'discarded');

CREATE TABLE staffa_producers (
    uuid       TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    node       TEXT NOT NULL,
    beats      INTEGER NOT NULL DEFAULT 0,
    started_at TEXT NOT NULL,
    beat_at    TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE staffa_leaders (
    name       TEXT PRIMARY KEY,
    node       TEXT NOT NULL,
    producer   TEXT NOT NULL,
    elected_at TEXT NOT NULL,
    expires_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE staffa_queues (
    name       TEXT NOT NULL,
    queue      TEXT NOT NULL,
    scope      TEXT NOT NULL,
    option     TEXT NOT NULL,
    value      TEXT NOT NULL,
    version    INTEGER NOT NULL,
    changed_at TEXT NOT NULL,
    PRIMARY KEY (queue, name, scope, option)
) STRICT, WITHOUT ROWID;

-- pulse.sql: what has changed since a process looked last.
CREATE INDEX staffa_queues_changes ON staffa_queues (name, version);

CREATE TABLE staffa_queue_versions (
    name    TEXT PRIMARY KEY,
    version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE staffa_crons (
    instance      TEXT NOT NULL,
    name          TEXT NOT NULL,
    expression    TEXT NOT NULL,
    timezone      TEXT NOT NULL,
    dst           TEXT NOT NULL,
    worker        TEXT NOT NULL,
    args          TEXT NOT NULL DEFAULT '{}',
    options       TEXT NOT NULL DEFAULT '{}',
    producers     TEXT NOT NULL DEFAULT '[]',
    last_tick     TEXT NOT NULL,
    last_job_id   INTEGER,
    booted_at     TEXT NOT NULL,
    registered_at TEXT NOT NULL,
    updated_at    TEXT NOT NULL,
    seen_at       TEXT NOT NULL,
    PRIMARY KEY (instance, name),
    CHECK (json_valid(args)),
    CHECK (json_valid(options)),
    CHECK (json_type(producers) = 'array')
) STRICT, WITHOUT ROWID;

-- The keys of unique jobs, in hexadecimal, and the jobs that may still count, the newest first.
CREATE TABLE staffa_unique (
    key     TEXT PRIMARY KEY,
    holders TEXT NOT NULL DEFAULT '[]',
    CHECK (json_type(holders) = 'array')
) STRICT, WITHOUT ROWID;
