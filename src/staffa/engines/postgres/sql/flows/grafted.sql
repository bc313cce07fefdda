-- Read which of given jobs a graft has added, not behind one another: each with the job of the innermost graft that
-- it is inside of, if that is given as well.
-- $1 bigint[]: the jobs.
-- Edges of a chain don't count: see chains/link.sql. OFFSET 0 has the index asked for each flow and job: the planner
-- takes the tables of flows for small.
-- Locks: none. Index: the primary keys, staffa_edges_job.
WITH RECURSIVE first AS MATERIALIZED (
    SELECT job.id,
           CASE WHEN job.meta ? 'graft' THEN flow.parent ELSE flow.id END AS inside
      FROM unnest((SELECT $1::bigint[])) AS given (id)
     CROSS JOIN LATERAL (
               SELECT one.id, one.meta FROM :"prefix".oban_jobs AS one WHERE one.id = given.id OFFSET 0
           ) AS job
     CROSS JOIN LATERAL (
               SELECT one.id, one.parent
                 FROM :"prefix".staffa_flows AS one
                WHERE one.id = job.meta ->> 'workflow_id'
               OFFSET 0
           ) AS flow
     WHERE NOT EXISTS (
               SELECT FROM :"prefix".staffa_edges AS edge
                WHERE edge.job_id = job.id AND (edge.on_cancelled IS NULL OR edge.needs_job IS NULL)
               OFFSET 0
           )
), climb AS (
    SELECT inside.id AS start, flow.id, flow.root, flow.parent, flow.options
      FROM (SELECT DISTINCT first.inside AS id FROM first) AS inside
     CROSS JOIN LATERAL (
               SELECT one.* FROM :"prefix".staffa_flows AS one WHERE one.id = inside.id OFFSET 0
           ) AS flow
     UNION ALL
    SELECT climb.start, flow.id, flow.root, flow.parent, flow.options
      FROM climb
     CROSS JOIN LATERAL (
               SELECT one.* FROM :"prefix".staffa_flows AS one WHERE one.id = climb.parent OFFSET 0
           ) AS flow
     WHERE climb.options ->> 'form' IS DISTINCT FROM 'graft'
), graft AS MATERIALIZED (
    SELECT climb.start, climb.root, climb.options -> 'ignore' AS ignored, job.id
      FROM climb
     CROSS JOIN LATERAL (
               SELECT one.id
                 FROM :"prefix".staffa_members AS member
                 JOIN :"prefix".oban_jobs AS one ON one.id = member.job_id
                WHERE member.flow = climb.id AND one.meta ? 'graft'
                ORDER BY member.job_id
                LIMIT 1
           ) AS job
     WHERE climb.options ->> 'form' = 'graft'
       AND job.id IN (SELECT unnest((SELECT $1::bigint[])))
)
SELECT first.id, graft.id AS graft, graft.root, coalesce(graft.ignored::text, '[]') AS ignored,
       EXISTS (SELECT FROM :"prefix".staffa_steps AS step WHERE step.job_id = first.id) AS is_step
  FROM graft
  JOIN first ON first.inside = graft.start
 WHERE first.id <> graft.id
   AND NOT EXISTS (
           SELECT FROM :"prefix".staffa_edges AS edge
            WHERE edge.job_id = first.id AND edge.needs_job = graft.id)
 ORDER BY first.id;
