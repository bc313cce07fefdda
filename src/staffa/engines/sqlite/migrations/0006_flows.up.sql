-- Workflows, batches and chains: see the tables of PostgreSQL.
CREATE TABLE staffa_flows (
    id          TEXT PRIMARY KEY,
    kind        TEXT NOT NULL CHECK (kind IN ('workflow', 'batch', 'chain')),
    root        TEXT NOT NULL,
    parent      TEXT,
    name        TEXT,
    place       TEXT,
    options     TEXT NOT NULL DEFAULT '{}',
    callbacks   TEXT NOT NULL DEFAULT '{}',
    needs       TEXT NOT NULL DEFAULT '[]',
    once        TEXT,
    grafted     INTEGER NOT NULL DEFAULT 0,
    total       INTEGER NOT NULL DEFAULT 0,
    suspended   INTEGER NOT NULL DEFAULT 0,
    completed   INTEGER NOT NULL DEFAULT 0,
    cancelled   INTEGER NOT NULL DEFAULT 0,
    discarded   INTEGER NOT NULL DEFAULT 0,
    deleted     INTEGER NOT NULL DEFAULT 0,
    attempted   INTEGER NOT NULL DEFAULT 0,
    inner_open  INTEGER NOT NULL DEFAULT 0,
    tail        INTEGER,
    fired       TEXT NOT NULL DEFAULT '[]',
    inserted_at TEXT NOT NULL,
    checked_at  TEXT NOT NULL,
    finished_at TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX staffa_flows_parent ON staffa_flows (parent) WHERE parent IS NOT NULL;
CREATE INDEX staffa_flows_root ON staffa_flows (root) WHERE root <> id;
CREATE INDEX staffa_flows_newest ON staffa_flows (kind, inserted_at, id) WHERE parent IS NULL;
CREATE INDEX staffa_flows_open ON staffa_flows (checked_at, id) WHERE finished_at IS NULL;
CREATE INDEX staffa_flows_finished ON staffa_flows (finished_at, id) WHERE finished_at IS NOT NULL;
CREATE UNIQUE INDEX staffa_flows_once ON staffa_flows (once) WHERE once IS NOT NULL AND finished_at IS NULL;

CREATE TABLE staffa_steps (
    job_id       INTEGER PRIMARY KEY,
    root         TEXT NOT NULL,
    open         INTEGER NOT NULL,
    held         INTEGER NOT NULL DEFAULT 0,
    on_cancelled TEXT NOT NULL DEFAULT 'cancel' CHECK (on_cancelled IN ('cancel', 'ignore', 'hold')),
    on_discarded TEXT NOT NULL DEFAULT 'cancel' CHECK (on_discarded IN ('cancel', 'ignore', 'hold')),
    on_deleted   TEXT NOT NULL DEFAULT 'cancel' CHECK (on_deleted IN ('cancel', 'ignore', 'hold'))
) STRICT;

CREATE INDEX staffa_steps_root ON staffa_steps (root);

CREATE TABLE staffa_edges (
    job_id     INTEGER NOT NULL,
    needs_job  INTEGER,
    needs_flow TEXT,
    ended      TEXT,
    CHECK ((needs_job IS NULL) <> (needs_flow IS NULL))
) STRICT;

CREATE UNIQUE INDEX staffa_edges_job ON staffa_edges (job_id, needs_job) WHERE needs_job IS NOT NULL;
CREATE UNIQUE INDEX staffa_edges_flow ON staffa_edges (job_id, needs_flow) WHERE needs_flow IS NOT NULL;
CREATE INDEX staffa_edges_needs_job ON staffa_edges (needs_job) WHERE needs_job IS NOT NULL;
CREATE INDEX staffa_edges_needs_flow ON staffa_edges (needs_flow) WHERE needs_flow IS NOT NULL;

-- flows/: the jobs of a workflow, of a batch.
CREATE INDEX staffa_jobs_workflow ON oban_jobs (meta ->> '$.workflow_id', id) WHERE meta ->> '$.workflow_id' IS NOT NULL;
CREATE INDEX staffa_jobs_batch ON oban_jobs (meta ->> '$.batch_id', id) WHERE meta ->> '$.batch_id' IS NOT NULL;
