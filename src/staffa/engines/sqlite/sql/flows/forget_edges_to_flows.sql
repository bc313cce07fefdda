-- Forget which flows some have waited for that are no more.
-- $1: a JSON array of jobs.
-- Index: staffa_edges_flow.
DELETE FROM staffa_edges
 WHERE job_id IN (SELECT given.value FROM json_each($1) AS given)
   AND needs_flow IS NOT NULL;
