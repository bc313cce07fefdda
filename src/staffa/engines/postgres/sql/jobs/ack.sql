-- Write the outcomes of jobs whose leases are still ours, and return the ids written.
-- $1 bigint[]: id, $2 int[]: attempt, $3 timestamptz[]: attempted_at, $4 text: producer uuid,
-- $5 text[]: state, $6 bool[]: whether the attempt is given back, $7 text[]: error or null,
-- $8 float8[]: seconds until it is due again or null, $9 text[]: JSON to merge into meta or null.
-- A retryable job without attempts left becomes discarded; one that parks until a signal comes becomes
-- available if that has come meanwhile: meta.staffa_parked of its patch has the signals' names.
-- Locks: the rows, in the order of their ids; of a node, those that others hold are skipped.
-- Index: the primary key, one probe for each outcome. Two things see to that. state::text matches no
-- index on the state: any of those ends in a scan of all executing rows, dead versions included. And
-- (SELECT $1) hides from the planner how long the arrays are: for long ones it would rather read the
-- whole table.
WITH outcome AS MATERIALIZED (
    SELECT job.id, given.refund, given.error, given.delay, given.patch, clock.now,
           CASE WHEN given.state = 'retryable' AND job.attempt >= job.max_attempts
                THEN 'discarded'
                WHEN given.state = 'scheduled'
                THEN CASE WHEN strpos(given.patch, '"staffa_parked":["') = 0 THEN 'scheduled'
                          WHEN EXISTS (
                                   SELECT FROM jsonb_array_elements_text(
                                              given.patch::jsonb -> 'staffa_parked') AS name
                                    WHERE jsonb_typeof(job.meta #> ARRAY['staffa_signals', name]) = 'object'
                               )
                          THEN 'available' ELSE 'scheduled' END
                ELSE given.state END AS state
      FROM unnest((SELECT $1::bigint[]), (SELECT $2::int[]), (SELECT $3::timestamptz[]),
                  (SELECT $5::text[]), (SELECT $6::bool[]), (SELECT $7::text[]),
                  (SELECT $8::float8[]), (SELECT $9::text[]))
               AS given (id, attempt, attempted_at, state, refund, error, delay, patch)
     CROSS JOIN (SELECT timezone('UTC', clock_timestamp()) AS now) AS clock
      JOIN :"prefix".oban_jobs AS job
        ON job.id = given.id
       AND job.state::text = 'executing'
       AND job.attempt = given.attempt
       AND job.attempted_at = timezone('UTC', given.attempted_at)
       AND job.attempted_by[2] = $4::text
     ORDER BY job.id
       FOR UPDATE OF job /* SKIP LOCKED */
)
UPDATE :"prefix".oban_jobs AS job
   SET state = outcome.state::text:::"prefix".oban_job_state,
       attempt = job.attempt - outcome.refund::int,
       scheduled_at = CASE WHEN outcome.state IN ('scheduled', 'retryable')
                           THEN outcome.now + make_interval(secs => coalesce(outcome.delay, 0))
                           ELSE job.scheduled_at END,
       completed_at = CASE outcome.state WHEN 'completed' THEN outcome.now
                                         ELSE job.completed_at END,
       cancelled_at = CASE outcome.state WHEN 'cancelled' THEN outcome.now
                                         ELSE job.cancelled_at END,
       discarded_at = CASE outcome.state WHEN 'discarded' THEN outcome.now
                                         ELSE job.discarded_at END,
       meta = CASE WHEN outcome.patch IS NULL THEN job.meta
                   ELSE CASE WHEN jsonb_typeof(job.meta) = 'object' THEN job.meta ELSE '{}' END || outcome.patch::jsonb END,
       errors = CASE WHEN outcome.error IS NULL THEN job.errors
                     ELSE job.errors || jsonb_build_object(
                         'attempt', job.attempt,
                         'at', to_char(outcome.now, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                         'error', outcome.error) END
  FROM outcome
 WHERE job.id = outcome.id
RETURNING job.id, job.state::text AS state;
