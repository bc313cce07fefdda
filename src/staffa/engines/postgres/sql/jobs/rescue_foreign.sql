-- Rescue running jobs of other implementations by age alone: of their processes nothing is known.
-- The attempt stays used, and an exhausted job is discarded, as their own lifelines do it.
-- $1 float8: age in seconds, $2 int: limit, $3 text: the error of discarded jobs.
-- Locks: the rows, the longest running first; what others hold is skipped. Index: staffa_jobs_lease, as
-- a whole: in the order of ids the planner would read the whole table.
WITH orphan AS MATERIALIZED (
    SELECT job.id, timezone('UTC', clock_timestamp()) AS now,
           job.attempt >= job.max_attempts AS exhausted
      FROM :"prefix".oban_jobs AS job
     WHERE job.state = 'executing'
       AND job.attempted_at < timezone('UTC', now()) - make_interval(secs => $1::float8)
       AND NOT EXISTS (
               SELECT FROM :"prefix".staffa_producers AS producer
                WHERE producer.uuid::text = job.attempted_by[2]
           )
     ORDER BY job.attempted_at, job.id
     LIMIT $2::int
       FOR UPDATE OF job SKIP LOCKED
)
UPDATE :"prefix".oban_jobs AS job
   SET state = CASE WHEN orphan.exhausted THEN 'discarded' ELSE 'available' END::text::
                   :"prefix".oban_job_state,
       discarded_at = CASE WHEN orphan.exhausted THEN orphan.now ELSE job.discarded_at END,
       errors = CASE WHEN orphan.exhausted
                     THEN job.errors || jsonb_build_object(
                         'attempt', job.attempt,
                         'at', to_char(orphan.now, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                         'error', $3::text)
                     ELSE job.errors END
  FROM orphan
 WHERE job.id = orphan.id
RETURNING job.id, job.queue, job.worker, job.state::text AS state, job.attempt;
