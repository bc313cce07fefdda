-- Become or stay the leader for $4 seconds, if nobody else holds a lease; a row comes back if so.
-- $1 text: instance name, $2 text: node, $3 uuid: producer, $4 float8: seconds.
-- Locks: the leader's row. Index: the primary key.
INSERT INTO :"prefix".staffa_leaders AS leader (name, node, producer, elected_at, expires_at)
VALUES ($1::text, $2::text, $3::uuid, timezone('UTC', clock_timestamp()),
        timezone('UTC', clock_timestamp()) + make_interval(secs => $4::float8))
ON CONFLICT (name) DO UPDATE
   SET node = excluded.node,
       producer = excluded.producer,
       elected_at = CASE WHEN leader.producer = excluded.producer THEN leader.elected_at
                         ELSE excluded.elected_at END,
       expires_at = excluded.expires_at
 WHERE leader.producer = excluded.producer
    OR leader.expires_at < timezone('UTC', clock_timestamp())
RETURNING leader.producer;
