-- Write the deadlines of steps that are due later than was thought.
-- $1 bigint[]: the jobs, $2 text[]: what is merged into the meta of each.
-- Locks: the rows, which the transaction holds already. Index: the primary key.
UPDATE :"prefix".oban_jobs AS job
   SET meta = job.meta || given.patch::jsonb
  FROM unnest((SELECT $1::bigint[]), (SELECT $2::text[])) AS given (id, patch)
 WHERE job.id = given.id
   AND jsonb_typeof(job.meta) = 'object';
