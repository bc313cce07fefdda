-- Write the outcomes of jobs whose leases are still ours, and return the ids written.
-- $1: a JSON array of arrays: id, attempt, attempted_at, state, whether the attempt is given back, error or
-- null, seconds until it is due again or null, JSON to merge into meta or null; $2: producer uuid.
-- A retryable job without attempts left becomes discarded; one that parks until a signal comes becomes
-- available if that has come meanwhile. A lease that is given twice gets one of the two.
-- Index: the primary key, one probe for each outcome; +job.state matches no index on the state.
WITH clock AS MATERIALIZED (
    SELECT staffa_now() AS now
), outcome AS MATERIALIZED (
    SELECT job.id, given.value ->> '$[4]' AS refund, given.value ->> '$[5]' AS error,
           given.value ->> '$[6]' AS delay, given.value ->> '$[7]' AS patch, clock.now,
           CASE WHEN given.value ->> '$[3]' = 'retryable' AND job.attempt >= job.max_attempts
                THEN 'discarded'
                WHEN given.value ->> '$[3]' = 'scheduled'
                 AND staffa_is_signalled(job.meta, given.value ->> '$[7]')
                THEN 'available'
                ELSE given.value ->> '$[3]' END AS state
      FROM clock
     CROSS JOIN json_each($1) AS given
     CROSS JOIN oban_jobs AS job
     WHERE job.id = given.value ->> '$[0]'
       AND +job.state = 'executing'
       AND job.attempt = given.value ->> '$[1]'
       AND job.attempted_at = given.value ->> '$[2]'
       AND json_extract(job.attempted_by, '$[1]') = $2
)
UPDATE oban_jobs
   SET state = outcome.state,
       attempt = oban_jobs.attempt - outcome.refund,
       scheduled_at = CASE WHEN outcome.state IN ('scheduled', 'retryable')
                           THEN staffa_add(outcome.now, coalesce(outcome.delay, 0))
                           ELSE oban_jobs.scheduled_at END,
       completed_at = CASE outcome.state WHEN 'completed' THEN outcome.now
                                         ELSE oban_jobs.completed_at END,
       cancelled_at = CASE outcome.state WHEN 'cancelled' THEN outcome.now
                                         ELSE oban_jobs.cancelled_at END,
       discarded_at = CASE outcome.state WHEN 'discarded' THEN outcome.now
                                         ELSE oban_jobs.discarded_at END,
       meta = CASE WHEN outcome.patch IS NULL THEN oban_jobs.meta
                   ELSE staffa_merge(oban_jobs.meta, outcome.patch) END,
       errors = CASE WHEN outcome.error IS NULL THEN oban_jobs.errors
                     ELSE staffa_note(oban_jobs.errors, oban_jobs.attempt, outcome.now,
                                      outcome.error) END
  FROM outcome
 WHERE oban_jobs.id = outcome.id
RETURNING id, state;
