-- Suspend jobs that would run.
-- $1 bigint[]: the jobs.
-- Locks: the rows, which the transaction holds already. Index: the primary key; see jobs/ack.sql for state::text.
UPDATE :"prefix".oban_jobs AS job
   SET state = 'suspended'
 WHERE job.id = ANY ((SELECT $1::bigint[])::bigint[])
   AND job.state::text IN ('available', 'scheduled', 'retryable');
