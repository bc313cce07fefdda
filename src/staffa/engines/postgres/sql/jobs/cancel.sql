-- Cancel unfinished jobs. A running one also gets an error element, as its task will be stopped and
-- can't write one itself: its lease ends here.
-- $1 bigint[]: ids, $2 text: the error of running jobs.
-- Locks: the rows, in the order of their ids.
-- Index: the primary key; (SELECT $1) is there for the reason that ack.sql gives.
WITH target AS MATERIALIZED (
    SELECT id, state::text AS previous_state, timezone('UTC', clock_timestamp()) AS now
      FROM :"prefix".oban_jobs
     WHERE id = ANY ((SELECT $1::bigint[])::bigint[])
       AND state NOT IN ('completed', 'discarded', 'cancelled')
     ORDER BY id
       FOR UPDATE
)
UPDATE :"prefix".oban_jobs AS job
   SET state = 'cancelled',
       cancelled_at = target.now,
       errors = CASE WHEN target.previous_state = 'executing'
                     THEN job.errors || jsonb_build_object(
                         'attempt', job.attempt,
                         'at', to_char(target.now, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                         'error', $2::text)
                     ELSE job.errors END
  FROM target
 WHERE job.id = target.id
RETURNING job.id, job.queue, target.previous_state;
