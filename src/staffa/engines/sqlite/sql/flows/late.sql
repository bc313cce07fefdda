-- Read the deadlines of steps that are about to go on, and by how many seconds they are later than was
-- thought.
-- $1: a JSON array of jobs.
-- Index: the primary key.
SELECT job.id, job.meta -> '$.staffa_deadline' AS deadline,
       staffa_seconds(job.scheduled_at, staffa_now()) AS late
  FROM json_each($1) AS given
 CROSS JOIN oban_jobs AS job
 WHERE job.id = given.value
   AND json_type(job.meta, '$.staffa_deadline') = 'object';
