-- Write the deadlines of steps that are due later than was thought.
-- $1: a JSON array of arrays: a job, what is merged into its meta.
-- Index: the primary key.
UPDATE oban_jobs
   SET meta = staffa_merge(oban_jobs.meta, given.value ->> '$[1]')
  FROM json_each($1) AS given
 WHERE oban_jobs.id = given.value ->> '$[0]';
