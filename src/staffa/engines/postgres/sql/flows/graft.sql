-- Note that a flow has its graft, if it has none yet, and the job that has returned it still runs: it may have been
-- cancelled meanwhile, with all of its workflow.
-- $1 text: the flow; $2 bigint, $3 timestamptz: the job and the time of its claim, or null; $4 text: what it has returned.
-- Locks: the row; its root is locked before. Index: the primary keys; see jobs/ack.sql for state::text.
UPDATE :"prefix".staffa_flows
   SET grafted = true,
       options = options || jsonb_build_object('grafted', $4::text)
 WHERE id = $1::text
   AND NOT grafted
   AND ($2::bigint IS NULL
        OR EXISTS (
               SELECT FROM :"prefix".oban_jobs AS job
                WHERE job.id = $2::bigint
                  AND job.state::text = 'executing'
                  AND job.attempted_at = timezone('UTC', $3::timestamptz)
           ))
RETURNING id;
