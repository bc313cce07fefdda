-- Read what jobs of flows have come to: of whole flows, with those inside of them at any depth, and of some named
-- jobs of another one. A flow without jobs is one row.
-- $1 text[]: the whole flows, $2 text: the other one, $3 text[]: the names.
-- Locks: none. Index: the primary key and staffa_flows_parent; staffa_jobs_workflow.
WITH RECURSIVE tree AS (
    SELECT flow.id, flow.parent, flow.place, flow.options ->> 'form' AS form
      FROM :"prefix".staffa_flows AS flow
     WHERE flow.id = ANY ((SELECT $1::text[])::text[])
     UNION
    SELECT flow.id, flow.parent, flow.place, flow.options ->> 'form' AS form
      FROM tree
      JOIN :"prefix".staffa_flows AS flow ON flow.parent = tree.id
), found AS (
    SELECT tree.id AS flow, tree.parent, tree.place, tree.form, job.id
      FROM tree
      LEFT JOIN :"prefix".oban_jobs AS job
        ON left(job.meta ->> 'workflow_id', 127) COLLATE "C" = tree.id
       AND job.meta ->> 'workflow_id' IS NOT NULL
     UNION ALL
    SELECT $2::text AS flow, NULL AS parent, NULL AS place, NULL AS form, job.id
      FROM :"prefix".oban_jobs AS job
     WHERE left(job.meta ->> 'workflow_id', 127) COLLATE "C" = $2::text
       AND job.meta ->> 'workflow_id' IS NOT NULL
       AND job.meta ->> 'name' = ANY ((SELECT $3::text[])::text[])
)
SELECT found.flow, found.parent, found.place, found.form, job.id, job.worker, job.state::text AS state,
       job.meta::text AS meta, to_jsonb(job.errors)::text AS errors
  FROM found
  LEFT JOIN :"prefix".oban_jobs AS job ON job.id = found.id
 ORDER BY job.id NULLS FIRST, found.flow;
