-- Read entries that are about to be changed, and keep others from changing them or taking their ticks.
-- What is written then follows in the same transaction; it counts from the time that is read here.
-- $1 text: instance, $2 text[]: names; null for all of the instance, $3 float8: seconds without a
-- heartbeat after which producers count as dead.
-- Times long before or after ours are cut: Python can't tell some of them, and they matter to nobody.
-- Locks: the rows of the entries, in the order of their names. Index: the primary key.
SELECT clock.now AT TIME ZONE 'UTC' AS read_at,
       cron.name, cron.expression, cron.timezone, cron.dst, cron.guaranteed, cron.paused, cron.dynamic,
       cron.worker, cron.args::text AS args, cron.options::text AS options,
       cron.configured::text AS configured, cron.last_job_id,
       cron.dynamic OR EXISTS (
           SELECT FROM :"prefix".staffa_producers AS other
            WHERE other.uuid = ANY (cron.producers)
              AND other.beat_at > clock.now - make_interval(secs => $3::float8)
       ) AS active,
       least(greatest(cron.last_tick, timestamp '1970-01-01'), timestamp '9900-01-01')
           AT TIME ZONE 'UTC' AS last_tick,
       CASE WHEN cron.last_run IS NOT NULL
            THEN least(greatest(cron.last_run, timestamp '1970-01-01'), timestamp '9900-01-01')
                     AT TIME ZONE 'UTC' END AS last_run,
       least(greatest(cron.booted_at, timestamp '1970-01-01'), timestamp '9900-01-01')
           AT TIME ZONE 'UTC' AS booted_at,
       least(greatest(cron.registered_at, timestamp '1970-01-01'), timestamp '9900-01-01')
           AT TIME ZONE 'UTC' AS registered_at,
       least(greatest(cron.updated_at, timestamp '1970-01-01'), timestamp '9900-01-01')
           AT TIME ZONE 'UTC' AS updated_at
  FROM (SELECT timezone('UTC', clock_timestamp()) AS now) AS clock
  JOIN :"prefix".staffa_crons AS cron
    ON cron.instance = $1::text
   AND ($2::text[] IS NULL OR cron.name = ANY ($2::text[]))
 ORDER BY cron.name
   FOR UPDATE OF cron;
