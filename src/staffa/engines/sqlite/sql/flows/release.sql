-- Let steps go on that wait for nothing any more, or cancel them. Those that have been changed meanwhile are
-- left alone.
-- $1: a JSON array of arrays: a job, why it is cancelled, or null where it goes on.
-- Index: the primary key; +state matches no index on the state.
WITH clock AS MATERIALIZED (
    SELECT staffa_now() AS now
), step AS MATERIALIZED (
    SELECT given.value ->> '$[0]' AS id, given.value ->> '$[1]' AS error, clock.now
      FROM clock
     CROSS JOIN json_each($1) AS given
)
UPDATE oban_jobs
   SET state = CASE WHEN step.error IS NOT NULL THEN 'cancelled'
                    WHEN oban_jobs.scheduled_at > step.now THEN 'scheduled'
                    ELSE 'available' END,
       scheduled_at = CASE WHEN step.error IS NULL THEN max(oban_jobs.scheduled_at, step.now)
                           ELSE oban_jobs.scheduled_at END,
       cancelled_at = CASE WHEN step.error IS NULL THEN oban_jobs.cancelled_at ELSE step.now END,
       errors = CASE WHEN step.error IS NULL THEN oban_jobs.errors
                     ELSE staffa_note(oban_jobs.errors, oban_jobs.attempt, step.now, step.error) END
  FROM step
 WHERE oban_jobs.id = step.id
   AND +oban_jobs.state = 'suspended'
RETURNING id, queue, state, attempt, meta ->> '$.workflow_id' AS workflow,
          meta ->> '$.batch_id' AS batch, meta ->> '$.chain_id' AS chain,
          json_type(meta, '$.callback') IS NOT NULL AS callback;
