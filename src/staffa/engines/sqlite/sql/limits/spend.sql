-- Write what was spent of rate limits, and until when nothing can start, or null.
-- $1: a JSON array of key, meter and until when; $2: queue.
-- Index: the primary key.
WITH clock AS MATERIALIZED (
    SELECT staffa_now() AS now
)
INSERT INTO staffa_rates (queue, key, meter, free_at, spent_at)
SELECT $2, given.value ->> '$[0]', given.value ->> '$[1]', given.value ->> '$[2]', clock.now
  FROM clock
 CROSS JOIN json_each($1) AS given
 WHERE true
    ON CONFLICT (queue, key) DO UPDATE
   SET meter = excluded.meter,
       free_at = excluded.free_at,
       spent_at = excluded.spent_at
RETURNING key;
