-- Merge into the options of a flow.
-- $1 text: the flow, $2 text: a JSON object.
-- Locks: the row. Index: the primary key.
UPDATE :"prefix".staffa_flows
   SET options = options || $2::text::jsonb
 WHERE id = $1::text
RETURNING id;
