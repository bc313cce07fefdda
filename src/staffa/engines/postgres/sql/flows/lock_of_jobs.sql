-- Read which flows jobs belong to, and lock the roots of these, before anything in them is changed.
-- Other clients have workflows of their own, under the same keys of meta: they are no flows of ours.
-- $1 bigint[]: the jobs.
-- Locks: the rows of the roots, in the order of their ids; where they must not be waited for, those that
-- others hold are skipped. Index: the primary keys.
WITH link AS MATERIALIZED (
    SELECT job.id, flow.id AS flow, flow.root
      FROM unnest((SELECT $1::bigint[])) AS given (id)
      JOIN :"prefix".oban_jobs AS job ON job.id = given.id
     CROSS JOIN LATERAL unnest(ARRAY[
               job.meta ->> 'workflow_id',
               CASE WHEN NOT job.meta ? 'callback' THEN job.meta ->> 'batch_id' END,
               job.meta ->> 'chain_id'
           ]) AS named (flow)
      JOIN :"prefix".staffa_flows AS flow ON flow.id = named.flow
     WHERE job.meta ?| ARRAY['workflow_id', 'batch_id', 'chain_id']
), locked AS MATERIALIZED (
    SELECT flow.id
      FROM :"prefix".staffa_flows AS flow
     WHERE flow.id = ANY (ARRAY(SELECT DISTINCT link.root FROM link))
     ORDER BY flow.id
       FOR UPDATE OF flow /* SKIP LOCKED */
)
SELECT link.id, array_agg(link.flow) AS flows,
       bool_and(link.root IN (SELECT locked.id FROM locked)) AS locked
  FROM link
 GROUP BY link.id;
