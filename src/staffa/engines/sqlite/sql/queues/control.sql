-- Set options of queues, in the order given, under the versions that version.sql has made for them in
-- the same transaction: the last change of an option wins.
-- $1: a JSON array of arrays: queue, scope, option, value as JSON; $2: instance name.
-- Index: the primary keys.
WITH clock AS MATERIALIZED (
    SELECT staffa_now() AS now
)
INSERT INTO staffa_queues (name, queue, scope, option, value, version, changed_at)
SELECT $2, wanted.value ->> '$[0]', wanted.value ->> '$[1]', wanted.value ->> '$[2]',
       wanted.value ->> '$[3]', counter.version - json_array_length($1) + wanted.key + 1, clock.now
  FROM clock
 CROSS JOIN staffa_queue_versions AS counter
 CROSS JOIN json_each($1) AS wanted
 WHERE counter.name = $2
    ON CONFLICT (queue, name, scope, option) DO UPDATE
   SET value = excluded.value,
       version = excluded.version,
       changed_at = excluded.changed_at
RETURNING queue, scope, option, value, version;
