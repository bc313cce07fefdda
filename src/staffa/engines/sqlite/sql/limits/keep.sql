-- Note how far the partitions of a queue were served, and jobs without a key were looked for.
-- $1: queue, $2: cursors, $3: sweep, both JSON objects.
-- Index: the primary key.
UPDATE staffa_limits
   SET cursors = $2,
       sweep = $3,
       used_at = staffa_now()
 WHERE queue = $1
RETURNING queue;
