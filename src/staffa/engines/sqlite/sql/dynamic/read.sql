-- Read an instance's dynamic queues, the deleted ones too.
-- $1: instance name.
-- Index: staffa_dynamic_queues_changes.
SELECT dynamic.queue, dynamic.options, dynamic.configured, dynamic.deleted, dynamic.version,
       dynamic.changed_at
  FROM staffa_dynamic_queues AS dynamic
 WHERE dynamic.name = $1
 ORDER BY dynamic.queue;
