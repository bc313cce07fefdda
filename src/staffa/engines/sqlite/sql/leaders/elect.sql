-- Become or stay the leader for $4 seconds, if nobody else holds a lease; a row comes back if so.
-- $1: instance name, $2: node, $3: producer, $4: seconds.
-- Index: the primary key.
WITH clock AS MATERIALIZED (
    SELECT staffa_now() AS now
)
INSERT INTO staffa_leaders (name, node, producer, elected_at, expires_at)
SELECT $1, $2, $3, clock.now, staffa_add(clock.now, $4)
  FROM clock
 WHERE true
    ON CONFLICT (name) DO UPDATE
   SET node = excluded.node,
       producer = excluded.producer,
       elected_at = CASE WHEN producer = excluded.producer THEN elected_at
                         ELSE excluded.elected_at END,
       expires_at = excluded.expires_at
 WHERE producer = excluded.producer
    OR expires_at < excluded.elected_at
RETURNING producer;
