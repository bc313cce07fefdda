-- Turns our jobs table into the form of Elixir Oban, schema version 14: its column types, its
-- what may be null there, and its indexes. Where the ids come from makes no difference to a statement.
ALTER TABLE :"prefix".oban_jobs
    ALTER COLUMN attempt TYPE integer,
    ALTER COLUMN max_attempts TYPE integer,
    ALTER COLUMN priority TYPE integer,
    ALTER COLUMN meta DROP NOT NULL,
    ALTER COLUMN tags DROP NOT NULL;
CREATE INDEX oban_jobs_args_index ON :"prefix".oban_jobs USING gin (args);
CREATE INDEX oban_jobs_meta_index ON :"prefix".oban_jobs USING gin (meta);
CREATE INDEX oban_jobs_state_cancelled_at_index ON :"prefix".oban_jobs (state, cancelled_at);
CREATE INDEX oban_jobs_state_discarded_at_index ON :"prefix".oban_jobs (state, discarded_at);
CREATE INDEX oban_jobs_state_queue_priority_scheduled_at_id_index
    ON :"prefix".oban_jobs (state, queue, priority, scheduled_at, id);
COMMENT ON TABLE :"prefix".oban_jobs IS '14';
