-- Read which of some jobs stay though they have ended: see jobs/prune.sql.
-- $1 bigint[]: the jobs.
-- Locks: none. Index: the primary keys, staffa_edges_needs_job, staffa_edges_job; see migration 11 for ::int = 0.
SELECT job.id
  FROM unnest((SELECT $1::bigint[])) AS given (id)
  JOIN :"prefix".oban_jobs AS job ON job.id = given.id
 WHERE job.meta ?| ARRAY['workflow_id', 'batch_id', 'chain_id']
   AND (
           EXISTS (
               SELECT FROM :"prefix".staffa_flows AS flow
                 JOIN :"prefix".staffa_flows AS root ON root.id = flow.root
                WHERE flow.id IN (job.meta ->> 'workflow_id', job.meta ->> 'batch_id')
                  AND (flow.finished_at IS NULL OR root.finished_at IS NULL)
           )
           OR job.meta ? 'chain_id' AND (
               EXISTS (
                   SELECT FROM :"prefix".staffa_edges AS edge
                    WHERE edge.needs_job = job.id AND edge.ended IS NULL
               )
               OR job.state::text = 'cancelled' AND (
                   EXISTS (
                       SELECT FROM :"prefix".staffa_edges AS edge
                        WHERE edge.job_id = job.id AND edge.ended IS NULL
                          AND (edge.needs_job IS NULL)::int = 0
                   )
                   OR EXISTS (
                       SELECT FROM :"prefix".staffa_flows AS chain
                        WHERE chain.id = job.meta ->> 'chain_id'
                          AND chain.tail = job.id
                          AND chain.finished_at IS NULL
                   )
               )
           )
       );
