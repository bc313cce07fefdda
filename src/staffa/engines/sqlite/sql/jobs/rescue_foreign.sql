-- Rescue running jobs of other implementations by age alone: of their processes nothing is known.
-- The attempt stays used, and an exhausted job is discarded.
-- $1: age in seconds, $2: limit, $3: the error of discarded jobs.
-- Index: staffa_jobs_lease, as a whole; the primary keys.
WITH clock AS MATERIALIZED (
    SELECT staffa_now() AS now
), orphan AS MATERIALIZED (
    SELECT job.id, job.attempt >= job.max_attempts AS exhausted
      FROM oban_jobs AS job
     WHERE job.state = 'executing'
       AND job.attempted_at < staffa_add((SELECT clock.now FROM clock), -$1)
       AND NOT EXISTS (
               SELECT 1
                 FROM staffa_producers AS producer
                WHERE producer.uuid = json_extract(job.attempted_by, '$[1]')
           )
     ORDER BY job.attempted_at, job.id
     LIMIT $2
)
UPDATE oban_jobs
   SET state = CASE WHEN orphan.exhausted THEN 'discarded' ELSE 'available' END,
       discarded_at = CASE WHEN orphan.exhausted THEN (SELECT clock.now FROM clock)
                           ELSE oban_jobs.discarded_at END,
       errors = CASE WHEN orphan.exhausted
                     THEN staffa_note(oban_jobs.errors, oban_jobs.attempt,
                                      (SELECT clock.now FROM clock), $3)
                     ELSE oban_jobs.errors END
  FROM orphan
 WHERE oban_jobs.id = orphan.id
RETURNING id, queue, worker, state, attempt;
