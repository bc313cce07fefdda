-- Read which of given jobs a graft has added, not behind one another: each with the job of the innermost graft that
-- it is inside of, if that is given as well.
-- $1: a JSON array of jobs.
-- Edges of a chain don't count: see chains/link.sql. +climb.id has no type: an index of an expression has none either.
-- Index: staffa_jobs_workflow, staffa_edges_job, staffa_edges_flow, the primary keys.
WITH RECURSIVE first AS MATERIALIZED (
    SELECT job.id, iif(json_type(job.meta, '$.graft') IS NULL, flow.id, flow.parent) AS inside
      FROM json_each($1) AS given
     CROSS JOIN oban_jobs AS job
     CROSS JOIN staffa_flows AS flow
     WHERE job.id = given.value
       AND flow.id = job.meta ->> '$.workflow_id'
       AND NOT EXISTS (
               SELECT 1 FROM staffa_edges AS edge
                WHERE edge.job_id = job.id AND edge.needs_job IS NOT NULL AND edge.on_cancelled IS NULL)
       AND NOT EXISTS (
               SELECT 1 FROM staffa_edges AS edge
                WHERE edge.job_id = job.id AND edge.needs_flow IS NOT NULL)
), climb (start, id, root, parent, options) AS (
    SELECT inside.id, flow.id, flow.root, flow.parent, flow.options
      FROM (SELECT DISTINCT first.inside AS id FROM first) AS inside
     CROSS JOIN staffa_flows AS flow
     WHERE flow.id = inside.id
     UNION ALL
    SELECT climb.start, flow.id, flow.root, flow.parent, flow.options
      FROM climb
     CROSS JOIN staffa_flows AS flow
     WHERE flow.id = climb.parent
       AND climb.options ->> '$.form' IS NOT 'graft'
), graft AS MATERIALIZED (
    SELECT climb.start, climb.root, coalesce(climb.options -> '$.ignore', '[]') AS ignored,
           (SELECT min(job.id)
              FROM oban_jobs AS job
             WHERE job.meta ->> '$.workflow_id' = +climb.id
               AND job.meta ->> '$.workflow_id' IS NOT NULL
               AND json_type(job.meta, '$.graft') IS NOT NULL) AS id
      FROM climb
     WHERE climb.options ->> '$.form' = 'graft'
)
SELECT first.id, graft.id AS graft, graft.root, graft.ignored,
       EXISTS (SELECT 1 FROM staffa_steps AS step WHERE step.job_id = first.id) AS is_step
  FROM graft
  JOIN first ON first.inside = graft.start
 WHERE first.id <> graft.id
   AND graft.id IN (SELECT given.value FROM json_each($1) AS given)
   AND NOT EXISTS (
           SELECT 1 FROM staffa_edges AS edge
            WHERE edge.job_id = first.id AND edge.needs_job = graft.id)
 ORDER BY first.id;
