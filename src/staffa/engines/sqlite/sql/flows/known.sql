-- Read where flows belong, those of which there are.
-- $1: a JSON array of their ids.
-- Index: the primary key.
SELECT flow.id, flow.root, flow.parent
  FROM json_each($1) AS given
 CROSS JOIN staffa_flows AS flow
 WHERE flow.id = given.value;
