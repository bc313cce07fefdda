-- Read the jobs of a flow, and of all flows inside of it, that are in given states; callbacks are not among them.
-- A batch has the flows inside of it that it is the root of.
-- $1 text: the flow, $2 text[]: the states.
-- Locks: none. Index: the primary keys, staffa_flows_parent, staffa_flows_root.
-- OFFSET 0 has the index asked for each flow and job: the planner takes the tables of flows for small.
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
SELECT DISTINCT member.job_id AS id
  FROM tree
 CROSS JOIN LATERAL (
           SELECT listed.job_id
             FROM :"prefix".staffa_members AS listed
            CROSS JOIN LATERAL (
                      SELECT
                        FROM :"prefix".oban_jobs AS job
                       WHERE job.id = listed.job_id
                         AND job.state::text = ANY ($2::text[])
                         AND (job.meta ->> 'workflow_id' = listed.flow OR NOT job.meta ? 'callback')
                      OFFSET 0
                  ) AS job
            WHERE listed.flow = tree.id
           OFFSET 0
       ) AS member
 ORDER BY member.job_id;
