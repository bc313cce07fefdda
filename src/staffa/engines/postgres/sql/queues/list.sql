-- Read what is set about the queues of an instance, and when that was done.
-- $1 text: instance name.
-- Locks: none. Index: the primary key or staffa_queues_changes; there are few rows.
SELECT control.queue, control.scope, control.option, control.value::text AS value, control.version,
       control.changed_at AT TIME ZONE 'UTC' AS changed_at
  FROM :"prefix".staffa_queues AS control
 WHERE control.name = $1::text
 ORDER BY control.version;
