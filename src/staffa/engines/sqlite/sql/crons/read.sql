-- Read the entries of an instance, and the clock by which their ticks are judged; a row without a
-- name comes back where there are none.
-- $1: instance, $2: the producer that reads or null, $3: seconds without a heartbeat after which other
-- producers count as dead.
-- Times long before or after ours are cut: Python can't tell some of them, and they matter to nobody.
-- Index: the primary keys.
WITH clock AS MATERIALIZED (
    SELECT staffa_now() AS now
)
SELECT clock.now AS read_at, cron.name, cron.expression, cron.timezone, cron.dst, cron.guaranteed,
       cron.paused, cron.dynamic, cron.worker, cron.args, cron.options, cron.last_job_id,
       cron.dynamic OR EXISTS (
           SELECT 1
             FROM json_each(cron.producers) AS declared
             LEFT JOIN staffa_producers AS other ON other.uuid = declared.value
            WHERE declared.value = $2
               OR other.beat_at > staffa_add(clock.now, -$3)
       ) AS active,
       min(max(cron.last_tick, '1970-01-01 00:00:00.000000'), '9900-01-01 00:00:00.000000')
           AS last_tick,
       min(max(cron.last_run, '1970-01-01 00:00:00.000000'), '9900-01-01 00:00:00.000000')
           AS last_run,
       min(max(cron.booted_at, '1970-01-01 00:00:00.000000'), '9900-01-01 00:00:00.000000')
           AS booted_at,
       min(max(cron.registered_at, '1970-01-01 00:00:00.000000'), '9900-01-01 00:00:00.000000')
           AS registered_at,
       min(max(cron.updated_at, '1970-01-01 00:00:00.000000'), '9900-01-01 00:00:00.000000')
           AS updated_at
  FROM clock
  LEFT JOIN staffa_crons AS cron ON cron.instance = $1
 ORDER BY cron.name;
