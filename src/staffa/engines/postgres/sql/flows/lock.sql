-- Lock the roots of flows, before anything in them is changed, and tell of each flow whether its root is locked.
-- $1 text[]: the flows.
-- Locks: the rows of the roots, in the order of their ids; where they must not be waited for, those that
-- others hold are skipped. Index: the primary key.
WITH named AS MATERIALIZED (
    SELECT flow.id, flow.root
      FROM unnest((SELECT $1::text[])) AS given (id)
      JOIN :"prefix".staffa_flows AS flow ON flow.id = given.id
), locked AS MATERIALIZED (
    SELECT flow.id
      FROM :"prefix".staffa_flows AS flow
     WHERE flow.id = ANY (ARRAY(SELECT DISTINCT named.root FROM named))
     ORDER BY flow.id
       FOR UPDATE OF flow /* SKIP LOCKED */
)
SELECT named.id, named.root, named.root IN (SELECT locked.id FROM locked) AS locked
  FROM named;
