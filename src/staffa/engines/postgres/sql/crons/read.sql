-- Read the entries of an instance, and the clock by which their ticks are judged; a row without a
-- name comes back where there are none.
-- $1 text: instance, $2 uuid: the producer that reads or null, $3 float8: seconds without a heartbeat
-- after which other producers count as dead.
-- Times long before or after ours are cut: Python can't tell some of them, and they matter to nobody.
-- Locks: none. Index: the primary key.
SELECT clock.now AT TIME ZONE 'UTC' AS read_at,
       cron.name, cron.expression, cron.timezone, cron.dst, cron.guaranteed, cron.paused, cron.dynamic,
       cron.worker, cron.args::text AS args, cron.options::text AS options, cron.last_job_id,
       cron.dynamic OR coalesce($2::uuid = ANY (cron.producers), false) OR EXISTS (
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
  LEFT JOIN :"prefix".staffa_crons AS cron
    ON cron.instance = $1::text
 ORDER BY cron.name;
