-- Take the running jobs of dead producers away from them: available again with the attempt given
-- back, or discarded where that has happened too often. Any client may have written anything into
-- meta.rescued: what is no count counts as none.
-- $1 uuid[]: dead producers, $2 bigint[]: the heartbeat at which each was last seen,
-- $3 int: max_rescues, $4 int: limit, $5 text: the error of discarded jobs.
-- Locks: the producers' rows, so that none comes back to life in between, then the jobs' rows, the
-- longest running first; what others hold is skipped.
-- Index: staffa_jobs_lease; in the order of ids the planner would read the whole table.
WITH dead AS MATERIALIZED (
    SELECT producer.uuid::text AS uuid
      FROM unnest($1::uuid[], $2::bigint[]) AS seen (uuid, beats)
      JOIN :"prefix".staffa_producers AS producer
        ON producer.uuid = seen.uuid
       AND producer.beats = seen.beats
     ORDER BY producer.uuid
       FOR UPDATE OF producer SKIP LOCKED
), orphan AS MATERIALIZED (
    SELECT job.id, timezone('UTC', clock_timestamp()) AS now,
           CASE jsonb_typeof(job.meta -> 'rescued') WHEN 'number'
                THEN greatest((job.meta ->> 'rescued')::numeric, 0) ELSE 0 END AS rescued
      FROM :"prefix".oban_jobs AS job
     WHERE job.state = 'executing'
       AND job.attempted_by[2] = ANY (ARRAY(SELECT dead.uuid FROM dead))
     ORDER BY job.attempted_at, job.id
     LIMIT $4::int
       FOR UPDATE SKIP LOCKED
)
UPDATE :"prefix".oban_jobs AS job
   SET state = CASE WHEN orphan.rescued >= $3::int THEN 'discarded' ELSE 'available' END::text::
                   :"prefix".oban_job_state,
       attempt = CASE WHEN orphan.rescued >= $3::int THEN job.attempt
                      ELSE greatest(job.attempt - 1, 0) END,
       discarded_at = CASE WHEN orphan.rescued >= $3::int THEN orphan.now ELSE job.discarded_at END,
       meta = CASE WHEN jsonb_typeof(job.meta) = 'object' THEN job.meta ELSE '{}' END
           || jsonb_build_object('rescued', least(orphan.rescued, $3::int) + 1),
       errors = CASE WHEN orphan.rescued >= $3::int
                     THEN job.errors || jsonb_build_object(
                         'attempt', job.attempt,
                         'at', to_char(orphan.now, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                         'error', $5::text)
                     ELSE job.errors END
  FROM orphan
 WHERE job.id = orphan.id
RETURNING job.id, job.queue, job.worker, job.state::text AS state, job.attempt;
