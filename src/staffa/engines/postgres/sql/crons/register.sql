-- Write the entries that a node declares. It is the first half of registering: declare.sql follows in
-- the same transaction, under the locks that this takes.
-- A new entry starts now: nothing of the past is due. So does one whose times have changed.
-- $1 text: instance, $2 text: a JSON array of objects with the columns below.
-- Locks: the rows of the entries, in the order of their names. Index: the primary key.
INSERT INTO :"prefix".staffa_crons AS cron
    (instance, name, expression, timezone, dst, worker, args, options)
SELECT $1::text, entry.name, entry.expression, entry.timezone, entry.dst, entry.worker, entry.args,
       entry.options
  FROM json_to_recordset($2::text::json) AS entry (
           name text, expression text, timezone text, dst text, worker text, args jsonb,
           options jsonb
       )
 ORDER BY entry.name
ON CONFLICT (instance, name) DO UPDATE
   SET expression = excluded.expression,
       timezone = excluded.timezone,
       dst = excluded.dst,
       worker = excluded.worker,
       args = excluded.args,
       options = excluded.options,
       last_tick = CASE WHEN (cron.expression, cron.timezone, cron.dst)
                             = (excluded.expression, excluded.timezone, excluded.dst)
                        THEN cron.last_tick
                        ELSE greatest(cron.last_tick, excluded.last_tick) END,
       updated_at = CASE WHEN (cron.expression, cron.timezone, cron.dst, cron.worker, cron.args,
                               cron.options)
                              = (excluded.expression, excluded.timezone, excluded.dst,
                                 excluded.worker, excluded.args, excluded.options)
                         THEN cron.updated_at
                         ELSE excluded.updated_at END,
       seen_at = excluded.seen_at
RETURNING cron.name;
