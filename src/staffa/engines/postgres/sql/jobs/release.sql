-- Put back what a producer holds but does not run, without using up an attempt: all of it when it
-- stops, or what a claim leased whose reply was lost.
-- $1 text: producer uuid, $2 text: queue or null for all, $3 bigint[]: ids that it does run.
-- Locks: the rows, in the order of their ids; what others hold is left to the next time, or to a
-- rescue. Index: staffa_jobs_lease.
WITH held AS MATERIALIZED (
    SELECT id
      FROM :"prefix".oban_jobs
     WHERE state = 'executing'
       AND attempted_by[2] = $1::text
       AND ($2::text IS NULL OR queue = $2::text)
       AND id <> ALL ($3::bigint[])
     ORDER BY id
       FOR UPDATE SKIP LOCKED
)
UPDATE :"prefix".oban_jobs AS job
   SET state = 'available',
       attempt = greatest(job.attempt - 1, 0)
  FROM held
 WHERE job.id = held.id
RETURNING job.id, job.queue;
