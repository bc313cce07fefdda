-- Read where flows belong, those of which there are.
-- $1 text[]: their ids.
-- Locks: none. Index: the primary key.
SELECT flow.id, flow.root, flow.parent
  FROM :"prefix".staffa_flows AS flow
 WHERE flow.id = ANY ((SELECT $1::text[])::text[]);
