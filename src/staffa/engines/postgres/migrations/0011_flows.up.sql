-- Workflows, batches and chains: how many of their jobs are in which state. The row of the root is locked
-- before anything in its flows changes; every end of a job writes the row of its flow, so there is room.
CREATE TABLE :"prefix".staffa_flows (
    id          text COLLATE "C" PRIMARY KEY,
    kind        text NOT NULL CHECK (kind IN ('workflow', 'batch', 'chain')),
    root        text COLLATE "C" NOT NULL,
    parent      text COLLATE "C",
    name        text,
    place       text,                          -- its name as a step of its parent
    options     jsonb NOT NULL DEFAULT '{}',
    callbacks   jsonb NOT NULL DEFAULT '{}',   -- by event, the columns of the job that is written then
    needs       text[] NOT NULL DEFAULT '{}',
    once        text,                          -- of unique ones
    grafted     boolean NOT NULL DEFAULT false,
    total       integer NOT NULL DEFAULT 0,
    suspended   integer NOT NULL DEFAULT 0,
    completed   integer NOT NULL DEFAULT 0,
    cancelled   integer NOT NULL DEFAULT 0,
    discarded   integer NOT NULL DEFAULT 0,
    deleted     integer NOT NULL DEFAULT 0,
    attempted   integer NOT NULL DEFAULT 0,
    inner_open  integer NOT NULL DEFAULT 0,    -- flows inside of it that have not ended
    tail        bigint,                        -- of a chain: its newest job
    fired       text[] NOT NULL DEFAULT '{}',
    inserted_at timestamp NOT NULL DEFAULT timezone('UTC', clock_timestamp()),
    checked_at  timestamp NOT NULL DEFAULT timezone('UTC', clock_timestamp()),
    finished_at timestamp
) WITH (fillfactor = 50);

CREATE INDEX staffa_flows_parent ON :"prefix".staffa_flows (parent) WHERE parent IS NOT NULL;
CREATE INDEX staffa_flows_root ON :"prefix".staffa_flows (root) WHERE root <> id;
CREATE INDEX staffa_flows_newest ON :"prefix".staffa_flows (kind, inserted_at, id) WHERE parent IS NULL;
CREATE INDEX staffa_flows_open ON :"prefix".staffa_flows (checked_at, id) WHERE finished_at IS NULL;
CREATE INDEX staffa_flows_finished ON :"prefix".staffa_flows (finished_at, id) WHERE finished_at IS NOT NULL;
CREATE UNIQUE INDEX staffa_flows_once ON :"prefix".staffa_flows (once)
    WHERE once IS NOT NULL AND finished_at IS NULL;

-- The jobs of workflows and batches, callbacks of batches among them. A table of its own, since an index of jobs
-- would be written by every change of a job. What it tells is no more than meta does, and may be of jobs that are gone.
CREATE TABLE :"prefix".staffa_members (
    flow   text COLLATE "C" NOT NULL,
    job_id bigint NOT NULL,
    PRIMARY KEY (flow, job_id)
);

-- Jobs that wait for others, and have waited. Each row is written once more as a rule, in its own page.
CREATE TABLE :"prefix".staffa_steps (
    job_id       bigint PRIMARY KEY,
    root         text COLLATE "C" NOT NULL,
    open         integer NOT NULL,             -- edges that are open
    held         boolean NOT NULL DEFAULT false,
    on_cancelled text NOT NULL DEFAULT 'cancel' CHECK (on_cancelled IN ('cancel', 'ignore', 'hold')),
    on_discarded text NOT NULL DEFAULT 'cancel' CHECK (on_discarded IN ('cancel', 'ignore', 'hold')),
    on_deleted   text NOT NULL DEFAULT 'cancel' CHECK (on_deleted IN ('cancel', 'ignore', 'hold'))
) WITH (fillfactor = 50);

CREATE INDEX staffa_steps_root ON :"prefix".staffa_steps (root);

-- What they wait for, each a job or a flow. An edge is marked once, when that has ended,
-- in its own page as well: its indexes are left alone by that.
CREATE TABLE :"prefix".staffa_edges (
    job_id     bigint NOT NULL,
    needs_job  bigint,
    needs_flow text COLLATE "C",
    ended      text,                           -- how what it needs has ended; null while it is open
    on_cancelled text, on_discarded text, on_deleted text,  -- of a chain's, before those of the step
    CHECK (num_nonnulls(needs_job, needs_flow) = 1)
) WITH (fillfactor = 50);

-- The first holds all edges: those of a job are found by it without a word about what they lead to. After
-- "needs_job IS NOT NULL", the planner might read all of the third, where its statistics know of no such edges;
-- so statements say that by "(needs_job IS NULL)::int = 0", which it does not match with indexes.
CREATE UNIQUE INDEX staffa_edges_job ON :"prefix".staffa_edges (job_id, needs_job);
CREATE UNIQUE INDEX staffa_edges_flow ON :"prefix".staffa_edges (job_id, needs_flow) WHERE needs_flow IS NOT NULL;
CREATE INDEX staffa_edges_needs_job ON :"prefix".staffa_edges (needs_job) WHERE needs_job IS NOT NULL;
CREATE INDEX staffa_edges_needs_flow ON :"prefix".staffa_edges (needs_flow) WHERE needs_flow IS NOT NULL;
