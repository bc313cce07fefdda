-- Keep among the options of dynamic queues what control.sql has set for everybody, after it in one
-- transaction.
-- $1 text: instance name, $2 text[]: queues, "*" for all, $3 text[]: options, $4 text[]: values, as JSON,
-- $5 bigint[]: versions.
-- Locks: the rows that it changes; the instance's version is locked, so nobody else has one of them.
-- Index: the primary key or staffa_dynamic_queues_changes.
UPDATE :"prefix".staffa_dynamic_queues AS kept
   SET options = kept.options || given.options,
       version = given.version,
       changed_at = timezone('UTC', clock_timestamp())
  FROM (
           SELECT dynamic.queue,
                  jsonb_object_agg(wanted.option, wanted.value::jsonb ORDER BY wanted.version) AS options,
                  max(wanted.version) AS version
             FROM :"prefix".staffa_dynamic_queues AS dynamic
             JOIN unnest($2::text[], $3::text[], $4::text[], $5::bigint[])
                      AS wanted (queue, option, value, version)
               ON wanted.queue IN ('*', dynamic.queue)
            WHERE dynamic.name = $1::text
            GROUP BY dynamic.queue
       ) AS given
 WHERE kept.name = $1::text
   AND kept.queue = given.queue
   AND NOT kept.deleted
RETURNING kept.queue;
