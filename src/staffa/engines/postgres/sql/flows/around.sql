-- Read flows, and those that they are inside of.
-- $1 text[]: the flows.
-- Locks: none. Index: the primary key.
-- OFFSET 0 has the index asked for each flow: the planner takes the tables of flows for small.
WITH RECURSIVE tree AS (
    SELECT flow.id, flow.parent
      FROM :"prefix".staffa_flows AS flow
     WHERE flow.id = ANY ((SELECT $1::text[])::text[])
     UNION
    SELECT flow.id, flow.parent
      FROM tree
     CROSS JOIN LATERAL (
               SELECT part.*
                 FROM :"prefix".staffa_flows AS part
                WHERE part.id = tree.parent
               OFFSET 0
           ) AS flow
)
SELECT tree.id
  FROM tree
 ORDER BY tree.id;
