-- Forget options of queues that make no difference any more: those that a later change of the same
-- option covers, and those made before any living process began. A pause of a whole queue stays, and so
-- does what lifts one of all queues.
-- $1 float8: seconds since the change.
-- Locks: the rows it deletes; what others hold is skipped. Index: primary key.
DELETE FROM :"prefix".staffa_queues AS control
 WHERE (control.name, control.queue, control.scope, control.option) IN (
           SELECT old.name, old.queue, old.scope, old.option
             FROM :"prefix".staffa_queues AS old
            WHERE old.changed_at < timezone('UTC', now()) - make_interval(secs => $1::float8)
              AND (EXISTS (
                       SELECT FROM :"prefix".staffa_queues AS later
                        WHERE later.name = old.name
                          AND later.option = old.option
                          AND later.version > old.version
                          AND later.queue IN ('*', old.queue)
                          AND later.scope IN ('*', old.scope)
                   )
                   OR NOT EXISTS (
                       SELECT FROM :"prefix".staffa_producers AS producer
                        WHERE producer.name = old.name
                          AND producer.started_at <= old.changed_at
                          AND old.scope IN (
                                  '*', 'node:' || producer.node, 'process:' || producer.uuid::text
                              )
                   )
                   AND NOT (
                       old.scope = '*'
                       AND old.option = 'paused'
                       AND (old.value = 'true'::jsonb
                            OR EXISTS (
                                SELECT FROM :"prefix".staffa_queues AS pause
                                 WHERE pause.name = old.name
                                   AND pause.queue = '*'
                                   AND pause.scope = '*'
                                   AND pause.option = 'paused'
                                   AND pause.version < old.version
                            ))
                   ))
            ORDER BY old.name, old.queue, old.scope, old.option
              FOR UPDATE SKIP LOCKED
       )
RETURNING control.version;
