-- Forget dynamic queues that were deleted before any living process began, unless the configuration has
-- them: a process that starts with it must know that they were deleted.
-- $1 float8: seconds since the change.
-- Locks: the rows it deletes; what others hold is skipped. Index: none, there are few rows.
DELETE FROM :"prefix".staffa_dynamic_queues AS dynamic
 WHERE (dynamic.queue, dynamic.name) IN (
           SELECT old.queue, old.name
             FROM :"prefix".staffa_dynamic_queues AS old
            WHERE old.deleted
              AND old.configured IS NULL
              AND old.changed_at < timezone('UTC', now()) - make_interval(secs => $1::float8)
              AND NOT EXISTS (
                      SELECT FROM :"prefix".staffa_producers AS producer
                       WHERE producer.name = old.name
                         AND producer.started_at <= old.changed_at
                  )
            ORDER BY old.queue, old.name
              FOR UPDATE SKIP LOCKED
       )
RETURNING dynamic.version;
