-- Read which dynamic queues have changed; one that has just begun is not told of those that are deleted.
-- $1 text: instance name, $2 bigint: the version of the changes that it knows; NULL at its first beat.
-- Locks: none. Index: the primary key or staffa_dynamic_queues_changes.
SELECT dynamic.queue, dynamic.options::text AS options, dynamic.configured::text AS configured,
       dynamic.deleted, dynamic.version, dynamic.changed_at AT TIME ZONE 'UTC' AS changed_at
  FROM :"prefix".staffa_dynamic_queues AS dynamic
 WHERE dynamic.name = $1::text
   AND dynamic.version > coalesce($2::bigint, 0)
   AND ($2::bigint IS NOT NULL OR NOT dynamic.deleted);
