-- Note that a node declares entries, and whether it is the first: then that is a boot of theirs. Those
-- that were made at run time are known to every node.
-- $1: instance, $2: names, a JSON array, $3: producer, $4: seconds without a heartbeat after which a
-- producer counts as dead.
-- A boot is later than the last tick, so that it is due whatever the clock has done.
-- Index: the primary keys.
WITH clock AS MATERIALIZED (
    SELECT staffa_now() AS now
)
UPDATE staffa_crons AS cron
   SET booted_at = CASE WHEN EXISTS (
                                 SELECT 1
                                   FROM json_each(cron.producers) AS declared
                                   LEFT JOIN staffa_producers AS other ON other.uuid = declared.value
                                  WHERE declared.value = $3
                                     OR other.beat_at > staffa_add((SELECT clock.now FROM clock), -$4)
                             )
                        THEN cron.booted_at
                        ELSE max((SELECT clock.now FROM clock), staffa_after(cron.last_tick)) END,
       producers = (
           SELECT json_group_array(known.uuid)
             FROM (SELECT declared.value AS uuid
                     FROM json_each(cron.producers) AS declared
                     JOIN staffa_producers AS living ON living.uuid = declared.value
                    WHERE declared.value <> $3
                    UNION ALL
                   SELECT $3) AS known
       ),
       seen_at = (SELECT clock.now FROM clock)
 WHERE cron.instance = $1
   AND (cron.dynamic OR cron.name IN (SELECT given.value FROM json_each($2) AS given))
RETURNING name;
