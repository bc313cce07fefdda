-- Merge into the options of a flow.
-- $1: the flow, $2: a JSON object.
-- Index: the primary key.
UPDATE staffa_flows
   SET options = staffa_merge(options, $2)
 WHERE id = $1
RETURNING id;
