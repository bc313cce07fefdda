-- Read the limits of queues.
-- $1: queues, a JSON array, or null for all.
-- Index: none, there are few rows.
SELECT queue, options
  FROM staffa_limits
 WHERE $1 IS NULL
    OR queue IN (SELECT given.value FROM json_each($1) AS given)
 ORDER BY queue;
