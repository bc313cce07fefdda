-- Suspend jobs that would run.
-- $1: a JSON array of the jobs.
-- Index: the primary key.
UPDATE oban_jobs
   SET state = 'suspended'
 WHERE id IN (SELECT given.value FROM json_each($1) AS given)
   AND +state IN ('available', 'scheduled', 'retryable');
