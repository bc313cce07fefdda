-- Delete an entry, unless a living process declares it. It must be a statement of its own, after
-- hold.sql: only then does its snapshot show the signs of life of those whom it has waited for.
-- $1 text: instance, $2 text: name, $3 float8: seconds without a heartbeat after which a producer
-- counts as dead.
-- Locks: the row of the entry, which hold.sql holds already. Index: the primary key.
DELETE FROM :"prefix".staffa_crons AS cron
 WHERE cron.instance = $1::text
   AND cron.name = $2::text
   AND (cron.dynamic OR NOT EXISTS (
           SELECT FROM :"prefix".staffa_producers AS other
            WHERE other.uuid = ANY (cron.producers)
              AND other.beat_at > timezone('UTC', clock_timestamp())
                                  - make_interval(secs => $3::float8)
       ))
RETURNING cron.name;
