-- Write entries that hold.sql has read in the same transaction, as they are from now on.
-- One whose times have changed, or that is resumed, begins with the time at which it was read.
-- $1 text: instance, $2 text: a JSON array of objects with the columns below, $3 timestamptz: when
-- they were read.
-- Locks: the rows of the entries, which hold.sql holds already. Index: the primary key.
UPDATE :"prefix".staffa_crons AS cron
   SET expression = entry.expression,
       timezone = entry.timezone,
       dst = entry.dst,
       guaranteed = entry.guaranteed,
       paused = entry.paused,
       worker = entry.worker,
       args = entry.args,
       options = entry.options,
       configured = entry.configured,
       dynamic = entry.dynamic,
       last_tick = CASE WHEN entry.restarts
                        THEN greatest(cron.last_tick, timezone('UTC', $3::timestamptz))
                        ELSE cron.last_tick END,
       updated_at = CASE WHEN entry.changed THEN timezone('UTC', $3::timestamptz)
                         ELSE cron.updated_at END
  FROM json_to_recordset($2::text::json) AS entry (
           name text, expression text, timezone text, dst text, guaranteed boolean, paused boolean,
           worker text, args jsonb, options jsonb, configured jsonb, dynamic boolean,
           restarts boolean, changed boolean
       )
 WHERE cron.instance = $1::text
   AND cron.name = entry.name
RETURNING cron.name;
