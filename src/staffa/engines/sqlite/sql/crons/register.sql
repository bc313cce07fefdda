-- Write the entries that a node declares. It is the first half of registering: declare.sql follows in
-- the same transaction.
-- A new entry starts now: nothing of the past is due. So does one whose times have changed.
-- $1: instance, $2: a JSON array of objects with the columns below.
-- Index: the primary key.
WITH clock AS MATERIALIZED (
    SELECT staffa_now() AS now
)
INSERT INTO staffa_crons
    (instance, name, expression, timezone, dst, worker, args, options, last_tick, booted_at,
     registered_at, updated_at, seen_at)
SELECT $1, entry.value ->> '$.name', entry.value ->> '$.expression', entry.value ->> '$.timezone',
       entry.value ->> '$.dst', entry.value ->> '$.worker', entry.value -> '$.args',
       entry.value -> '$.options', clock.now, clock.now, clock.now, clock.now, clock.now
  FROM clock
 CROSS JOIN json_each($2) AS entry
 WHERE true
    ON CONFLICT (instance, name) DO UPDATE
   SET expression = excluded.expression,
       timezone = excluded.timezone,
       dst = excluded.dst,
       worker = excluded.worker,
       args = excluded.args,
       options = excluded.options,
       last_tick = CASE WHEN (expression, timezone, dst)
                             = (excluded.expression, excluded.timezone, excluded.dst)
                        THEN last_tick
                        ELSE max(last_tick, excluded.last_tick) END,
       updated_at = CASE WHEN (expression, timezone, dst, worker, args, options)
                              = (excluded.expression, excluded.timezone, excluded.dst,
                                 excluded.worker, excluded.args, excluded.options)
                         THEN updated_at
                         ELSE excluded.updated_at END,
       seen_at = excluded.seen_at
RETURNING name;
