-- Note that entries are still declared, and forget those that nobody has declared for long. Those
-- that were made at run time stay.
-- $1 text: instance, $2 float8: seconds without a heartbeat after which a producer counts as dead,
-- $3 float8: seconds after which an entry is forgotten.
-- Locks: their rows; what others hold is skipped. Index: the primary key.
WITH entry AS MATERIALIZED (
    SELECT cron.name, cron.seen_at, clock.now, cron.dynamic OR EXISTS (
               SELECT FROM :"prefix".staffa_producers AS other
                WHERE other.uuid = ANY (cron.producers)
                  AND other.beat_at > clock.now - make_interval(secs => $2::float8)
           ) AS active
      FROM (SELECT timezone('UTC', clock_timestamp()) AS now) AS clock
      JOIN :"prefix".staffa_crons AS cron
        ON cron.instance = $1::text
     ORDER BY cron.name
       FOR UPDATE OF cron SKIP LOCKED
), seen AS (
    UPDATE :"prefix".staffa_crons AS cron
       SET seen_at = entry.now
      FROM entry
     WHERE cron.instance = $1::text
       AND cron.name = entry.name
       AND entry.active
)
DELETE FROM :"prefix".staffa_crons AS cron
 USING entry
 WHERE cron.instance = $1::text
   AND cron.name = entry.name
   AND NOT entry.active
   AND entry.seen_at < entry.now - make_interval(secs => $3::float8)
RETURNING cron.name;
