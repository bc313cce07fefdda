-- Read what is set about the queues of an instance, and when that was done.
-- $1: instance name.
-- Index: staffa_queues_changes.
SELECT control.queue, control.scope, control.option, control.value, control.version,
       control.changed_at
  FROM staffa_queues AS control
 WHERE control.name = $1
 ORDER BY control.version;
