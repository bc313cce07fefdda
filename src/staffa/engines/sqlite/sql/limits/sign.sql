-- Give jobs the keys of their partitions.
-- $1: the ids, a JSON array, $2: fields, a JSON array.
-- Index: the primary key.
UPDATE oban_jobs
   SET meta = staffa_partitioned($2, worker, args, meta)
 WHERE id IN (SELECT given.value FROM json_each($1) AS given)
RETURNING id;
