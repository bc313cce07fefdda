-- Lease the other jobs of chunks whose first ones a claim under limits has leased in this transaction. All
-- get the key of the first one's partition and are marked with its id, the first one included, so that
-- they count as one.
-- $1: a JSON array of id, the first one's, and the key of its partition; $2: queue, $3: node, $4: producer
-- uuid, $5: the time of the claim.
-- Index: the primary key.
WITH given AS MATERIALIZED (
    SELECT told.value ->> '$[0]' AS id, told.value ->> '$[1]' AS head, told.value ->> '$[2]' AS key
      FROM json_each($1) AS told
)
UPDATE oban_jobs
   SET attempt = attempt + (state = 'available'),
       attempted_at = $5,
       attempted_by = json_array($3, $4),
       meta = staffa_merge(meta, coalesce(
           (SELECT json_object('staffa_chunk', given.head, 'partition_key', given.key)
              FROM given
             WHERE given.id = oban_jobs.id),
           json_object('staffa_chunk', oban_jobs.id))),
       state = 'executing'
 WHERE id IN (
           SELECT job.id
             FROM given
            CROSS JOIN oban_jobs AS job
            WHERE job.id = given.id
              AND +job.state = 'available'
              AND +job.queue = $2
              AND job.attempt < job.max_attempts
            UNION
           SELECT given.head
             FROM given
       )
RETURNING id, worker, args, meta, tags, priority, attempt, max_attempts,
          CASE WHEN attempt > 1 THEN errors END AS errors, inserted_at, scheduled_at, attempted_at;
