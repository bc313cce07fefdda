-- Lock the roots of flows, before anything in them is changed.
-- $1 text[]: the flows.
-- Locks: the rows of the roots, in the order of their ids; where they must not be waited for, those that
-- others hold are skipped. Index: the primary key.
WITH root AS MATERIALIZED (
    SELECT DISTINCT flow.root AS id
      FROM unnest((SELECT $1::text[])) AS given (id)
      JOIN :"prefix".staffa_flows AS flow ON flow.id = given.id
)
SELECT flow.id
  FROM :"prefix".staffa_flows AS flow
 WHERE flow.id = ANY (ARRAY(SELECT root.id FROM root))
 ORDER BY flow.id
   FOR UPDATE OF flow /* SKIP LOCKED */;
