-- Read what has ended though edges to it are open that should have been closed.
-- $1 text[]: roots, $2 int: limit.
-- OFFSET 0 has each table asked by its keys, however many the planner expects.
-- Locks: none. Index: staffa_steps_root, staffa_edges_job (see migration 11 for ::int = 0), the primary keys.
WITH step AS MATERIALIZED (
    SELECT step.*
      FROM unnest((SELECT $1::text[])) AS given (id)
     CROSS JOIN LATERAL (
               SELECT waiting.*
                 FROM :"prefix".staffa_steps AS waiting
                WHERE waiting.root = given.id AND waiting.open > 0
               OFFSET 0
           ) AS step
), found AS (
    SELECT step.root, edge.needs_job, NULL::text AS needs_flow,
           coalesce(edge.on_cancelled, step.on_cancelled) AS on_cancelled,
           coalesce(edge.on_discarded, step.on_discarded) AS on_discarded,
           coalesce(edge.on_deleted, step.on_deleted) AS on_deleted,
           coalesce(job.state::text, 'deleted') AS ended,
           job.state::text <> 'cancelled' AND EXISTS (
               SELECT FROM :"prefix".staffa_producers AS producer
                WHERE producer.uuid::text = job.attempted_by[2]
           ) AS own
      FROM step
     CROSS JOIN LATERAL (
               SELECT edge.needs_job, edge.on_cancelled, edge.on_discarded, edge.on_deleted
                 FROM :"prefix".staffa_edges AS edge
                WHERE edge.job_id = step.job_id AND (edge.needs_job IS NULL)::int = 0 AND edge.ended IS NULL
               OFFSET 0
           ) AS edge
      LEFT JOIN LATERAL (
               SELECT needed.state, needed.attempted_by
                 FROM :"prefix".oban_jobs AS needed
                WHERE needed.id = edge.needs_job
               OFFSET 0
           ) AS job ON true
     WHERE coalesce(job.state::text, 'deleted') IN ('completed', 'cancelled', 'discarded', 'deleted')
     UNION ALL
    SELECT step.root, NULL, edge.needs_flow, 'ignore', 'ignore', 'ignore', 'completed', true
      FROM step
     CROSS JOIN LATERAL (
               SELECT edge.needs_flow
                 FROM :"prefix".staffa_edges AS edge
                WHERE edge.job_id = step.job_id AND (edge.needs_flow IS NULL)::int = 0 AND edge.ended IS NULL
               OFFSET 0
           ) AS edge
     CROSS JOIN LATERAL (
               SELECT needed.finished_at
                 FROM :"prefix".staffa_flows AS needed
                WHERE needed.id = edge.needs_flow
               OFFSET 0
           ) AS flow
     WHERE flow.finished_at IS NOT NULL
       AND 'hold' NOT IN (step.on_cancelled, step.on_discarded, step.on_deleted)
)
SELECT DISTINCT found.root, found.needs_job, found.needs_flow, found.ended, coalesce(found.own, false) AS own
  FROM found
 WHERE CASE found.ended WHEN 'cancelled' THEN found.on_cancelled
                        WHEN 'discarded' THEN found.on_discarded
                        WHEN 'deleted' THEN found.on_deleted ELSE 'ignore' END <> 'hold'
 LIMIT $2::int;
