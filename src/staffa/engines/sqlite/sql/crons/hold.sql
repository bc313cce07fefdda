-- Read entries that are about to be changed in the same transaction, beside which nobody writes.
-- $1: instance, $2: names, a JSON array; null for all of the instance, $3: seconds without a heartbeat
-- after which producers count as dead.
-- Times long before or after ours are cut: Python can't tell some of them, and they matter to nobody.
-- Index: the primary keys.
WITH clock AS MATERIALIZED (
    SELECT staffa_now() AS now
)
SELECT clock.now AS read_at, cron.name, cron.expression, cron.timezone, cron.dst, cron.guaranteed,
       cron.paused, cron.dynamic, cron.worker, cron.args, cron.options, cron.configured,
       cron.last_job_id,
       cron.dynamic OR EXISTS (
           SELECT 1
             FROM json_each(cron.producers) AS declared
             JOIN staffa_producers AS other ON other.uuid = declared.value
            WHERE other.beat_at > staffa_add(clock.now, -$3)
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
  JOIN staffa_crons AS cron
    ON cron.instance = $1
   AND ($2 IS NULL OR cron.name IN (SELECT given.value FROM json_each($2) AS given))
 ORDER BY cron.name;
