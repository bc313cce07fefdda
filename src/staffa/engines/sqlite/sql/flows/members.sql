-- Read the jobs of a flow, and of all flows inside of it, that are in given states; callbacks are not among them.
-- A batch has the flows inside of it that it is the root of.
-- $1: the flow, $2: a JSON array of states.
-- +tree.id has no type: an index of an expression has none either.
-- Index: staffa_jobs_workflow, staffa_jobs_batch, staffa_flows_parent, staffa_flows_root.
WITH RECURSIVE tree (id) AS (
    SELECT flow.id
      FROM staffa_flows AS flow
     WHERE flow.id = $1
     UNION
    SELECT flow.id
      FROM staffa_flows AS batch
     CROSS JOIN staffa_flows AS flow
     WHERE batch.id = $1
       AND batch.kind = 'batch'
       AND flow.root = batch.id
       AND flow.root <> flow.id
     UNION
    SELECT flow.id
      FROM tree
     CROSS JOIN staffa_flows AS flow
     WHERE flow.parent = tree.id
       AND flow.parent IS NOT NULL
)
SELECT job.id
  FROM tree
 CROSS JOIN oban_jobs AS job
 WHERE job.meta ->> '$.workflow_id' = +tree.id
   AND job.meta ->> '$.workflow_id' IS NOT NULL
   AND +job.state IN (SELECT given.value FROM json_each($2) AS given)
 UNION
SELECT job.id
  FROM tree
 CROSS JOIN oban_jobs AS job
 WHERE job.meta ->> '$.batch_id' = +tree.id
   AND job.meta ->> '$.batch_id' IS NOT NULL
   AND json_type(job.meta, '$.callback') IS NULL
   AND +job.state IN (SELECT given.value FROM json_each($2) AS given)
 ORDER BY 1;
