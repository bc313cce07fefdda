-- Close the edges to flows that have ended, but for those whose steps are to hold.
-- $1: a JSON array of arrays: a flow, whether jobs in it were discarded, cancelled, deleted; see look_flows.sql.
-- Index: staffa_edges_needs_flow, the primary key of the steps.
UPDATE staffa_edges
   SET ended = CASE WHEN judged.discarded AND judged.on_discarded = judged.policy THEN 'discarded'
                    WHEN judged.cancelled AND judged.on_cancelled = judged.policy THEN 'cancelled'
                    WHEN judged.deleted AND judged.on_deleted = judged.policy THEN 'deleted'
                    ELSE 'completed' END
  FROM (
           SELECT step.job_id, given.value ->> '$[0]' AS flow, given.value ->> '$[1]' AS discarded,
                  given.value ->> '$[2]' AS cancelled, given.value ->> '$[3]' AS deleted, step.on_discarded,
                  step.on_cancelled, step.on_deleted,
                  min(CASE WHEN given.value ->> '$[1]' THEN step.on_discarded ELSE 'ignore' END,
                      CASE WHEN given.value ->> '$[2]' THEN step.on_cancelled ELSE 'ignore' END,
                      CASE WHEN given.value ->> '$[3]' THEN step.on_deleted ELSE 'ignore' END) AS policy
             FROM json_each($1) AS given
            CROSS JOIN staffa_edges AS edge
            CROSS JOIN staffa_steps AS step
            WHERE edge.needs_flow = given.value ->> '$[0]'
              AND edge.ended IS NULL
              AND step.job_id = edge.job_id
       ) AS judged
 WHERE staffa_edges.job_id = judged.job_id
   AND staffa_edges.needs_flow = judged.flow
   AND staffa_edges.ended IS NULL
   AND judged.policy <> 'hold';
