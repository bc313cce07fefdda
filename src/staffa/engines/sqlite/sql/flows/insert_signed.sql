-- Insert jobs of flows as insert.sql does, where limits are known: those of a queue with partitions get their key.
-- $1: a JSON array of objects with the columns below, scheduled_in in seconds; waits: whether it waits for others.
-- Index: the primary key of staffa_limits.
WITH clock AS MATERIALIZED (
    SELECT staffa_now() AS now
), new AS MATERIALIZED (
    SELECT given.key AS place, given.value ->> '$.queue' AS queue,
           given.value ->> '$.worker' AS worker, given.value -> '$.args' AS args,
           given.value -> '$.meta' AS meta, given.value -> '$.tags' AS tags,
           given.value ->> '$.priority' AS priority,
           given.value ->> '$.max_attempts' AS max_attempts,
           given.value ->> '$.waits' AS waits, clock.now,
           coalesce(staffa_utc(given.value ->> '$.scheduled_at'),
                    staffa_add(clock.now, given.value ->> '$.scheduled_in')) AS due
      FROM clock
     CROSS JOIN json_each($1) AS given
)
INSERT INTO oban_jobs
    (state, queue, worker, args, meta, tags, priority, max_attempts, inserted_at, scheduled_at)
SELECT CASE WHEN new.waits THEN 'suspended'
            WHEN new.due > new.now THEN 'scheduled' ELSE 'available' END, new.queue, new.worker,
       new.args,
       CASE WHEN limits.queue IS NULL THEN new.meta
            ELSE staffa_partitioned(limits.fields, new.worker, new.args, new.meta) END,
       new.tags, new.priority, new.max_attempts, new.now,
       coalesce(new.due, new.now)
  FROM new
  LEFT JOIN staffa_limits AS limits ON limits.queue = new.queue AND limits.fields <> '[]'
 ORDER BY new.place
RETURNING id, state;
