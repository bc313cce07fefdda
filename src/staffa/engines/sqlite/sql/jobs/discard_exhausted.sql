-- Discard available jobs that have no attempt left: no claim takes them. Only other clients make
-- such rows.
-- $1: limit, $2: the error.
-- Index: staffa_jobs_claim, whose order it follows.
WITH clock AS MATERIALIZED (
    SELECT staffa_now() AS now
)
UPDATE oban_jobs
   SET state = 'discarded',
       discarded_at = (SELECT clock.now FROM clock),
       errors = staffa_note(errors, attempt, (SELECT clock.now FROM clock), $2)
 WHERE id IN (
           SELECT exhausted.id
             FROM oban_jobs AS exhausted
            WHERE exhausted.state = 'available'
              AND exhausted.attempt >= exhausted.max_attempts
            ORDER BY exhausted.queue, exhausted.priority, exhausted.scheduled_at, exhausted.id
            LIMIT $1
       )
RETURNING id, queue, worker, state, attempt;
