-- Note that a flow has its graft, if it has none yet, and the job that has returned it still runs: it may have been
-- cancelled meanwhile, with all of its workflow.
-- $1: the flow; $2, $3: the job and the time of its claim, or null; $4: what it has returned.
-- Index: the primary keys.
UPDATE staffa_flows
   SET grafted = 1,
       options = json_set(options, '$.grafted', $4)
 WHERE id = $1
   AND NOT grafted
   AND ($2 IS NULL
        OR EXISTS (
               SELECT 1 FROM oban_jobs AS job
                WHERE job.id = $2 AND job.state = 'executing' AND job.attempted_at = $3
           ))
RETURNING id;
