-- Forget the limits of queues that no start of a node and no claim has used since any living process
-- began: until then one may have them. Those stay of which something is known that was spent: without
-- its period, that would be forgotten too early.
-- $1 float8: seconds since then.
-- Locks: the rows it deletes; what others hold is skipped. Index: the primary keys; there are few rows of limits.
DELETE FROM :"prefix".staffa_limits AS known
 WHERE known.queue = ANY (ARRAY(
           SELECT old.queue
             FROM :"prefix".staffa_limits AS old
            WHERE old.used_at < timezone('UTC', now()) - make_interval(secs => $1::float8)
              AND NOT EXISTS (
                      SELECT FROM :"prefix".staffa_rates AS rate
                       WHERE rate.queue = old.queue
                  )
              AND NOT EXISTS (
                      SELECT FROM :"prefix".staffa_producers AS producer
                       WHERE producer.started_at <= old.used_at
                  )
            ORDER BY old.queue
              FOR UPDATE SKIP LOCKED
       ))
RETURNING known.queue;
