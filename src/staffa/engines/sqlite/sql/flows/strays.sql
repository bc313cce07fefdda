-- Read what has ended though edges to it are open that should have been closed.
-- $1: a JSON array of roots; $2: limit.
-- The edges to flows are asked for apart: with statistics SQLite would read all of them into a filter.
-- Index: staffa_steps_root, staffa_edges_job, staffa_edges_flow, the primary keys.
WITH step AS MATERIALIZED (
    SELECT step.*
      FROM json_each($1) AS given
     CROSS JOIN staffa_steps AS step
     WHERE step.root = given.value
       AND step.open > 0
), found AS (
    SELECT step.root, edge.needs_job, NULL AS needs_flow,
           coalesce(edge.on_cancelled, step.on_cancelled) AS on_cancelled,
           coalesce(edge.on_discarded, step.on_discarded) AS on_discarded,
           coalesce(edge.on_deleted, step.on_deleted) AS on_deleted, coalesce(job.state, 'deleted') AS ended,
           coalesce(job.state, 'cancelled') <> 'cancelled' AND EXISTS (
               SELECT 1 FROM staffa_producers AS producer
                WHERE producer.uuid = json_extract(job.attempted_by, '$[1]')
           ) AS own
      FROM step
     CROSS JOIN staffa_edges AS edge
      LEFT JOIN oban_jobs AS job ON job.id = edge.needs_job
     WHERE edge.job_id = step.job_id
       AND edge.needs_job IS NOT NULL
       AND edge.ended IS NULL
       AND coalesce(job.state, 'deleted') IN ('completed', 'cancelled', 'discarded', 'deleted')
     UNION ALL
    SELECT step.root, NULL, needed.value, 'ignore', 'ignore', 'ignore', 'completed', 1
      FROM step
     CROSS JOIN json_each((
               SELECT json_group_array(edge.needs_flow)
                 FROM staffa_edges AS edge
                WHERE edge.job_id = step.job_id
                  AND edge.needs_flow IS NOT NULL
                  AND edge.ended IS NULL
           )) AS needed
     WHERE EXISTS (
               SELECT 1 FROM staffa_flows AS flow
                WHERE flow.id = needed.value AND +flow.finished_at IS NOT NULL
           )
       AND 'hold' NOT IN (step.on_cancelled, step.on_discarded, step.on_deleted)
)
SELECT DISTINCT found.root, found.needs_job, found.needs_flow, found.ended, found.own
  FROM found
 WHERE CASE found.ended WHEN 'cancelled' THEN found.on_cancelled
                        WHEN 'discarded' THEN found.on_discarded
                        WHEN 'deleted' THEN found.on_deleted ELSE 'ignore' END <> 'hold'
 LIMIT $2;
