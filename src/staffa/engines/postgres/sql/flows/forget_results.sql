-- Forget what jobs have recorded.
-- $1 bigint[]: the jobs.
-- Locks: the rows, which the transaction holds already. Index: the primary key.
UPDATE :"prefix".oban_jobs AS job
   SET meta = job.meta - 'return'
 WHERE job.id = ANY ((SELECT $1::bigint[])::bigint[])
   AND job.meta ? 'return';
