-- Forget dynamic queues that were deleted before any living process began, unless the configuration has
-- them: a process that starts with it must know that they were deleted.
-- $1: seconds since the change.
-- Index: none, there are few rows.
WITH clock AS MATERIALIZED (
    SELECT staffa_now() AS now
)
DELETE FROM staffa_dynamic_queues AS old
 WHERE old.deleted
   AND old.configured IS NULL
   AND old.changed_at < staffa_add((SELECT clock.now FROM clock), -$1)
   AND NOT EXISTS (
           SELECT 1
             FROM staffa_producers AS producer
            WHERE producer.name = old.name
              AND producer.started_at <= old.changed_at
       )
RETURNING version;
