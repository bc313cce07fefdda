-- Read which steps have edges to flows that have ended: how many of these close, and how many are left. An
-- edge whose step is to hold stays open.
-- $1: a JSON array of arrays: a flow, whether jobs in it were discarded, cancelled, deleted. What a step does by any of
-- these, it does, be it to be cancelled, or else to hold ("cancel" comes before "hold", and that before "ignore").
-- Index: staffa_edges_needs_flow, the primary key of the steps.
WITH judged AS MATERIALIZED (
    SELECT edge.job_id, edge.needs_flow AS needs, step.open, step.held, step.on_discarded, step.on_cancelled,
           given.value ->> '$[1]' AS discarded, given.value ->> '$[2]' AS cancelled,
           min(CASE WHEN given.value ->> '$[1]' THEN step.on_discarded ELSE 'ignore' END,
               CASE WHEN given.value ->> '$[2]' THEN step.on_cancelled ELSE 'ignore' END,
               CASE WHEN given.value ->> '$[3]' THEN step.on_deleted ELSE 'ignore' END) AS policy
      FROM json_each($1) AS given
     CROSS JOIN staffa_edges AS edge
     CROSS JOIN staffa_steps AS step
     WHERE edge.needs_flow = given.value ->> '$[0]'
       AND edge.ended IS NULL
       AND step.job_id = edge.job_id
), due AS MATERIALIZED (
    SELECT judged.*,
           CASE WHEN judged.discarded AND judged.on_discarded = judged.policy THEN 'discarded'
                WHEN judged.cancelled AND judged.on_cancelled = judged.policy THEN 'cancelled'
                ELSE 'deleted' END AS ended
      FROM judged
     WHERE judged.policy <> 'hold'
)
SELECT due.job_id, count(*) AS closed, due.open - count(*) AS left, due.held,
       min(due.needs) FILTER (WHERE due.policy = 'cancel') AS needs,
       min(due.ended) FILTER (WHERE due.policy = 'cancel') AS ended
  FROM due
 GROUP BY due.job_id;
