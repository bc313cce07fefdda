-- Read which of some flows have not ended.
-- $1: a JSON array of flows.
-- Index: the primary key.
SELECT flow.id
  FROM json_each($1) AS given
 CROSS JOIN staffa_flows AS flow
 WHERE flow.id = given.value
   AND flow.finished_at IS NULL;
