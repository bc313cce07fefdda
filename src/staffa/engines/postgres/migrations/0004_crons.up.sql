-- The entries of cron: what makes their jobs, which ticks were taken, who declares them. A tick is
-- taken by raising last_tick in the transaction that inserts its job.
CREATE TABLE :"prefix".staffa_crons (
    instance      text NOT NULL,
    name          text NOT NULL,
    expression    text NOT NULL,
    timezone      text NOT NULL,
    dst           text NOT NULL,
    worker        text NOT NULL,
    args          jsonb NOT NULL DEFAULT '{}',
    options       jsonb NOT NULL DEFAULT '{}',
    producers     uuid[] NOT NULL DEFAULT '{}',
    last_tick     timestamp NOT NULL DEFAULT timezone('UTC', clock_timestamp()),
    last_job_id   bigint,
    booted_at     timestamp NOT NULL DEFAULT timezone('UTC', clock_timestamp()),
    registered_at timestamp NOT NULL DEFAULT timezone('UTC', clock_timestamp()),
    updated_at    timestamp NOT NULL DEFAULT timezone('UTC', clock_timestamp()),
    seen_at       timestamp NOT NULL DEFAULT timezone('UTC', clock_timestamp()),
    PRIMARY KEY (instance, name)
) WITH (fillfactor = 50);
