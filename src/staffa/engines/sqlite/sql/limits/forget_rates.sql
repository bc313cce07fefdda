-- Forget what was spent so long ago that it does not count any more: of a limit that is known, two of its
-- periods besides the age.
-- $1: seconds.
-- Index: none, the pruner reads them seldom.
DELETE FROM staffa_rates
 WHERE spent_at < staffa_add(staffa_now(), -$1 - 2 * coalesce((
           SELECT known.options ->> '$.rate_limit.period'
             FROM staffa_limits AS known
            WHERE known.queue = staffa_rates.queue), 0))
RETURNING key;
