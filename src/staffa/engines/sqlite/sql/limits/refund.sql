-- Forget what was spent of a queue's rate limit.
-- $1: queue, $2: the key of a partition, or null for all.
-- Index: the primary key.
DELETE FROM staffa_rates
 WHERE queue = $1
   AND ($2 IS NULL OR key = $2)
RETURNING key;
