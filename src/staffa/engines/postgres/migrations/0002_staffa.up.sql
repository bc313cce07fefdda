-- What Staffa adds to a jobs table, its own or an adopted one: its tables, and the partial indexes in the
-- folder indexes. Each of those holds only the rows of one stage of a job's life, so that history costs
-- the claim nothing.

-- A row for each start of a worker process. Logged and kept while an executing job names it: a crash
-- of the database must not make our own jobs look like another implementation's.
CREATE TABLE :"prefix".staffa_producers (
    uuid       uuid PRIMARY KEY,
    name       text NOT NULL,
    node       text NOT NULL,
    beats      bigint NOT NULL DEFAULT 0,
    started_at timestamp NOT NULL DEFAULT timezone('UTC', clock_timestamp()),
    beat_at    timestamp NOT NULL DEFAULT timezone('UTC', clock_timestamp())
) WITH (fillfactor = 50);

CREATE TABLE :"prefix".staffa_leaders (
    name       text PRIMARY KEY,
    node       text NOT NULL,
    producer   uuid NOT NULL,
    elected_at timestamp NOT NULL,
    expires_at timestamp NOT NULL
) WITH (fillfactor = 50);
