-- Read which flow of a key goes on.
-- $1: the key.
-- Index: staffa_flows_once.
SELECT flow.id
  FROM staffa_flows AS flow
 WHERE flow.once = $1
   AND flow.once IS NOT NULL
   AND flow.finished_at IS NULL;
