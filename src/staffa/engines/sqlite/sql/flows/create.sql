-- Insert flows that count no jobs yet, and tell which: not those whose id is taken, nor one whose key is that of
-- a flow that goes on.
-- $1: a JSON array of objects with the columns below.
-- Index: the primary key and staffa_flows_once find conflicts.
WITH clock AS MATERIALIZED (
    SELECT staffa_now() AS now
)
INSERT INTO staffa_flows
    (id, kind, root, parent, name, place, options, callbacks, needs, once, inserted_at, checked_at)
SELECT given.value ->> '$.id', given.value ->> '$.kind', given.value ->> '$.root',
       given.value ->> '$.parent', given.value ->> '$.name', given.value ->> '$.place',
       given.value -> '$.options', given.value -> '$.callbacks', given.value -> '$.needs',
       given.value ->> '$.once', clock.now, clock.now
  FROM clock
 CROSS JOIN json_each($1) AS given
 WHERE true
    ON CONFLICT DO NOTHING
RETURNING id;
