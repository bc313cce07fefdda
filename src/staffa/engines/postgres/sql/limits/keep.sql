-- Note how far the partitions of a queue were served, and jobs without a key were looked for.
-- $1 text: queue, $2 text: cursors, $3 text: sweep, both JSON objects.
-- Locks: the row, which lock.sql has taken. Index: the primary key.
UPDATE :"prefix".staffa_limits AS known
   SET cursors = $2::text::jsonb,
       sweep = $3::text::jsonb
 WHERE known.queue = $1::text
RETURNING known.queue;
