-- Read which steps have edges to flows that have ended: how many of these close, and how many are left. An
-- edge whose step is to hold stays open.
-- $1: a JSON array of arrays: a flow, how it has ended.
-- Index: staffa_edges_needs_flow, the primary key of the steps.
WITH due AS MATERIALIZED (
    SELECT edge.job_id, edge.needs_flow AS needs, given.value ->> '$[1]' AS ended, step.open, step.held,
           CASE given.value ->> '$[1]' WHEN 'cancelled' THEN step.on_cancelled
                        WHEN 'discarded' THEN step.on_discarded
                        ELSE 'ignore' END AS policy
      FROM json_each($1) AS given
     CROSS JOIN staffa_edges AS edge
     CROSS JOIN staffa_steps AS step
     WHERE edge.needs_flow = given.value ->> '$[0]'
       AND edge.ended IS NULL
       AND step.job_id = edge.job_id
)
SELECT due.job_id, count(*) AS closed, due.open - count(*) AS left, due.held,
       min(due.needs) FILTER (WHERE due.policy = 'cancel') AS needs,
       min(due.ended) FILTER (WHERE due.policy = 'cancel') AS ended
  FROM due
 WHERE due.policy <> 'hold'
 GROUP BY due.job_id;
