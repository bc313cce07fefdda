-- Read where flows belong, and whether they have ended, of those that there are.
-- $1: a JSON array of their ids.
-- Index: the primary key.
SELECT flow.id, flow.root, flow.parent, flow.finished_at IS NOT NULL AS ended
  FROM json_each($1) AS given
 CROSS JOIN staffa_flows AS flow
 WHERE flow.id = given.value;
