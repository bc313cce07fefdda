-- Show that a producer is alive, and read the heartbeats of the others.
-- $1 uuid, $2 text: instance name, $3 text: node.
-- Locks: its own row. Index: the primary key.
WITH own AS (
    INSERT INTO :"prefix".staffa_producers AS producer (uuid, name, node)
    VALUES ($1::uuid, $2::text, $3::text)
    ON CONFLICT (uuid) DO UPDATE
       SET beats = producer.beats + 1,
           beat_at = timezone('UTC', clock_timestamp())
)
SELECT uuid, beats
  FROM :"prefix".staffa_producers
 WHERE uuid <> $1::uuid;
