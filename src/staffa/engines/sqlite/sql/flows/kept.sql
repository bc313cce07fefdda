-- Read which of some jobs belong to workflows and batches that have not ended as a whole.
-- $1: a JSON array of jobs.
-- Index: the primary keys.
SELECT job.id
  FROM json_each($1) AS given
 CROSS JOIN oban_jobs AS job
 WHERE job.id = given.value
   AND EXISTS (
           SELECT 1
             FROM staffa_flows AS flow
            CROSS JOIN staffa_flows AS root
            WHERE flow.id IN (job.meta ->> '$.workflow_id', job.meta ->> '$.batch_id')
              AND root.id = flow.root
              AND (flow.finished_at IS NULL OR root.finished_at IS NULL)
       );
