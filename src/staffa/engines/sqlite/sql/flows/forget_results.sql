-- Forget what jobs have recorded.
-- $1: a JSON array of the jobs.
-- Index: the primary key.
UPDATE oban_jobs
   SET meta = json_remove(meta, '$.return')
 WHERE id IN (SELECT given.value FROM json_each($1) AS given)
   AND json_type(meta, '$.return') IS NOT NULL;
