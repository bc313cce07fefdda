-- Forget the limits of queues that no start of a node and no claim has used.
-- $1 float8: seconds since then.
-- Locks: the rows it deletes; what others hold is skipped. Index: the primary key, there are few rows.
DELETE FROM :"prefix".staffa_limits AS known
 WHERE known.queue = ANY (ARRAY(
           SELECT old.queue
             FROM :"prefix".staffa_limits AS old
            WHERE old.used_at < timezone('UTC', now()) - make_interval(secs => $1::float8)
            ORDER BY old.queue
              FOR UPDATE SKIP LOCKED
       ))
RETURNING known.queue;
