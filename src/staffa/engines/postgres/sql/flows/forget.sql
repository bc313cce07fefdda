-- Forget what jobs have waited for that are no more.
-- $1 bigint[]: the jobs.
-- Locks: the rows. Index: the primary key of the steps, staffa_edges_job.
WITH edges AS (
    DELETE FROM :"prefix".staffa_edges AS edge
     WHERE edge.job_id = ANY (ARRAY(SELECT unnest($1::bigint[])))
)
DELETE FROM :"prefix".staffa_steps AS step
 WHERE step.job_id = ANY (ARRAY(SELECT unnest($1::bigint[])));
