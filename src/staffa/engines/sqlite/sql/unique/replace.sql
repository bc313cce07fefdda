-- Overwrite columns of jobs that are there already. A new time makes an unstarted job scheduled, or
-- available where that time has passed.
-- $1: a JSON array of objects: the id, the fields to overwrite, and the new job as enqueue.sql reads it;
-- $2: the time.
-- Index: the primary key.
WITH new AS MATERIALIZED (
    SELECT given.value ->> '$.id' AS id, given.value -> '$.fields' AS fields,
           given.value -> '$.job' AS job,
           coalesce(staffa_utc(given.value ->> '$.job.scheduled_at'),
                    staffa_add($2, given.value ->> '$.job.scheduled_in'), $2) AS due
      FROM json_each($1) AS given
)
UPDATE oban_jobs
   SET queue = coalesce(new.job ->> (new.fields ->> '$.queue'), oban_jobs.queue),
       worker = coalesce(new.job ->> (new.fields ->> '$.worker'), oban_jobs.worker),
       args = coalesce(new.job -> (new.fields ->> '$.args'), oban_jobs.args),
       meta = coalesce(new.job -> (new.fields ->> '$.meta'), oban_jobs.meta),
       tags = coalesce(new.job -> (new.fields ->> '$.tags'), oban_jobs.tags),
       priority = coalesce(new.job ->> (new.fields ->> '$.priority'), oban_jobs.priority),
       max_attempts = coalesce(max(new.job ->> (new.fields ->> '$.max_attempts'), oban_jobs.attempt),
                               oban_jobs.max_attempts),
       scheduled_at = CASE WHEN new.fields ->> '$.scheduled_at' IS NULL THEN oban_jobs.scheduled_at
                           ELSE new.due END,
       state = CASE WHEN new.fields ->> '$.scheduled_at' IS NULL
                      OR oban_jobs.state NOT IN ('available', 'scheduled', 'retryable')
                    THEN oban_jobs.state
                    WHEN new.due > $2 THEN 'scheduled'
                    ELSE 'available' END
  FROM new
 WHERE oban_jobs.id = new.id;
