-- Read flows, and those that they are inside of.
-- $1: a JSON array of flows.
-- Index: the primary key.
WITH RECURSIVE tree (id, parent) AS (
    SELECT flow.id, flow.parent
      FROM json_each($1) AS given
     CROSS JOIN staffa_flows AS flow
     WHERE flow.id = given.value
     UNION
    SELECT flow.id, flow.parent
      FROM tree
     CROSS JOIN staffa_flows AS flow
     WHERE flow.id = tree.parent
)
SELECT tree.id
  FROM tree
 ORDER BY tree.id;
