-- Read flows, and those that they are inside of.
-- $1 text[]: the flows.
-- Locks: none. Index: the primary key.
WITH RECURSIVE tree AS (
    SELECT flow.id, flow.parent
      FROM :"prefix".staffa_flows AS flow
     WHERE flow.id = ANY ((SELECT $1::text[])::text[])
     UNION
    SELECT flow.id, flow.parent
      FROM tree
      JOIN :"prefix".staffa_flows AS flow ON flow.id = tree.parent
)
SELECT tree.id
  FROM tree
 ORDER BY tree.id;
