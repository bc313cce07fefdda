-- Forget what was spent of a queue's rate limit.
-- $1 text: queue, $2 text: the key of a partition, or null for all.
-- Locks: the rows; lock.sql has kept all others away. Index: the primary key.
DELETE FROM :"prefix".staffa_rates AS rate
 WHERE rate.queue = $1::text
   AND ($2::text IS NULL OR rate.key = $2::text)
RETURNING rate.key;
