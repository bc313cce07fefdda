-- Read the heartbeats of the others and what has changed about queues. One that has just begun is told
-- of whole queues' pauses alone: they outlive processes.
-- $1: uuid, $2: instance name, $3: node, $4: the version of the changes that it knows; null at its first
-- beat.
-- Index: the primary keys, staffa_queues_changes.
SELECT other.uuid, other.beats, NULL AS queue, NULL AS scope, NULL AS option, NULL AS value,
       NULL AS version
  FROM staffa_producers AS other
 WHERE other.uuid <> $1
 UNION ALL
SELECT NULL, NULL, control.queue, control.scope, control.option, control.value, control.version
  FROM staffa_queues AS control
 WHERE control.name = $2
   AND control.version > coalesce($4, 0)
   AND control.scope IN ('*', 'node:' || $3, 'process:' || $1)
   AND ($4 IS NOT NULL OR (control.scope = '*' AND control.option = 'paused'))
 UNION ALL
SELECT NULL, NULL, NULL, NULL, NULL, NULL, known.version
  FROM staffa_queue_versions AS known
 WHERE known.name = $2;
