-- Note that a flow has its graft, if it has none yet.
-- $1 text: the flow.
-- Locks: the row; its root is locked before. Index: the primary key.
UPDATE :"prefix".staffa_flows
   SET grafted = true
 WHERE id = $1::text
   AND NOT grafted
RETURNING id;
