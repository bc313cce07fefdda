-- Read flows, outer ones before inner ones.
-- $1: a JSON array of their ids, $2: whether those inside of them are read too, at any depth.
-- Index: the primary key, staffa_flows_parent.
WITH RECURSIVE tree (id, depth) AS (
    SELECT given.value, 0
      FROM json_each($1) AS given
     UNION ALL
    SELECT flow.id, tree.depth + 1
      FROM tree
     CROSS JOIN staffa_flows AS flow
     WHERE $2
       AND flow.parent = tree.id
       AND flow.parent IS NOT NULL
), found AS MATERIALIZED (
    SELECT tree.id, max(tree.depth) AS depth
      FROM tree
     GROUP BY tree.id
)
SELECT flow.id, flow.kind, flow.root, flow.parent, flow.name, flow.place, flow.options, flow.needs AS needed,
       flow.total, flow.suspended, flow.completed, flow.cancelled, flow.discarded, flow.deleted,
       flow.attempted, flow.inner_open, flow.fired, flow.inserted_at, flow.finished_at
  FROM found
 CROSS JOIN staffa_flows AS flow
 WHERE flow.id = found.id
 ORDER BY found.depth, flow.inserted_at, flow.id;
