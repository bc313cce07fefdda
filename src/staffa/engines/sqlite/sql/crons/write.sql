-- Write entries that hold.sql has read in the same transaction, as they are from now on.
-- One whose times have changed, or that is resumed, begins with the time at which it was read.
-- $1: instance, $2: a JSON array of objects with the columns below, $3: when they were read.
-- Index: the primary key.
UPDATE staffa_crons
   SET expression = entry.value ->> '$.expression',
       timezone = entry.value ->> '$.timezone',
       dst = entry.value ->> '$.dst',
       guaranteed = entry.value ->> '$.guaranteed',
       paused = entry.value ->> '$.paused',
       worker = entry.value ->> '$.worker',
       args = entry.value -> '$.args',
       options = entry.value -> '$.options',
       configured = nullif(entry.value -> '$.configured', 'null'),
       dynamic = entry.value ->> '$.dynamic',
       last_tick = CASE WHEN entry.value ->> '$.restarts' THEN max(last_tick, $3) ELSE last_tick END,
       updated_at = CASE WHEN entry.value ->> '$.changed' THEN $3 ELSE updated_at END
  FROM json_each($2) AS entry
 WHERE instance = $1
   AND name = entry.value ->> '$.name'
RETURNING name;
