-- Insert jobs; their ids rise in the order given.
-- $1: a JSON array of objects with the columns below, scheduled_in in seconds; $2: the time, or null
-- for now. Jobs of a queue with partitions get their key here.
-- Index: the primary key of staffa_limits.
WITH clock AS MATERIALIZED (
    SELECT coalesce($2, staffa_now()) AS now
), new AS MATERIALIZED (
    SELECT given.key AS place, given.value ->> '$.queue' AS queue,
           given.value ->> '$.worker' AS worker, given.value -> '$.args' AS args,
           given.value -> '$.meta' AS meta, given.value -> '$.tags' AS tags,
           given.value ->> '$.priority' AS priority,
           given.value ->> '$.max_attempts' AS max_attempts, clock.now,
           coalesce(staffa_utc(given.value ->> '$.scheduled_at'),
                    staffa_add(clock.now, given.value ->> '$.scheduled_in')) AS due
      FROM clock
     CROSS JOIN json_each($1) AS given
)
INSERT INTO oban_jobs
    (state, queue, worker, args, meta, tags, priority, max_attempts, inserted_at, scheduled_at)
SELECT CASE WHEN new.due > new.now THEN 'scheduled' ELSE 'available' END, new.queue, new.worker,
       new.args,
       CASE WHEN limits.queue IS NULL THEN new.meta
            ELSE staffa_partitioned(limits.fields, new.worker, new.args, new.meta) END,
       new.tags, new.priority, new.max_attempts, new.now,
       coalesce(new.due, new.now)
  FROM new
  LEFT JOIN staffa_limits AS limits ON limits.queue = new.queue AND limits.fields <> '[]'
 ORDER BY new.place
RETURNING id, state, inserted_at, scheduled_at;
