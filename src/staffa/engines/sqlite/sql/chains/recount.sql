-- Count anew what those wait for that wait for jobs of chains.
-- $1: a JSON array with the jobs that they wait for.
-- Index: staffa_edges_needs_job, staffa_edges_job, staffa_edges_flow, the primary key.
UPDATE staffa_steps
   SET open = (SELECT count(*)
                 FROM staffa_edges AS edge
                WHERE edge.job_id = staffa_steps.job_id
                  AND edge.needs_job IS NOT NULL
                  AND edge.ended IS NULL)
            + (SELECT count(*)
                 FROM staffa_edges AS edge
                WHERE edge.job_id = staffa_steps.job_id
                  AND edge.needs_flow IS NOT NULL
                  AND edge.ended IS NULL)
 WHERE job_id IN (
           SELECT edge.job_id
             FROM json_each($1) AS found
             JOIN staffa_edges AS edge
               ON edge.needs_job = found.value
              AND edge.on_cancelled IS NOT NULL
       );
