-- Forget which jobs some have waited for that are no more.
-- $1: a JSON array of jobs.
-- Index: staffa_edges_job.
DELETE FROM staffa_edges
 WHERE job_id IN (SELECT given.value FROM json_each($1) AS given)
   AND needs_job IS NOT NULL;
