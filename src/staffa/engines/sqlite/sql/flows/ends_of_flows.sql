-- Read in which ways flows have ended that something still waits for: in which jobs in them have, those of flows
-- inside of them among them.
-- $1: a JSON array of flows.
-- Index: staffa_edges_needs_flow, staffa_flows_parent, the primary key.
WITH RECURSIVE tree (top, id, discarded, cancelled, deleted) AS (
    SELECT flow.id, flow.id, flow.discarded, flow.cancelled, flow.deleted
      FROM json_each($1) AS given
     CROSS JOIN staffa_flows AS flow
     WHERE flow.id = given.value
       AND EXISTS (
               SELECT 1 FROM staffa_edges AS edge
                WHERE edge.needs_flow = flow.id AND edge.ended IS NULL
           )
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
