-- Write dynamic queues, under the versions that version.sql has made for them in the same transaction.
-- $1: instance name, $2: a JSON array of objects: queue, options, configured, deleted.
-- Index: the primary keys.
WITH clock AS MATERIALIZED (
    SELECT staffa_now() AS now
)
INSERT INTO staffa_dynamic_queues
    (name, queue, options, configured, deleted, version, inserted_at, changed_at)
SELECT $1, given.value ->> '$.queue', given.value -> '$.options',
       nullif(given.value -> '$.configured', 'null'), given.value ->> '$.deleted',
       counter.version - json_array_length($2) + given.key + 1, clock.now, clock.now
  FROM clock
 CROSS JOIN staffa_queue_versions AS counter
 CROSS JOIN json_each($2) AS given
 WHERE counter.name = $1
    ON CONFLICT (queue, name) DO UPDATE
   SET options = excluded.options,
       configured = excluded.configured,
       deleted = excluded.deleted,
       version = excluded.version,
       changed_at = excluded.changed_at
RETURNING queue, options, configured, deleted, version, changed_at;
