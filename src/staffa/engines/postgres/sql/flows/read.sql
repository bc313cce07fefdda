-- Read flows, outer ones before inner ones.
-- $1 text[]: their ids, $2 bool: whether those inside of them are read too, at any depth.
-- Locks: none. Index: the primary key, staffa_flows_parent.
-- OFFSET 0 has the index asked for each flow: the planner takes the tables of flows for small.
WITH RECURSIVE tree AS (
    SELECT flow.id, 0 AS depth
      FROM :"prefix".staffa_flows AS flow
     WHERE flow.id = ANY ((SELECT $1::text[])::text[])
     UNION ALL
    SELECT flow.id, tree.depth + 1
      FROM tree
     CROSS JOIN LATERAL (
               SELECT part.*
                 FROM :"prefix".staffa_flows AS part
                WHERE part.parent = tree.id AND $2::bool
               OFFSET 0
           ) AS flow
), found AS MATERIALIZED (
    SELECT tree.id, max(tree.depth) AS depth
      FROM tree
     GROUP BY tree.id
)
SELECT flow.id, flow.kind, flow.root, flow.parent, flow.name, flow.place, flow.options::text AS options,
       flow.needs AS needed, flow.total, flow.suspended, flow.completed, flow.cancelled, flow.discarded,
       flow.deleted, flow.attempted, flow.inner_open, flow.fired,
       flow.inserted_at AT TIME ZONE 'UTC' AS inserted_at,
       flow.finished_at AT TIME ZONE 'UTC' AS finished_at
  FROM found
 CROSS JOIN LATERAL (
           SELECT part.*
             FROM :"prefix".staffa_flows AS part
            WHERE part.id = found.id
           OFFSET 0
       ) AS flow
 ORDER BY found.depth, flow.inserted_at, flow.id;
