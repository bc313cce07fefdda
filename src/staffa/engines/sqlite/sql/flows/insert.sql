-- Insert jobs of flows; their ids rise in the order given. Those that wait for others are suspended.
-- $1: a JSON array of objects with the columns below, scheduled_in in seconds; waits: whether it waits for others.
-- Index: none.
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
       new.args, new.meta, new.tags, new.priority, new.max_attempts, new.now,
       coalesce(new.due, new.now)
  FROM new
 ORDER BY new.place
RETURNING id, state;
