-- Read an instance's dynamic queues, the deleted ones too.
-- $1 text: instance name.
-- Locks: none. Index: the primary key or staffa_dynamic_queues_changes; there are few rows.
SELECT dynamic.queue, dynamic.options::text AS options, dynamic.configured::text AS configured,
       dynamic.deleted, dynamic.version, dynamic.changed_at AT TIME ZONE 'UTC' AS changed_at
  FROM :"prefix".staffa_dynamic_queues AS dynamic
 WHERE dynamic.name = $1::text
 ORDER BY dynamic.queue COLLATE "C";
