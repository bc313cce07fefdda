-- Keep among the options of dynamic queues what control.sql has set for everybody, after it in one
-- transaction.
-- $1: a JSON array of arrays: queue, "*" for all, option, value as JSON, version; $2: instance name.
-- Index: staffa_dynamic_queues_changes, the primary key.
UPDATE staffa_dynamic_queues AS kept
   SET options = json_patch(kept.options, given.options),
       version = given.version,
       changed_at = staffa_now()
  FROM (
           SELECT dynamic.queue,
                  json_group_object(wanted.value ->> '$[1]', json(wanted.value ->> '$[2]')) AS options,
                  max(wanted.value ->> '$[3]') AS version
             FROM staffa_dynamic_queues AS dynamic
             JOIN json_each($1) AS wanted
               ON wanted.value ->> '$[0]' IN ('*', dynamic.queue)
            WHERE dynamic.name = $2
            GROUP BY dynamic.queue
       ) AS given
 WHERE kept.name = $2
   AND kept.queue = given.queue
   AND NOT kept.deleted
RETURNING queue;
