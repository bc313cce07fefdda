-- Write callbacks of batches, each once: an event has a job, or an array of them; those that told.sql tells are
-- left out.
-- $1: a JSON array of arrays: a batch, an event.
-- Index: the primary keys of flows and of limits, a table of few rows.
WITH clock AS MATERIALIZED (
    SELECT staffa_now() AS now
), due AS MATERIALIZED (
    SELECT flow.id, given.value ->> '$[1]' AS event, job.value AS job, clock.now,
           coalesce(staffa_utc(job.value ->> '$.scheduled_at'),
                    staffa_add(clock.now, job.value ->> '$.scheduled_in')) AS at
      FROM clock
     CROSS JOIN json_each($1) AS given
     CROSS JOIN staffa_flows AS flow
     CROSS JOIN json_each(flow.callbacks) AS callback
     CROSS JOIN json_each(CASE callback.type WHEN 'array' THEN callback.value
                               ELSE json_array(json(callback.value)) END) AS job
     WHERE flow.id = given.value ->> '$[0]'
       AND callback.key = given.value ->> '$[1]'
       AND given.value ->> '$[1]' NOT IN (SELECT done.value FROM json_each(flow.fired) AS done)
       AND coalesce(job.value -> '$.unique', job.value -> '$.chain') IS NULL
), new AS MATERIALIZED (
    SELECT due.*, coalesce(due.job -> '$.args', '{}') AS args,
           staffa_merge(coalesce(due.job -> '$.meta', '{}'),
                        json_object('batch_id', due.id, 'callback', due.event)) AS meta
      FROM due
)
INSERT INTO oban_jobs
    (state, queue, worker, args, meta, tags, priority, max_attempts, inserted_at, scheduled_at)
SELECT CASE WHEN new.at > new.now THEN 'scheduled' ELSE 'available' END, new.job ->> '$.queue',
       new.job ->> '$.worker', new.args,
       CASE WHEN limits.queue IS NULL THEN new.meta
            ELSE staffa_partitioned(limits.fields, new.job ->> '$.worker', new.args, new.meta) END,
       coalesce(new.job -> '$.tags', '[]'), coalesce(new.job ->> '$.priority', 0),
       coalesce(new.job ->> '$.max_attempts', 20), new.now, coalesce(new.at, new.now)
  FROM new
  LEFT JOIN staffa_limits AS limits ON limits.queue = new.job ->> '$.queue' AND limits.fields <> '[]'
 ORDER BY new.id, new.event
RETURNING queue, state;
