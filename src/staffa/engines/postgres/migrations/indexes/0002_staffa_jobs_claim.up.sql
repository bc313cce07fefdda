-- claim.sql: the next jobs of a queue.
CREATE INDEX /* CONCURRENTLY */ staffa_jobs_claim
    ON :"prefix".oban_jobs (queue, priority, scheduled_at, id)
    WHERE state = 'available';
