-- Write the limits of queues, as a process tells them. Where a queue is divided in another way from now
-- on, all that was known of its partitions begins anew.
-- $1: a JSON array of objects: queue, options, fields.
-- Index: the primary key.
WITH clock AS MATERIALIZED (
    SELECT staffa_now() AS now
)
INSERT INTO staffa_limits (queue, options, fields, changed_at, used_at)
SELECT told.value ->> '$.queue', told.value -> '$.options', told.value -> '$.fields', clock.now,
       clock.now
  FROM clock
 CROSS JOIN json_each($1) AS told
 WHERE true
    ON CONFLICT (queue) DO UPDATE
   SET options = excluded.options,
       fields = excluded.fields,
       cursors = CASE WHEN staffa_limits.fields = excluded.fields THEN staffa_limits.cursors
                      ELSE '{}' END,
       sweep = '{}',
       changed_at = CASE WHEN staffa_limits.options = excluded.options THEN staffa_limits.changed_at
                         ELSE excluded.changed_at END,
       used_at = excluded.used_at
RETURNING queue;
