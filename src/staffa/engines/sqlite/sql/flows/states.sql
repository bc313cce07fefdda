-- Read the states of jobs, those of which there are.
-- $1: a JSON array of their ids.
-- Index: the primary key.
SELECT job.id, job.state
  FROM json_each($1) AS given
 CROSS JOIN oban_jobs AS job
 WHERE job.id = given.value;
