-- Take a tick, unless it or a later one was taken, or the entry is paused. The insert of its job follows
-- in the same transaction, so that the tick is taken if and only if the job is there.
-- $1: instance, $2: name, $3: the tick.
-- Index: the primary key.
UPDATE staffa_crons
   SET last_tick = $3
 WHERE instance = $1
   AND name = $2
   AND NOT paused
   AND last_tick < $3
RETURNING name;
