-- The pruner's index: finished jobs of a state in the order in which they ended.
--
-- One partial index for all three states, since a job enters it once, when it ends, and near its end:
-- bundles of 500 acknowledgements took 45 to 65 us a job with it and without, and it has 41 bytes a
-- job. Rows of jobs that wait or run are not in it. With queue and worker in it, the rules of both
-- could be looked up, but it would be three times as large for all who have no such rules. The time
-- is the one of the end; where another client has written none, scheduled_at stands in. The id makes
-- the order total, so that a walk goes on exactly where it stopped.
CREATE INDEX /* CONCURRENTLY */ staffa_jobs_finished ON :"prefix".oban_jobs
    (state, (coalesce(greatest(completed_at, cancelled_at, discarded_at), scheduled_at)), id)
    WHERE state IN ('completed', 'cancelled', 'discarded');
