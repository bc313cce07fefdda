-- Delete what the configuration lacks: entries that were made at run time, and those that no living
-- process declares. It is the last step of registering, after declare.sql.
-- $1: instance, $2: the producer that registers, $3: seconds without a heartbeat after which other
-- producers count as dead.
-- Index: the primary keys.
WITH clock AS MATERIALIZED (
    SELECT staffa_now() AS now
)
DELETE FROM staffa_crons
 WHERE instance = $1
   AND (dynamic OR NOT EXISTS (
           SELECT 1
             FROM json_each(staffa_crons.producers) AS declared
             LEFT JOIN staffa_producers AS other ON other.uuid = declared.value
            WHERE declared.value = $2
               OR other.beat_at > staffa_add((SELECT clock.now FROM clock), -$3)
       ))
RETURNING name;
