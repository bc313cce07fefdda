-- Cancel unfinished jobs. A running one also gets an error element, as its task will be stopped and
-- can't write one itself: its lease ends here.
-- $1 text: the error of running jobs; the filter's parameters follow.
-- Locks: the rows, in the order of their ids; SKIP LOCKED is put in where many are changed, so that
-- none of them is kept while another is waited for.
-- Index: the primary key; the filter names the ids.
WITH target AS MATERIALIZED (
    SELECT job.id, job.state::text AS previous_state, timezone('UTC', clock_timestamp()) AS now
      FROM :"prefix".oban_jobs AS job
     WHERE false /* filter */
       AND job.state NOT IN ('completed', 'discarded', 'cancelled')
     ORDER BY job.id
       FOR UPDATE /* SKIP LOCKED */
)
UPDATE :"prefix".oban_jobs AS job
   SET state = 'cancelled',
       cancelled_at = target.now,
       errors = CASE WHEN target.previous_state = 'executing'
                     THEN job.errors || jsonb_build_object(
                         'attempt', job.attempt,
                         'at', to_char(target.now, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                         'error', $1::text)
                     ELSE job.errors END
  FROM target
 WHERE job.id = target.id
RETURNING job.id, job.queue, job.worker, target.previous_state, job.attempt;
