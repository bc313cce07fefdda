-- Count the open edges of steps anew.
-- $1: a JSON array of the steps.
-- Index: the primary key, staffa_edges_job, staffa_edges_flow.
UPDATE staffa_steps
   SET open = (SELECT count(*) FROM staffa_edges AS edge
                WHERE edge.job_id = staffa_steps.job_id AND edge.needs_job IS NOT NULL
                  AND edge.ended IS NULL)
            + (SELECT count(*) FROM staffa_edges AS edge
                WHERE edge.job_id = staffa_steps.job_id AND edge.needs_flow IS NOT NULL
                  AND edge.ended IS NULL)
 WHERE job_id IN (SELECT given.value FROM json_each($1) AS given);
