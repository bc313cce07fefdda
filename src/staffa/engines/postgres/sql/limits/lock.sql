-- Take the limits of a queue: whoever else claims under them waits until this transaction ends. What
-- counts running jobs must be a statement after this one: only then does its snapshot show what the
-- others have claimed.
-- $1 text: queue.
-- Locks: the row. Index: the primary key.
SELECT known.options::text AS options, known.cursors::text AS cursors, known.sweep::text AS sweep,
       known.used_at AT TIME ZONE 'UTC' AS used_at, clock_timestamp() AS read_at
  FROM :"prefix".staffa_limits AS known
 WHERE known.queue = $1::text
   FOR UPDATE;
