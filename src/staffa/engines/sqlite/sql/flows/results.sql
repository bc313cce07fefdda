-- Read what jobs of flows have come to: of whole flows, with those inside of them at any depth, and of some named
-- jobs of another one. The whole flows come first, as rows without a job.
-- $1: the whole flows, a JSON array; $2: the other one; $3: the names, a JSON array.
-- +tree.id has no type: an index of an expression has none either.
-- Index: the primary key and staffa_flows_parent; staffa_jobs_workflow.
WITH RECURSIVE tree AS (
    SELECT flow.id, flow.parent, flow.place, flow.options ->> '$.form' AS form, flow.total
      FROM staffa_flows AS flow
     WHERE flow.id IN (SELECT given.value FROM json_each($1) AS given)
     UNION
    SELECT flow.id, flow.parent, flow.place, flow.options ->> '$.form' AS form, flow.total
      FROM tree
     CROSS JOIN staffa_flows AS flow
     WHERE flow.parent = tree.id
       AND flow.parent IS NOT NULL
)
SELECT tree.id AS flow, tree.parent, tree.place, tree.form, tree.total, NULL AS id, NULL AS worker, NULL AS state,
       NULL AS meta, NULL AS errors
  FROM tree
 UNION ALL
SELECT tree.id AS flow, NULL AS parent, NULL AS place, NULL AS form, NULL AS total, job.id, job.worker, job.state,
       job.meta, job.errors
  FROM tree
 CROSS JOIN oban_jobs AS job
 WHERE job.meta ->> '$.workflow_id' = +tree.id
   AND job.meta ->> '$.workflow_id' IS NOT NULL
 UNION ALL
SELECT $2 AS flow, NULL AS parent, NULL AS place, NULL AS form, NULL AS total, job.id, job.worker, job.state,
       job.meta, job.errors
  FROM oban_jobs AS job
 WHERE job.meta ->> '$.workflow_id' = $2
   AND job.meta ->> '$.workflow_id' IS NOT NULL
   AND job.meta ->> '$.name' IN (SELECT given.value FROM json_each($3) AS given)
 ORDER BY 5, 1;
