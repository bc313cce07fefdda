-- Read what would have to wait until given jobs have ended, however indirectly: which jobs and flows wait for
-- which. A flow waits for its jobs and for the flows inside of it.
-- $1 bigint[]: the jobs.
-- It goes from them to what waits for them, as mostly nothing does; what they wait for themselves may be a
-- chain of any length. OFFSET 0 has each table asked by its keys, however many the planner expects.
-- What waits for a node is asked for twice: the walk keeps nodes alone, or it would go on from one again for
-- each edge that leads to it, a thousand times behind a fan.
-- Locks: none. Index: staffa_edges_needs_job, staffa_edges_needs_flow, the primary keys.
WITH RECURSIVE node AS (
    SELECT given.id AS job, NULL::text COLLATE "C" AS flow
      FROM unnest((SELECT $1::bigint[])) AS given (id)
     UNION
    SELECT next.job, next.flow
      FROM node
     CROSS JOIN LATERAL (
               SELECT edge.job_id AS job, NULL::text COLLATE "C" AS flow
                 FROM :"prefix".staffa_edges AS edge
                WHERE edge.needs_job = node.job AND edge.ended IS NULL
               UNION ALL
               SELECT edge.job_id, NULL
                 FROM :"prefix".staffa_edges AS edge
                WHERE edge.needs_flow = node.flow AND edge.ended IS NULL
               UNION ALL
               SELECT NULL, named.flow COLLATE "C"
                 FROM :"prefix".oban_jobs AS job
                CROSS JOIN LATERAL (
                          VALUES (job.meta ->> 'workflow_id'),
                                 (CASE WHEN NOT job.meta ? 'callback' THEN job.meta ->> 'batch_id' END)
                      ) AS named (flow)
                WHERE job.id = node.job AND named.flow IS NOT NULL
               UNION ALL
               SELECT NULL, flow.parent
                 FROM :"prefix".staffa_flows AS flow
                WHERE flow.id = node.flow AND flow.parent IS NOT NULL
               OFFSET 0
           ) AS next
)
SELECT wait.waiting_job, wait.waiting_flow, node.job AS needed_job, node.flow AS needed_flow
  FROM node
 CROSS JOIN LATERAL (
           SELECT edge.job_id AS waiting_job, NULL::text COLLATE "C" AS waiting_flow
             FROM :"prefix".staffa_edges AS edge
            WHERE edge.needs_job = node.job AND edge.ended IS NULL
           UNION ALL
           SELECT edge.job_id, NULL
             FROM :"prefix".staffa_edges AS edge
            WHERE edge.needs_flow = node.flow AND edge.ended IS NULL
           UNION ALL
           SELECT NULL, named.flow COLLATE "C"
             FROM :"prefix".oban_jobs AS job
            CROSS JOIN LATERAL (
                      VALUES (job.meta ->> 'workflow_id'),
                             (CASE WHEN NOT job.meta ? 'callback' THEN job.meta ->> 'batch_id' END)
                  ) AS named (flow)
            WHERE job.id = node.job AND named.flow IS NOT NULL
           UNION ALL
           SELECT NULL, flow.parent
             FROM :"prefix".staffa_flows AS flow
            WHERE flow.id = node.flow AND flow.parent IS NOT NULL
           OFFSET 0
       ) AS wait;
