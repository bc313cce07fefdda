-- Write what was spent of rate limits, and until when nothing can start, or null.
-- $1 text: queue, $2 text[]: keys, $3 text[]: meters, JSON objects, $4 timestamptz[]: until when.
-- Locks: the rows; lock.sql has kept all others away. Index: the primary key.
INSERT INTO :"prefix".staffa_rates AS rate (queue, key, meter, free_at)
SELECT $1::text, given.key, given.meter::jsonb, timezone('UTC', given.free_at)
  FROM unnest($2::text[], $3::text[], $4::timestamptz[]) AS given (key, meter, free_at)
 ORDER BY given.key
ON CONFLICT (queue, key) DO UPDATE
   SET meter = excluded.meter,
       free_at = excluded.free_at,
       spent_at = excluded.spent_at
RETURNING rate.key;
