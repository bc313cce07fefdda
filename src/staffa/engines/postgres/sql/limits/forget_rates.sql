-- Forget what was spent so long ago that it does not count any more: of a limit that is known, two of its
-- periods besides the age.
-- $1 float8: seconds.
-- Locks: the rows it deletes; what others hold is skipped. Index: none, the pruner reads them seldom.
DELETE FROM :"prefix".staffa_rates AS rate
 WHERE (rate.queue, rate.key) IN (
           SELECT old.queue, old.key
             FROM :"prefix".staffa_rates AS old
             LEFT JOIN :"prefix".staffa_limits AS known ON known.queue = old.queue
            WHERE old.spent_at < timezone('UTC', now()) - make_interval(
                      secs => $1::float8
                              + 2 * coalesce((known.options #>> '{rate_limit,period}')::float8, 0))
            ORDER BY old.queue, old.key
              FOR UPDATE OF old SKIP LOCKED
       )
RETURNING rate.key;
