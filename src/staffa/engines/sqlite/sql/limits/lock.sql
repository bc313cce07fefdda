-- Read the limits of a queue, in a transaction that alone may write.
-- $1: queue.
-- Index: the primary key.
SELECT options, cursors, sweep, used_at, staffa_now() AS read_at
  FROM staffa_limits
 WHERE queue = $1;
