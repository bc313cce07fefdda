-- Write the limits of queues, as a node tells them. Where a queue is divided in another way from now on,
-- all that was known of its partitions begins anew.
-- $1 text: a JSON array of objects: queue, options, fields.
-- Locks: the rows, in the order of the queues. Index: the primary key.
INSERT INTO :"prefix".staffa_limits AS known (queue, options, fields)
SELECT told.queue, told.options, told.fields
  FROM json_to_recordset($1::text::json) AS told (queue text, options jsonb, fields text[])
 ORDER BY told.queue
ON CONFLICT (queue) DO UPDATE
   SET options = excluded.options,
       fields = excluded.fields,
       cursors = CASE WHEN known.fields = excluded.fields THEN known.cursors ELSE '{}' END,
       sweep = '{}',
       changed_at = CASE WHEN known.options = excluded.options THEN known.changed_at
                         ELSE excluded.changed_at END,
       used_at = greatest(excluded.used_at, known.used_at + interval '1 microsecond')
RETURNING known.queue;
