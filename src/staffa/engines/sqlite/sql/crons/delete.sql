-- Delete an entry, unless a living process declares it.
-- $1: instance, $2: name, $3: seconds without a heartbeat after which a producer counts as dead.
-- Index: the primary keys.
WITH clock AS MATERIALIZED (
    SELECT staffa_now() AS now
)
DELETE FROM staffa_crons
 WHERE instance = $1
   AND name = $2
   AND (dynamic OR NOT EXISTS (
           SELECT 1
             FROM json_each(staffa_crons.producers) AS declared
             JOIN staffa_producers AS other ON other.uuid = declared.value
            WHERE other.beat_at > staffa_add((SELECT clock.now FROM clock), -$3)
       ))
RETURNING name;
