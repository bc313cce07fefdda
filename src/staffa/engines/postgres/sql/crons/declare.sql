-- Note that a node declares entries, and whether it is the first: then that is a boot of theirs. Those
-- that were made at run time are known to every node.
-- It must be a statement of its own, after hold.sql: only then does its snapshot show the signs of
-- life of all who have declared them before and whom it has waited for.
-- $1 text: instance, $2 text[]: names, $3 uuid: producer, $4 float8: seconds without a heartbeat
-- after which a producer counts as dead.
-- A boot is later than the last tick, so that it is due whatever the clock has done.
-- Locks: the rows of the entries, which hold.sql holds already. Index: the primary key.
UPDATE :"prefix".staffa_crons AS cron
   SET booted_at = CASE WHEN $3::uuid = ANY (cron.producers)
                          OR EXISTS (
                                 SELECT FROM :"prefix".staffa_producers AS other
                                  WHERE other.uuid = ANY (cron.producers)
                                    AND other.beat_at > timezone('UTC', clock_timestamp())
                                                        - make_interval(secs => $4::float8)
                             )
                        THEN cron.booted_at
                        ELSE greatest(timezone('UTC', clock_timestamp()),
                                      cron.last_tick + interval '1 microsecond') END,
       producers = ARRAY(
           SELECT known.uuid
             FROM :"prefix".staffa_producers AS known
            WHERE known.uuid = ANY (cron.producers)
              AND known.uuid <> $3::uuid
            ORDER BY known.uuid
       ) || $3::uuid,
       seen_at = timezone('UTC', clock_timestamp())
 WHERE cron.instance = $1::text
   AND (cron.name = ANY ($2::text[]) OR cron.dynamic)
RETURNING cron.name;
