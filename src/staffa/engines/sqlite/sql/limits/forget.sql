-- Forget the limits of queues that no start of a process and no claim has used.
-- $1: seconds since then.
-- Index: none, there are few rows.
DELETE FROM staffa_limits
 WHERE used_at < staffa_add(staffa_now(), -$1)
RETURNING queue;
