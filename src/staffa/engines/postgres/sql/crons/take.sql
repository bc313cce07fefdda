-- Take a tick, unless it or a later one was taken, or the entry is paused. The insert of its job follows
-- in the same transaction, so that the tick is taken if and only if the job is there.
-- $1 text: instance, $2 text: name, $3 timestamptz: the tick.
-- Locks: the row of the entry, until the job is committed. Index: the primary key.
UPDATE :"prefix".staffa_crons
   SET last_tick = timezone('UTC', $3::timestamptz)
 WHERE instance = $1::text
   AND name = $2::text
   AND NOT paused
   AND last_tick < timezone('UTC', $3::timestamptz)
RETURNING name;
