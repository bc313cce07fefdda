-- Read the producers of all instances, for how long each has been silent, and which of them lead.
-- Locks: none. Index: none, both tables have a row for each process.
SELECT producer.uuid, producer.name, producer.node,
       producer.started_at AT TIME ZONE 'UTC' AS started_at,
       extract(epoch FROM timezone('UTC', clock_timestamp()) - producer.beat_at)::float8 AS silent,
       leader.producer IS NOT NULL AS leads
  FROM :"prefix".staffa_producers AS producer
  LEFT JOIN :"prefix".staffa_leaders AS leader
    ON leader.name = producer.name
   AND leader.producer = producer.uuid
   AND leader.expires_at > timezone('UTC', clock_timestamp())
 ORDER BY producer.name, producer.node, producer.started_at, producer.uuid;
