-- Delete what the configuration lacks: entries that were made at run time, and those that no living
-- process declares. It is the last step of registering, after declare.sql, where all entries of the
-- instance are held: only then does its snapshot show who has declared them before.
-- $1 text: instance, $2 uuid: the producer that registers, $3 float8: seconds without a heartbeat
-- after which other producers count as dead.
-- Locks: the rows of the entries, which hold.sql holds already. Index: the primary key.
DELETE FROM :"prefix".staffa_crons AS cron
 WHERE cron.instance = $1::text
   AND (cron.dynamic OR NOT ($2::uuid = ANY (cron.producers) OR EXISTS (
           SELECT FROM :"prefix".staffa_producers AS other
            WHERE other.uuid = ANY (cron.producers)
              AND other.beat_at > timezone('UTC', clock_timestamp())
                                  - make_interval(secs => $3::float8)
       )))
RETURNING cron.name;
