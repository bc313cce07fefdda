-- Write callbacks of batches, each once: an event has a job, or an array of them.
-- $1 text[]: the batches, $2 text[]: the event of each.
-- Locks: the batches, whose root the transaction holds; the new rows. Index: the primary keys of flows and of
-- limits, a table of few rows.
WITH due AS MATERIALIZED (
    SELECT flow.id, given.event, flow.callbacks -> given.event AS given, clock.now
      FROM unnest((SELECT $1::text[]), (SELECT $2::text[])) AS given (id, event)
     CROSS JOIN (SELECT timezone('UTC', clock_timestamp()) AS now) AS clock
      JOIN :"prefix".staffa_flows AS flow ON flow.id = given.id
     WHERE flow.callbacks ? given.event
       AND given.event <> ALL (flow.fired)
), noted AS (
    UPDATE :"prefix".staffa_flows AS flow
       SET fired = flow.fired || ARRAY(SELECT due.event FROM due WHERE due.id = flow.id)
     WHERE flow.id = ANY (ARRAY(SELECT due.id FROM due))
)
INSERT INTO :"prefix".oban_jobs
    (state, queue, worker, args, meta, tags, priority, max_attempts, inserted_at, scheduled_at)
SELECT CASE WHEN coming.at > due.now THEN 'scheduled' ELSE 'available' END::text::
           :"prefix".oban_job_state,
       job.queue, job.worker, coalesce(job.args, '{}'),
       coalesce(job.meta, '{}') || jsonb_build_object('batch_id', due.id, 'callback', due.event)
       || CASE WHEN limits.queue IS NULL THEN '{}'
               ELSE jsonb_build_object('partition_key', :"prefix".staffa_partition_key(
                        limits.fields, job.worker, coalesce(job.args, '{}'),
                        coalesce(job.meta, '{}'))) END,
       coalesce(job.tags, '{}'), coalesce(job.priority, 0), coalesce(job.max_attempts, 20), due.now,
       coalesce(coming.at, due.now)
  FROM due
 CROSS JOIN LATERAL jsonb_to_recordset(
           CASE jsonb_typeof(due.given) WHEN 'array' THEN due.given
                                        ELSE jsonb_build_array(due.given) END
       ) AS job (
           queue text, worker text, args jsonb, meta jsonb, tags text[], priority smallint,
           max_attempts smallint, scheduled_at timestamptz, scheduled_in float8
       )
 CROSS JOIN LATERAL (
           SELECT coalesce(timezone('UTC', job.scheduled_at),
                           due.now + make_interval(secs => job.scheduled_in)) AS at
       ) AS coming
  LEFT JOIN :"prefix".staffa_limits AS limits ON limits.queue = job.queue AND limits.fields <> '{}'
 ORDER BY due.id, due.event
RETURNING id, queue, state::text AS state;
