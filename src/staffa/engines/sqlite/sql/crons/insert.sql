-- Write entries that are not there yet; those that are stay as they are.
-- A new entry starts now: nothing of the past is due. One that is made at run time is known to all
-- processes that live: it waits for the next boot, not for theirs.
-- $1: instance, $2: a JSON array of objects with the columns below, $3: seconds without a heartbeat
-- after which a producer counts as dead.
-- Index: the primary keys.
WITH clock AS MATERIALIZED (
    SELECT staffa_now() AS now
)
INSERT INTO staffa_crons
    (instance, name, expression, timezone, dst, guaranteed, paused, worker, args, options,
     configured, dynamic, producers, last_tick, booted_at, registered_at, updated_at, seen_at)
SELECT $1, entry.value ->> '$.name', entry.value ->> '$.expression', entry.value ->> '$.timezone',
       entry.value ->> '$.dst', entry.value ->> '$.guaranteed', entry.value ->> '$.paused',
       entry.value ->> '$.worker', entry.value -> '$.args', entry.value -> '$.options',
       nullif(entry.value -> '$.configured', 'null'), entry.value ->> '$.dynamic',
       CASE WHEN entry.value ->> '$.dynamic'
            THEN (SELECT json_group_array(living.uuid)
                    FROM staffa_producers AS living
                   WHERE living.name = $1
                     AND living.beat_at > staffa_add(clock.now, -$3))
            ELSE '[]' END,
       clock.now, clock.now, clock.now, clock.now, clock.now
  FROM clock
 CROSS JOIN json_each($2) AS entry
 WHERE true
    ON CONFLICT (instance, name) DO NOTHING
RETURNING name;
