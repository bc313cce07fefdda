-- Read the producers of all instances, for how long each has been silent, and which of them lead.
-- Index: the primary key of the leaders; the other table has a row for each process.
WITH clock AS MATERIALIZED (
    SELECT staffa_now() AS now
)
SELECT producer.uuid, producer.name, producer.node, producer.started_at,
       staffa_seconds(producer.beat_at, clock.now) AS silent, leader.producer IS NOT NULL AS leads
  FROM clock
 CROSS JOIN staffa_producers AS producer
  LEFT JOIN staffa_leaders AS leader
    ON leader.name = producer.name
   AND leader.producer = producer.uuid
   AND leader.expires_at > clock.now
 ORDER BY producer.name, producer.node, producer.started_at, producer.uuid;
