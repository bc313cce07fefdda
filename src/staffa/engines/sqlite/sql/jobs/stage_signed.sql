-- Make due jobs available as stage.sql does, where limits are known: those of a queue with partitions get
-- their key.
-- $1: limit.
-- Index: staffa_jobs_stage, the primary key, the primary key of staffa_limits.
WITH clock AS MATERIALIZED (
    SELECT staffa_now() AS now
)
UPDATE oban_jobs
   SET state = 'available',
       meta = coalesce((
           SELECT staffa_partitioned(limits.fields, oban_jobs.worker, oban_jobs.args, oban_jobs.meta)
             FROM staffa_limits AS limits
            WHERE limits.queue = oban_jobs.queue
              AND limits.fields <> '[]'), oban_jobs.meta),
       priority = staffa_own_priority(meta, priority)
 WHERE id IN (
           SELECT due.id
             FROM oban_jobs AS due
            WHERE due.state IN ('scheduled', 'retryable')
              AND due.scheduled_at <= (SELECT clock.now FROM clock)
            ORDER BY due.scheduled_at, due.id
            LIMIT $1
       )
RETURNING queue;
