-- Read where flows belong, and whether they have ended, of those that there are.
-- $1 text[]: their ids.
-- Locks: none. Index: the primary key.
SELECT flow.id, flow.root, flow.parent, flow.finished_at IS NOT NULL AS ended
  FROM :"prefix".staffa_flows AS flow
 WHERE flow.id = ANY ((SELECT $1::text[])::text[]);
