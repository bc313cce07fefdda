-- Read which flow of a key goes on.
-- $1 text: the key.
-- Locks: none. Index: staffa_flows_once.
SELECT flow.id
  FROM :"prefix".staffa_flows AS flow
 WHERE flow.once = $1::text
   AND flow.finished_at IS NULL;
