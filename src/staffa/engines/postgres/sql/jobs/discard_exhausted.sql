-- Discard available jobs that have no attempt left: no claim takes them. Only other clients make
-- such rows.
-- $1 int: limit, $2 text: the error.
-- Locks: the rows; what others hold is skipped. Index: staffa_jobs_claim, whose
-- order it follows: in the order of ids it would read the whole table.
UPDATE :"prefix".oban_jobs AS job
   SET state = 'discarded',
       discarded_at = timezone('UTC', clock_timestamp()),
       errors = job.errors || jsonb_build_object(
           'attempt', job.attempt,
           'at', to_char(timezone('UTC', clock_timestamp()), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
           'error', $2::text)
 WHERE job.id = ANY (ARRAY(
           SELECT exhausted.id
             FROM :"prefix".oban_jobs AS exhausted
            WHERE exhausted.state = 'available'
              AND exhausted.attempt >= exhausted.max_attempts
            ORDER BY exhausted.queue, exhausted.priority, exhausted.scheduled_at, exhausted.id
            LIMIT $1::int
              FOR UPDATE SKIP LOCKED
       ))
RETURNING job.id, job.queue, job.worker, job.state::text AS state, job.attempt;
