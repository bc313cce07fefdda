-- Forget options of queues that make no difference any more: those that a later change of the same
-- option covers, and those made before any living process began. A pause of a whole queue stays, and so
-- does what lifts one of all queues.
-- $1: seconds since the change.
-- Index: the primary key.
WITH clock AS MATERIALIZED (
    SELECT staffa_now() AS now
)
DELETE FROM staffa_queues AS old
 WHERE old.changed_at < staffa_add((SELECT clock.now FROM clock), -$1)
   AND (EXISTS (
            SELECT 1
              FROM staffa_queues AS later
             WHERE later.name = old.name
               AND later.option = old.option
               AND later.version > old.version
               AND later.queue IN ('*', old.queue)
               AND later.scope IN ('*', old.scope)
        )
        OR NOT EXISTS (
            SELECT 1
              FROM staffa_producers AS producer
             WHERE producer.name = old.name
               AND producer.started_at <= old.changed_at
               AND old.scope IN ('*', 'node:' || producer.node, 'process:' || producer.uuid)
        )
        AND NOT (
            old.scope = '*'
            AND old.option = 'paused'
            AND (old.value = 'true'
                 OR EXISTS (
                     SELECT 1
                       FROM staffa_queues AS pause
                      WHERE pause.name = old.name
                        AND pause.queue = '*'
                        AND pause.scope = '*'
                        AND pause.option = 'paused'
                        AND pause.version < old.version
                 ))
        ))
RETURNING version;
