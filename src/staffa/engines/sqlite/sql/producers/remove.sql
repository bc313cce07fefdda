-- Forget a producer that has stopped, unless a running job still names it.
-- $1: uuid.
-- Index: the primary key, staffa_jobs_lease.
DELETE FROM staffa_producers
 WHERE uuid = $1
   AND NOT EXISTS (
           SELECT 1
             FROM oban_jobs AS job
            WHERE job.state = 'executing'
              AND json_extract(job.attempted_by, '$[1]') = $1
       )
RETURNING uuid;
