-- Write dynamic queues, under versions as control.sql makes them, after lock.sql in one transaction.
-- $1 text: instance name, $2 text: a JSON array of objects: queue, options, configured, deleted.
-- Locks: the instance's version, then the rows that it writes. Index: primary key of both tables.
WITH counter AS (
    INSERT INTO :"prefix".staffa_queue_versions AS known (name, version)
    VALUES (
        $1::text,
        (extract(epoch FROM clock_timestamp()) * 1000000)::bigint + jsonb_array_length($2::text::jsonb)
    )
    ON CONFLICT (name) DO UPDATE
       SET version = greatest(
               known.version,
               (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
           ) + jsonb_array_length($2::text::jsonb)
    RETURNING known.version
)
INSERT INTO :"prefix".staffa_dynamic_queues AS dynamic (
    name, queue, options, configured, deleted, version, inserted_at, changed_at
)
SELECT $1::text, given.item ->> 'queue', given.item -> 'options',
       nullif(given.item -> 'configured', 'null'::jsonb), (given.item ->> 'deleted')::boolean,
       counter.version - jsonb_array_length($2::text::jsonb) + given.place,
       timezone('UTC', clock_timestamp()), timezone('UTC', clock_timestamp())
  FROM counter
 CROSS JOIN jsonb_array_elements($2::text::jsonb) WITH ORDINALITY AS given (item, place)
ON CONFLICT (queue, name) DO UPDATE
   SET options = excluded.options,
       configured = excluded.configured,
       deleted = excluded.deleted,
       version = excluded.version,
       changed_at = excluded.changed_at
RETURNING dynamic.queue, dynamic.options::text AS options, dynamic.configured::text AS configured,
          dynamic.deleted, dynamic.version, dynamic.changed_at AT TIME ZONE 'UTC' AS changed_at;
