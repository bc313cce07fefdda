-- Read the roots of flows; nobody else writes meanwhile, so there is nothing to lock.
-- $1: a JSON array of flows.
-- Index: the primary key.
SELECT flow.id, flow.root, 1 AS locked
  FROM json_each($1) AS given
 CROSS JOIN staffa_flows AS flow
 WHERE flow.id = given.value;
