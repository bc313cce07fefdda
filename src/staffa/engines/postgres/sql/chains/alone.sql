-- Wait until no other transaction looks whether chained jobs wait for themselves: each must see what the others
-- have written before it looks itself. There is a flow, the one that jobs were added to.
-- Locks: an advisory one of the schema, until the transaction ends. Index: none.
SELECT pg_advisory_xact_lock(hashtext('staffa.chains'), one.tableoid::int)
  FROM (SELECT flow.tableoid FROM :"prefix".staffa_flows AS flow LIMIT 1) AS one;
