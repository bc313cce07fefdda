-- Write callbacks of batches, each once: an event has a job, or an array of them. Those that are unique or in a
-- chain are told instead, for what enqueues such jobs to write them: their batch, event, and description.
-- $1 text[]: the batches, $2 text[]: the event of each, $3 text: for how long the rest of the transaction waits for
-- locks if any are told, with its unit, or null: for as long as it takes.
-- Locks: the batches, whose root the transaction holds; the new rows. Index: the primary keys of flows and of
-- limits, a table of few rows.
WITH due AS MATERIALIZED (
    SELECT flow.id, given.event, flow.callbacks -> given.event AS given, clock.now
      FROM unnest((SELECT $1::text[]), (SELECT $2::text[])) AS given (id, event)
     CROSS JOIN (SELECT timezone('UTC', clock_timestamp()) AS now) AS clock
      JOIN :"prefix".staffa_flows AS flow ON flow.id = given.id
     WHERE flow.callbacks ? given.event
       AND given.event <> ALL (flow.fired)
), callback AS MATERIALIZED (
    SELECT due.id, due.event, due.now, found.value AS given, found.place,
           found.value ?| ARRAY['unique', 'chain'] AS told
      FROM due
     CROSS JOIN LATERAL jsonb_array_elements(
               CASE jsonb_typeof(due.given) WHEN 'array' THEN due.given
                                            ELSE jsonb_build_array(due.given) END
           ) WITH ORDINALITY AS found (value, place)
), noted AS (
    UPDATE :"prefix".staffa_flows AS flow
       SET fired = flow.fired || ARRAY(SELECT due.event FROM due WHERE due.id = flow.id)
     WHERE flow.id = ANY (ARRAY(SELECT due.id FROM due))
), written AS (
    INSERT INTO :"prefix".oban_jobs
        (state, queue, worker, args, meta, tags, priority, max_attempts, inserted_at, scheduled_at)
    SELECT CASE WHEN coming.at > callback.now THEN 'scheduled' ELSE 'available' END::text::
               :"prefix".oban_job_state,
           job.queue, job.worker, coalesce(job.args, '{}'),
           coalesce(job.meta, '{}')
           || jsonb_build_object('batch_id', callback.id, 'callback', callback.event)
           || CASE WHEN limits.queue IS NULL THEN '{}'
                   ELSE jsonb_build_object('partition_key', :"prefix".staffa_partition_key(
                            limits.fields, job.worker, coalesce(job.args, '{}'),
                            coalesce(job.meta, '{}'))) END,
           coalesce(job.tags, '{}'), coalesce(job.priority, 0), coalesce(job.max_attempts, 20),
           callback.now, coalesce(coming.at, callback.now)
      FROM callback
     CROSS JOIN LATERAL jsonb_to_record(callback.given) AS job (
               queue text, worker text, args jsonb, meta jsonb, tags text[], priority smallint,
               max_attempts smallint, scheduled_at timestamptz, scheduled_in float8
           )
     CROSS JOIN LATERAL (
               SELECT coalesce(timezone('UTC', job.scheduled_at),
                               callback.now + make_interval(secs => job.scheduled_in)) AS at
           ) AS coming
      LEFT JOIN :"prefix".staffa_limits AS limits
        ON limits.queue = job.queue AND limits.fields <> '{}'
     WHERE NOT callback.told
     ORDER BY callback.id, callback.event, callback.place
    RETURNING id, queue, state::text AS state, meta
), members AS (
    INSERT INTO :"prefix".staffa_members (flow, job_id)
    SELECT named.flow, written.id
      FROM written
     CROSS JOIN LATERAL (VALUES (written.meta ->> 'workflow_id'), (written.meta ->> 'batch_id')) AS named (flow)
     WHERE named.flow IS NOT NULL
)
SELECT written.queue, written.state, NULL AS batch, NULL AS event, NULL AS given, NULL AS place,
       NULL AS patience
  FROM written
 UNION ALL
SELECT NULL, NULL, callback.id, callback.event, callback.given::text, callback.place,
       CASE WHEN $3::text IS NOT NULL THEN set_config('lock_timeout', $3::text, true) END
  FROM callback
 WHERE callback.told
 ORDER BY batch, event, place;
