-- Read a job, and what shows later whether its row has changed.
-- $1: id.
-- Index: the primary key.
SELECT id, state, queue, worker, args, meta, tags, errors, attempt, max_attempts, priority, attempted_by,
       inserted_at, scheduled_at, attempted_at, completed_at, cancelled_at, discarded_at,
       staffa_digest(state, queue, worker, args, meta, tags, errors, attempt, max_attempts, priority,
                     attempted_by, inserted_at, scheduled_at, attempted_at, completed_at,
                     cancelled_at, discarded_at) AS version
  FROM oban_jobs
 WHERE id = $1;
