-- Take the running jobs of dead producers away from them: available again with the attempt given
-- back, or discarded where that has happened too often. Any client may have written anything into
-- meta.rescued: what is no count counts as none.
-- $1: a JSON array of arrays: a dead producer, the heartbeat at which it was last seen; $2: max_rescues,
-- $3: limit, $4: the error of discarded jobs.
-- Index: staffa_jobs_lease, the primary keys.
WITH clock AS MATERIALIZED (
    SELECT staffa_now() AS now
), orphan AS MATERIALIZED (
    SELECT job.id, staffa_rescues(job.meta) AS rescued
      FROM oban_jobs AS job
     WHERE job.state = 'executing'
       AND json_extract(job.attempted_by, '$[1]') IN (
               SELECT producer.uuid
                 FROM json_each($1) AS seen
                CROSS JOIN staffa_producers AS producer
                WHERE producer.uuid = seen.value ->> '$[0]'
                  AND producer.beats = seen.value ->> '$[1]'
           )
     ORDER BY job.attempted_at, job.id
     LIMIT $3
)
UPDATE oban_jobs
   SET state = CASE WHEN orphan.rescued >= $2 THEN 'discarded' ELSE 'available' END,
       attempt = CASE WHEN orphan.rescued >= $2 THEN oban_jobs.attempt
                      ELSE max(oban_jobs.attempt - 1, 0) END,
       discarded_at = CASE WHEN orphan.rescued >= $2 THEN (SELECT clock.now FROM clock)
                           ELSE oban_jobs.discarded_at END,
       meta = staffa_merge(oban_jobs.meta, json_object(
                  'rescued', CAST(min(orphan.rescued, $2) + 1 AS INTEGER))),
       errors = CASE WHEN orphan.rescued >= $2
                     THEN staffa_note(oban_jobs.errors, oban_jobs.attempt,
                                      (SELECT clock.now FROM clock), $4)
                     ELSE oban_jobs.errors END
  FROM orphan
 WHERE oban_jobs.id = orphan.id
RETURNING id, queue, worker, state, attempt;
