-- Forget entries that nobody has declared for long; see.sql has noted the others in the same
-- transaction. Those that were made at run time stay.
-- $1: instance, $2: seconds without a heartbeat after which a producer counts as dead, $3: seconds
-- after which an entry is forgotten.
-- Index: the primary keys.
WITH clock AS MATERIALIZED (
    SELECT staffa_now() AS now
)
DELETE FROM staffa_crons
 WHERE instance = $1
   AND NOT dynamic
   AND seen_at < staffa_add((SELECT clock.now FROM clock), -$3)
   AND NOT EXISTS (
           SELECT 1
             FROM json_each(staffa_crons.producers) AS declared
             JOIN staffa_producers AS other ON other.uuid = declared.value
            WHERE other.beat_at > staffa_add((SELECT clock.now FROM clock), -$2)
       )
RETURNING name;
