-- Count the open edges of steps anew.
-- $1 bigint[]: the steps.
-- Locks: the steps; the roots are locked before. Index: the primary key, staffa_edges_job, staffa_edges_flow.
UPDATE :"prefix".staffa_steps AS step
   SET open = (SELECT count(*) FROM :"prefix".staffa_edges AS edge
                WHERE edge.job_id = step.job_id AND edge.needs_job IS NOT NULL
                  AND edge.ended IS NULL)
            + (SELECT count(*) FROM :"prefix".staffa_edges AS edge
                WHERE edge.job_id = step.job_id AND edge.needs_flow IS NOT NULL
                  AND edge.ended IS NULL)
 WHERE step.job_id = ANY ((SELECT $1::bigint[])::bigint[]);
