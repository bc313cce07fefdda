-- Make due jobs available as stage.sql does, where limits are known: those of a queue with partitions get
-- their key.
-- $1 int: limit, $2 text[]: queues.
-- Locks: the rows it stages; rows that others hold are skipped.
-- Index: staffa_jobs_stage, the primary key, staffa_jobs_claim, and the primary key of staffa_limits;
-- stage.sql tells why it is written as it is.
WITH staged AS (
    UPDATE :"prefix".oban_jobs AS job
       SET state = 'available',
           meta = coalesce((
               SELECT CASE WHEN jsonb_typeof(job.meta) = 'object' THEN job.meta ELSE '{}' END
                      || jsonb_build_object('partition_key', :"prefix".staffa_partition_key(
                             limits.fields, job.worker, job.args, job.meta))
                 FROM :"prefix".staffa_limits AS limits
                WHERE limits.queue = job.queue
                  AND limits.fields <> '{}'), job.meta),
           priority = CASE WHEN job.meta #>> '{staffa_aged,from}' ~ '^[0-9]{1,4}$'
                            AND job.meta #>> '{staffa_aged,to}' = job.priority::text
                           THEN greatest((job.meta #>> '{staffa_aged,from}')::int, job.priority)
                           ELSE job.priority END
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
