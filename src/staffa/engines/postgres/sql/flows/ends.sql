-- Read in which ways flows have ended, those that have: in which jobs in them have, those of flows inside of them
-- among them.
-- $1 text[]: the flows.
-- Locks: none: the roots are locked before. Index: the primary key, staffa_flows_parent.
-- OFFSET 0 has the index asked for each flow: the planner takes the tables of flows for small.
WITH RECURSIVE tree AS (
    SELECT flow.id AS top, flow.id, flow.discarded, flow.cancelled, flow.deleted
      FROM :"prefix".staffa_flows AS flow
     WHERE flow.id = ANY ((SELECT $1::text[])::text[])
       AND flow.finished_at IS NOT NULL
     UNION ALL
    SELECT tree.top, flow.id, flow.discarded, flow.cancelled, flow.deleted
      FROM tree
     CROSS JOIN LATERAL (
               SELECT part.*
                 FROM :"prefix".staffa_flows AS part
                WHERE part.parent = tree.id
               OFFSET 0
           ) AS flow
)
SELECT tree.top AS id, max(tree.discarded) > 0 AS discarded, max(tree.cancelled) > 0 AS cancelled,
       max(tree.deleted) > 0 AS deleted
  FROM tree
 GROUP BY tree.top;
