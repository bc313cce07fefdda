-- Read what jobs of flows have come to: of whole flows, with those inside of them at any depth, and of some named
-- jobs of another one. The whole flows come first, as rows without a job.
-- $1 text[]: the whole flows, $2 text: the other one, $3 text[]: the names.
-- OFFSET 0 keeps the planner from reading all flows and jobs to join them.
-- Locks: none. Index: the primary keys and staffa_flows_parent.
WITH RECURSIVE tree AS (
    SELECT flow.id, flow.parent, flow.place, flow.options ->> 'form' AS form, flow.total
      FROM :"prefix".staffa_flows AS flow
     WHERE flow.id = ANY ((SELECT $1::text[])::text[])
     UNION
    SELECT inside.id, inside.parent, inside.place, inside.form, inside.total
      FROM tree
     CROSS JOIN LATERAL (
                SELECT flow.id, flow.parent, flow.place, flow.options ->> 'form' AS form, flow.total
                  FROM :"prefix".staffa_flows AS flow
                 WHERE flow.parent = tree.id
                OFFSET 0) AS inside
), found AS MATERIALIZED (
    SELECT member.job_id AS id
      FROM :"prefix".staffa_members AS member
     WHERE member.flow = ANY (ARRAY(SELECT tree.id FROM tree))
     UNION
    SELECT member.job_id
      FROM :"prefix".staffa_members AS member
     CROSS JOIN LATERAL (
               SELECT
                 FROM :"prefix".oban_jobs AS job
                WHERE job.id = member.job_id
                  AND job.meta ->> 'name' = ANY ((SELECT $3::text[])::text[])
               OFFSET 0
           ) AS job
     WHERE member.flow = $2::text
)
SELECT tree.id AS flow, tree.parent, tree.place, tree.form, tree.total, NULL::bigint AS id, NULL AS worker,
       NULL AS state, NULL AS meta, NULL AS errors
  FROM tree
 UNION ALL
SELECT job.meta ->> 'workflow_id' AS flow, NULL AS parent, NULL AS place, NULL AS form, NULL AS total, job.id,
       job.worker, job.state::text AS state, job.meta::text AS meta, to_jsonb(job.errors)::text AS errors
  FROM :"prefix".oban_jobs AS job
 WHERE job.id = ANY (ARRAY(SELECT found.id FROM found))
   AND job.meta ->> 'workflow_id' IS NOT NULL
 ORDER BY id NULLS FIRST, flow;
