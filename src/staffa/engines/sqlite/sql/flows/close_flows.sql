-- Close the edges to flows that have ended, but for those whose steps are to hold.
-- $1: a JSON array of arrays: a flow, how it has ended.
-- Index: staffa_edges_needs_flow, the primary key of the steps.
UPDATE staffa_edges
   SET ended = given.value ->> '$[1]'
  FROM json_each($1) AS given
 WHERE staffa_edges.needs_flow = given.value ->> '$[0]'
   AND staffa_edges.ended IS NULL
   AND EXISTS (
           SELECT 1 FROM staffa_steps AS step
            WHERE step.job_id = staffa_edges.job_id
              AND CASE given.value ->> '$[1]' WHEN 'cancelled' THEN step.on_cancelled
                            WHEN 'discarded' THEN step.on_discarded
                            ELSE 'ignore' END <> 'hold'
       );
