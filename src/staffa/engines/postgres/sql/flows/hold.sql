-- Lock roots, and tell which of them there are.
-- $1 text[]: their ids.
-- Locks: the rows, in the order of their ids; they are waited for. Index: the primary key.
SELECT flow.id
  FROM :"prefix".staffa_flows AS flow
 WHERE flow.id = ANY ((SELECT $1::text[])::text[])
 ORDER BY flow.id
   FOR UPDATE;
