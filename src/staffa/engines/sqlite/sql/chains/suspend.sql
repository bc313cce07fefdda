-- Suspend the jobs of chains that wait, and return them.
-- $1: a JSON array of arrays, the first of each the id of a job.
-- Index: the primary keys.
UPDATE oban_jobs
   SET state = 'suspended'
 WHERE id IN (SELECT found.value ->> '$[0]' FROM json_each($1) AS found)
   AND state IN ('available', 'scheduled')
   AND EXISTS (SELECT 1 FROM staffa_steps AS step WHERE step.job_id = oban_jobs.id AND step.open > 0)
RETURNING id;
