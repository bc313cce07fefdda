-- Make due jobs available, and tell which of the caller's queues have work.
-- $1 int: limit, $2 text[]: queues.
-- Those of a queue with partitions get their key.
-- Locks: the rows it stages; rows that others hold are skipped.
-- Index: staffa_jobs_stage, the primary key, staffa_jobs_claim. now() is the start of this
-- statement's transaction; clock_timestamp() could not be a condition of an index. The first job of a
-- queue is asked for instead of EXISTS, which reads the whole table where a queue has none. (SELECT $1)
-- is there for the reason that claim.sql gives.
WITH staged AS (
    UPDATE :"prefix".oban_jobs AS job
       SET state = 'available',
           meta = coalesce((
               SELECT CASE WHEN jsonb_typeof(job.meta) = 'object' THEN job.meta ELSE '{}' END
                      || jsonb_build_object('partition_key', :"prefix".staffa_partition_key(
                             limits.fields, job.worker, job.args, job.meta))
                 FROM :"prefix".staffa_limits AS limits
                WHERE limits.queue = job.queue
                  AND limits.fields <> '{}'), job.meta)
     WHERE job.id = ANY (ARRAY(
               SELECT due.id
                 FROM :"prefix".oban_jobs AS due
                WHERE due.state IN ('scheduled', 'retryable')
                  AND due.scheduled_at <= timezone('UTC', now())
                ORDER BY due.scheduled_at, due.id
                LIMIT (SELECT $1::int)
                  FOR UPDATE SKIP LOCKED
           ))
    RETURNING job.queue
)
SELECT staged.queue, count(*) AS staged
  FROM staged
 GROUP BY staged.queue
 UNION ALL
SELECT asked.queue, 0
  FROM unnest($2::text[]) AS asked (queue)
 CROSS JOIN LATERAL (
           SELECT
             FROM :"prefix".oban_jobs AS job
            WHERE job.state = 'available'
              AND job.queue = asked.queue
            ORDER BY job.priority, job.scheduled_at, job.id
            LIMIT 1
       ) AS waiting;
