-- Forget entries that nobody has declared for long; see.sql has noted the others in the same
-- transaction. Those that were made at run time stay.
-- $1: instance, $2: seconds after which an entry is forgotten.
-- Index: the primary key.
WITH clock AS MATERIALIZED (
    SELECT staffa_now() AS now
)
DELETE FROM staffa_crons
 WHERE instance = $1
   AND NOT dynamic
   AND seen_at < staffa_add((SELECT clock.now FROM clock), -$2)
RETURNING name;
