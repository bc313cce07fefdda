-- Read the limits of queues.
-- $1 text[]: queues, or null for all.
-- Locks: none. Index: none, there are few rows.
SELECT known.queue, known.options::text AS options
  FROM :"prefix".staffa_limits AS known
 WHERE $1::text[] IS NULL
    OR known.queue = ANY ($1::text[])
 ORDER BY known.queue;
