-- Forget producers that died long ago and that no running job names.
-- $1: seconds since the last heartbeat.
-- Index: staffa_jobs_lease.
WITH clock AS MATERIALIZED (
    SELECT staffa_now() AS now
)
DELETE FROM staffa_producers
 WHERE beat_at < staffa_add((SELECT clock.now FROM clock), -$1)
   AND NOT EXISTS (
           SELECT 1
             FROM oban_jobs AS job
            WHERE job.state = 'executing'
              AND json_extract(job.attempted_by, '$[1]') = staffa_producers.uuid
       )
RETURNING uuid;
