-- Cancel steps since something that they depend on has not completed. Those that have been changed meanwhile
-- are left alone.
-- $1: a JSON array of arrays: a job, why it is cancelled.
-- Index: the primary key; +state matches no index on the state.
WITH clock AS MATERIALIZED (
    SELECT staffa_now() AS now
), step AS MATERIALIZED (
    SELECT given.value ->> '$[0]' AS id, given.value ->> '$[1]' AS error, clock.now
      FROM clock
     CROSS JOIN json_each($1) AS given
)
UPDATE oban_jobs
   SET state = 'cancelled',
       cancelled_at = step.now,
       errors = staffa_note(oban_jobs.errors, oban_jobs.attempt, step.now, step.error)
  FROM step
 WHERE oban_jobs.id = step.id
   AND +oban_jobs.state = 'suspended'
RETURNING id, attempt, meta ->> '$.workflow_id' AS workflow,
          meta ->> '$.batch_id' AS batch, meta ->> '$.chain_id' AS chain,
          json_type(meta, '$.callback') IS NOT NULL AS callback;
