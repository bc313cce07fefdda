-- Close the edges to flows that have ended, as close_jobs.sql does those to jobs. A flow has ended in all the ways
-- in which jobs in it have, those of flows inside of it among them: what a step does by any of these, it does, be it
-- to be cancelled, or else to hold ("cancel" comes before "hold", and that before "ignore").
-- $1 text[]: the flows.
-- Locks: the edges, the steps. Index: staffa_edges_needs_flow, staffa_edges_flow, staffa_flows_parent, the
-- primary keys.
WITH RECURSIVE tree AS (
    SELECT flow.id AS top, flow.id, flow.discarded, flow.cancelled, flow.deleted
      FROM unnest((SELECT $1::text[])) AS given (id)
      JOIN :"prefix".staffa_flows AS flow ON flow.id = given.id
     WHERE EXISTS (
               SELECT FROM :"prefix".staffa_edges AS edge
                WHERE edge.needs_flow = flow.id AND edge.ended IS NULL
           )
     UNION ALL
    SELECT tree.top, flow.id, flow.discarded, flow.cancelled, flow.deleted
      FROM tree
     CROSS JOIN LATERAL (
               SELECT part.*
                 FROM :"prefix".staffa_flows AS part
                WHERE part.parent = tree.id
               OFFSET 0
           ) AS flow
), given AS MATERIALIZED (
    SELECT tree.top AS id, max(tree.discarded) > 0 AS discarded, max(tree.cancelled) > 0 AS cancelled,
           max(tree.deleted) > 0 AS deleted
      FROM tree
     GROUP BY tree.top
), due AS MATERIALIZED (
    SELECT edge.job_id, edge.needs_flow, judged.policy,
           CASE WHEN given.discarded AND step.on_discarded = judged.policy THEN 'discarded'
                WHEN given.cancelled AND step.on_cancelled = judged.policy THEN 'cancelled'
                WHEN given.deleted AND step.on_deleted = judged.policy THEN 'deleted'
                ELSE 'completed' END AS ended
      FROM given
     CROSS JOIN LATERAL (
               SELECT edge.job_id, edge.needs_flow
                 FROM :"prefix".staffa_edges AS edge
                WHERE edge.needs_flow = given.id AND edge.ended IS NULL
               OFFSET 0
           ) AS edge
      JOIN :"prefix".staffa_steps AS step ON step.job_id = edge.job_id
     CROSS JOIN LATERAL (
               SELECT least(CASE WHEN given.discarded THEN step.on_discarded ELSE 'ignore' END,
                            CASE WHEN given.cancelled THEN step.on_cancelled ELSE 'ignore' END,
                            CASE WHEN given.deleted THEN step.on_deleted ELSE 'ignore' END)
                      COLLATE "C" AS policy
           ) AS judged
), closed AS (
    UPDATE :"prefix".staffa_edges AS edge
       SET ended = due.ended
      FROM due
     WHERE edge.job_id = due.job_id
       AND edge.needs_flow = due.needs_flow
       AND (edge.ended IS NULL)::int <> 0
       AND due.policy <> 'hold'
    RETURNING edge.job_id, edge.needs_flow, due.ended, due.policy
), by_step AS MATERIALIZED (
    SELECT closed.job_id, count(*) AS closed,
           min(closed.needs_flow) FILTER (WHERE closed.policy = 'cancel') AS needs,
           min(closed.ended) FILTER (WHERE closed.policy = 'cancel') AS ended
      FROM closed
     GROUP BY closed.job_id
), lowered AS (
    UPDATE :"prefix".staffa_steps AS step
       SET open = step.open - by_step.closed
      FROM by_step
     WHERE step.job_id = by_step.job_id
    RETURNING step.job_id, step.open, step.held, by_step.needs, by_step.ended
)
SELECT lowered.job_id, lowered.needs, lowered.ended
  FROM lowered
 WHERE lowered.ended IS NOT NULL
    OR (lowered.open <= 0 AND NOT lowered.held);
