-- stage.sql: what is due.
CREATE INDEX /* CONCURRENTLY */ staffa_jobs_stage
    ON :"prefix".oban_jobs (scheduled_at, id)
    WHERE state IN ('scheduled', 'retryable');
