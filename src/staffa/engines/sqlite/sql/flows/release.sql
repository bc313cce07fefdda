-- Let steps go on that wait for nothing any more. Those that have been changed meanwhile are left alone.
-- $1: a JSON array of jobs.
-- Index: the primary key; +state matches no index on the state.
WITH clock AS MATERIALIZED (
    SELECT staffa_now() AS now
), step AS MATERIALIZED (
    SELECT given.value AS id, clock.now
      FROM clock
     CROSS JOIN json_each($1) AS given
)
UPDATE oban_jobs
   SET state = CASE WHEN oban_jobs.scheduled_at > step.now THEN 'scheduled' ELSE 'available' END,
       scheduled_at = max(oban_jobs.scheduled_at, step.now)
  FROM step
 WHERE oban_jobs.id = step.id
   AND +oban_jobs.state = 'suspended'
RETURNING id, queue, state, meta ->> '$.workflow_id' AS workflow,
          meta ->> '$.batch_id' AS batch, meta ->> '$.chain_id' AS chain,
          json_type(meta, '$.callback') IS NOT NULL AS callback;
