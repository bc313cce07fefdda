-- Read what jobs of flows have come to: of whole flows, with those inside of them at any depth, and of some named
-- jobs of another one. The whole flows come first, as rows without a job.
-- $1 text[]: the whole flows, $2 text: the other one, $3 text[]: the names.
-- OFFSET 0 keeps the planner from reading all flows to join them.
-- Locks: none. Index: the primary key and staffa_flows_parent; staffa_jobs_workflow.
WITH RECURSIVE tree AS (
    SELECT flow.id, flow.parent, flow.place, flow.options ->> 'form' AS form
      FROM :"prefix".staffa_flows AS flow
     WHERE flow.id = ANY ((SELECT $1::text[])::text[])
     UNION
    SELECT inside.id, inside.parent, inside.place, inside.form
      FROM tree
     CROSS JOIN LATERAL (
                SELECT flow.id, flow.parent, flow.place, flow.options ->> 'form' AS form
                  FROM :"prefix".staffa_flows AS flow
                 WHERE flow.parent = tree.id
                OFFSET 0) AS inside
), found AS MATERIALIZED (
    SELECT job.id
      FROM :"prefix".oban_jobs AS job
     WHERE left(job.meta ->> 'workflow_id', 127) COLLATE "C" = ANY (ARRAY(SELECT tree.id FROM tree))
       AND job.meta ->> 'workflow_id' IS NOT NULL
     UNION
    SELECT job.id
      FROM :"prefix".oban_jobs AS job
     WHERE left(job.meta ->> 'workflow_id', 127) COLLATE "C" = $2::text
       AND job.meta ->> 'workflow_id' IS NOT NULL
       AND job.meta ->> 'name' = ANY ((SELECT $3::text[])::text[])
)
SELECT tree.id AS flow, tree.parent, tree.place, tree.form, NULL::bigint AS id, NULL AS worker, NULL AS state,
       NULL AS meta, NULL AS errors
  FROM tree
 UNION ALL
SELECT left(job.meta ->> 'workflow_id', 127) AS flow, NULL AS parent, NULL AS place, NULL AS form, job.id, job.worker,
       job.state::text AS state, job.meta::text AS meta, to_jsonb(job.errors)::text AS errors
  FROM :"prefix".oban_jobs AS job
 WHERE job.id = ANY (ARRAY(SELECT found.id FROM found))
 ORDER BY id NULLS FIRST, flow;
