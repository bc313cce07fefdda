-- Forget the limits of queues that no start of a process and no claim has used since any living process
-- began: until then one may have them. Those stay of which something is known that was spent: without
-- its period, that would be forgotten too early.
-- $1: seconds since then.
-- Index: the primary key of staffa_rates; there are few rows of limits.
DELETE FROM staffa_limits
 WHERE used_at < staffa_add(staffa_now(), -$1)
   AND NOT EXISTS (SELECT 1 FROM staffa_rates AS rate WHERE rate.queue = staffa_limits.queue)
   AND NOT EXISTS (SELECT 1
                     FROM staffa_producers AS producer
                    WHERE producer.started_at <= staffa_limits.used_at)
RETURNING queue;
