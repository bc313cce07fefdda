-- Set options of queues, in the order given: the last change of an option wins. Versions are times as
-- far as these grow, so that they do so even where a failover has lost the last of them.
-- $1 text: instance name, $2 text[]: queues, $3 text[]: scopes, $4 text[]: options, $5 text[]: values,
-- as JSON.
-- Locks: the instance's version first, so that its changes are made one after the other; then the rows
-- that it changes. Index: primary key of both tables.
WITH counter AS (
    INSERT INTO :"prefix".staffa_queue_versions AS known (name, version)
    VALUES (
        $1::text,
        (extract(epoch FROM clock_timestamp()) * 1000000)::bigint + cardinality($2::text[])
    )
    ON CONFLICT (name) DO UPDATE
       SET version = greatest(
               known.version,
               (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
           ) + cardinality($2::text[])
    RETURNING known.version
)
INSERT INTO :"prefix".staffa_queues AS control (
    name, queue, scope, option, value, version, changed_at
)
SELECT $1::text, wanted.queue, wanted.scope, wanted.option, wanted.value::jsonb,
       counter.version - cardinality($2::text[]) + wanted.place,
       timezone('UTC', clock_timestamp())
  FROM counter
 CROSS JOIN unnest($2::text[], $3::text[], $4::text[], $5::text[])
           WITH ORDINALITY AS wanted (queue, scope, option, value, place)
ON CONFLICT (name, queue, scope, option) DO UPDATE
   SET value = excluded.value,
       version = excluded.version,
       changed_at = excluded.changed_at
RETURNING control.queue, control.scope, control.option, control.value::text AS value,
          control.version;
