-- Show that a producer is alive, and read the heartbeats of the others and what has changed about
-- queues. One that has just begun is told of whole queues' pauses alone: they outlive processes.
-- $1 uuid, $2 text: instance name, $3 text: node, $4 bigint: the version of the changes that it knows;
-- NULL at its first beat.
-- Locks: its own row. Index: the primary key, staffa_queues_changes.
WITH own AS (
    INSERT INTO :"prefix".staffa_producers AS producer (uuid, name, node)
    VALUES ($1::uuid, $2::text, $3::text)
    ON CONFLICT (uuid) DO UPDATE
       SET beats = producer.beats + 1,
           beat_at = timezone('UTC', clock_timestamp())
)
SELECT other.uuid, other.beats, NULL AS queue, NULL AS scope, NULL AS option, NULL AS value,
       NULL::bigint AS version
  FROM :"prefix".staffa_producers AS other
 WHERE other.uuid <> $1::uuid
 UNION ALL
SELECT NULL, NULL, control.queue, control.scope, control.option, control.value::text,
       control.version
  FROM :"prefix".staffa_queues AS control
 WHERE control.name = $2::text
   AND control.version > coalesce($4::bigint, 0)
   AND control.scope IN ('*', 'node:' || $3::text, 'process:' || $1::uuid::text)
   AND ($4::bigint IS NOT NULL OR (control.scope = '*' AND control.option = 'paused'))
 UNION ALL
SELECT NULL, NULL, NULL, NULL, NULL, NULL, known.version
  FROM :"prefix".staffa_queue_versions AS known
 WHERE known.name = $2::text;
