-- Read which of some jobs stay though they have ended: see jobs/prune.sql.
-- $1: a JSON array of jobs.
-- Index: the primary keys.
SELECT job.id
  FROM json_each($1) AS given
 CROSS JOIN oban_jobs AS job
 WHERE job.id = given.value
   AND (
           EXISTS (
               SELECT 1
                 FROM staffa_flows AS flow
                CROSS JOIN staffa_flows AS root
                WHERE flow.id IN (job.meta ->> '$.workflow_id', job.meta ->> '$.batch_id')
                  AND root.id = flow.root
                  AND (flow.finished_at IS NULL OR root.finished_at IS NULL)
           )
           OR job.meta ->> '$.chain_id' IS NOT NULL AND (
               EXISTS (
                   SELECT 1 FROM staffa_edges AS edge
                    WHERE edge.needs_job = job.id AND edge.ended IS NULL
               )
               OR job.state = 'cancelled' AND (
                   EXISTS (
                       SELECT 1 FROM staffa_edges AS edge
                        WHERE edge.job_id = job.id AND edge.ended IS NULL
                          AND edge.needs_job IS NOT NULL
                   )
                   OR EXISTS (
                       SELECT 1 FROM staffa_flows AS chain
                        WHERE chain.id = job.meta ->> '$.chain_id'
                          AND chain.tail = job.id
                          AND chain.finished_at IS NULL
                   )
               )
           )
       );
