-- Close the edges to jobs that have ended, but for those whose steps are to hold.
-- $1: a JSON array of arrays: a job, how it has ended.
-- Index: staffa_edges_needs_job, the primary key of the steps.
UPDATE staffa_edges
   SET ended = given.value ->> '$[1]'
  FROM json_each($1) AS given
 WHERE staffa_edges.needs_job = given.value ->> '$[0]'
   AND staffa_edges.ended IS NULL
   AND EXISTS (
           SELECT 1 FROM staffa_steps AS step
            WHERE step.job_id = staffa_edges.job_id
              AND CASE given.value ->> '$[1]'
                      WHEN 'cancelled' THEN coalesce(staffa_edges.on_cancelled, step.on_cancelled)
                      WHEN 'discarded' THEN coalesce(staffa_edges.on_discarded, step.on_discarded)
                      WHEN 'deleted' THEN coalesce(staffa_edges.on_deleted, step.on_deleted)
                      ELSE 'ignore' END <> 'hold'
       );
