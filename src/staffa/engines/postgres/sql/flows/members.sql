-- Read the jobs of a flow, and of all flows inside of it, that are in given states; callbacks are not among them.
-- A batch has the flows inside of it that it is the root of.
-- $1 text: the flow, $2 text[]: the states.
-- Locks: none. Index: staffa_jobs_workflow, staffa_jobs_batch, staffa_flows_parent, staffa_flows_root.
-- OFFSET 0 has the index asked for each flow: the planner takes the tables of flows for small.
WITH RECURSIVE tree AS (
    (SELECT flow.id
       FROM :"prefix".staffa_flows AS flow
      WHERE flow.id = $1::text
      UNION
     SELECT flow.id
       FROM :"prefix".staffa_flows AS batch
       JOIN :"prefix".staffa_flows AS flow ON flow.root = batch.id AND flow.root <> flow.id
      WHERE batch.id = $1::text
        AND batch.kind = 'batch')
     UNION
    SELECT flow.id
      FROM tree
     CROSS JOIN LATERAL (
               SELECT part.*
                 FROM :"prefix".staffa_flows AS part
                WHERE part.parent = tree.id
               OFFSET 0
           ) AS flow
)
SELECT job.id
  FROM :"prefix".oban_jobs AS job
 WHERE left(job.meta ->> 'workflow_id', 127) COLLATE "C" = ANY (ARRAY(SELECT tree.id FROM tree))
   AND job.meta ->> 'workflow_id' IS NOT NULL
   AND job.state::text = ANY ($2::text[])
 UNION
SELECT job.id
  FROM :"prefix".oban_jobs AS job
 WHERE left(job.meta ->> 'batch_id', 127) COLLATE "C" = ANY (ARRAY(SELECT tree.id FROM tree))
   AND job.meta ->> 'batch_id' IS NOT NULL
   AND NOT job.meta ? 'callback'
   AND job.state::text = ANY ($2::text[])
 ORDER BY id;
