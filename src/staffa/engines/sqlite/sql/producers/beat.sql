-- Show that a producer is alive.
-- $1: uuid, $2: instance name, $3: node.
-- Index: the primary key.
WITH clock AS MATERIALIZED (
    SELECT staffa_now() AS now
)
INSERT INTO staffa_producers (uuid, name, node, started_at, beat_at)
SELECT $1, $2, $3, clock.now, clock.now
  FROM clock
 WHERE true
    ON CONFLICT (uuid) DO UPDATE
   SET beats = beats + 1,
       beat_at = excluded.beat_at;
