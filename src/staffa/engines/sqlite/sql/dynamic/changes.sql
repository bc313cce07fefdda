-- Read which dynamic queues have changed; one that has just begun is not told of those that are deleted.
-- $1: instance name, $2: the version of the changes that it knows; null at its first beat.
-- Index: staffa_dynamic_queues_changes.
SELECT dynamic.queue, dynamic.options, dynamic.configured, dynamic.deleted, dynamic.version,
       dynamic.changed_at
  FROM staffa_dynamic_queues AS dynamic
 WHERE dynamic.name = $1
   AND dynamic.version > coalesce($2, 0)
   AND ($2 IS NOT NULL OR NOT dynamic.deleted);
