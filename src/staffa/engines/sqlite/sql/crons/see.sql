-- Note that entries are still declared.
-- $1: instance, $2: seconds without a heartbeat after which a producer counts as dead.
-- Index: the primary keys.
WITH clock AS MATERIALIZED (
    SELECT staffa_now() AS now
)
UPDATE staffa_crons
   SET seen_at = (SELECT clock.now FROM clock)
 WHERE instance = $1
   AND EXISTS (
           SELECT 1
             FROM json_each(staffa_crons.producers) AS declared
             JOIN staffa_producers AS other ON other.uuid = declared.value
            WHERE other.beat_at > staffa_add((SELECT clock.now FROM clock), -$2)
       );
