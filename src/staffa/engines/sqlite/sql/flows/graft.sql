-- Note that a flow has its graft, if it has none yet.
-- $1: the flow.
-- Index: the primary key.
UPDATE staffa_flows
   SET grafted = 1
 WHERE id = $1
   AND NOT grafted
RETURNING id;
