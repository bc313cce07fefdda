-- Forget what jobs have waited for that are no more.
-- $1: a JSON array of jobs.
-- Index: the primary key.
DELETE FROM staffa_steps WHERE job_id IN (SELECT given.value FROM json_each($1) AS given);
