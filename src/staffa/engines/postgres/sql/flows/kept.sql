-- Read which of some jobs belong to workflows and batches that have not ended as a whole.
-- $1 bigint[]: the jobs.
-- Locks: none. Index: the primary keys.
SELECT job.id
  FROM unnest((SELECT $1::bigint[])) AS given (id)
  JOIN :"prefix".oban_jobs AS job ON job.id = given.id
 WHERE job.meta ?| ARRAY['workflow_id', 'batch_id']
   AND EXISTS (
           SELECT FROM :"prefix".staffa_flows AS flow
             JOIN :"prefix".staffa_flows AS root ON root.id = flow.root
            WHERE flow.id IN (job.meta ->> 'workflow_id', job.meta ->> 'batch_id')
              AND (flow.finished_at IS NULL OR root.finished_at IS NULL)
       );
