-- Read in which ways flows have ended, those that have: in which jobs in them have, those of flows inside of them
-- among them.
-- $1: a JSON array of flows.
-- Index: the primary key, staffa_flows_parent.
WITH RECURSIVE tree (top, id, discarded, cancelled, deleted) AS (
    SELECT flow.id, flow.id, flow.discarded, flow.cancelled, flow.deleted
      FROM json_each($1) AS given
     CROSS JOIN staffa_flows AS flow
     WHERE flow.id = given.value
       AND flow.finished_at IS NOT NULL
     UNION ALL
    SELECT tree.top, flow.id, flow.discarded, flow.cancelled, flow.deleted
      FROM tree
     CROSS JOIN staffa_flows AS flow
     WHERE flow.parent = tree.id
)
SELECT tree.top AS id, max(tree.discarded) > 0 AS discarded, max(tree.cancelled) > 0 AS cancelled,
       max(tree.deleted) > 0 AS deleted
  FROM tree
 GROUP BY tree.top;
