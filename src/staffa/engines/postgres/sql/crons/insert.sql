-- Write entries that are not there yet; those that are stay as they are.
-- A new entry starts now: nothing of the past is due. One that is made at run time is known to all
-- processes that live: it waits for the next boot, not for theirs.
-- $1 text: instance, $2 text: a JSON array of objects with the columns below, $3 float8: seconds
-- without a heartbeat after which a producer counts as dead.
-- Locks: none but new rows, in the order of their names. Index: the primary key.
WITH clock AS MATERIALIZED (
    SELECT timezone('UTC', clock_timestamp()) AS now
)
INSERT INTO :"prefix".staffa_crons AS cron
    (instance, name, expression, timezone, dst, guaranteed, paused, worker, args, options,
     configured, dynamic, producers, last_tick, booted_at, registered_at, updated_at, seen_at)
SELECT $1::text, entry.name, entry.expression, entry.timezone, entry.dst, entry.guaranteed,
       entry.paused, entry.worker, entry.args, entry.options, entry.configured, entry.dynamic,
       CASE WHEN entry.dynamic
            THEN ARRAY(
                     SELECT living.uuid
                       FROM :"prefix".staffa_producers AS living
                      WHERE living.name = $1::text
                        AND living.beat_at > clock.now - make_interval(secs => $3::float8)
                      ORDER BY living.uuid
                 )
            ELSE '{}' END,
       clock.now, clock.now, clock.now, clock.now, clock.now
  FROM clock
 CROSS JOIN json_to_recordset($2::text::json) AS entry (
           name text, expression text, timezone text, dst text, guaranteed boolean, paused boolean,
           worker text, args jsonb, options jsonb, configured jsonb, dynamic boolean
       )
 ORDER BY entry.name
ON CONFLICT (instance, name) DO NOTHING
RETURNING cron.name;
