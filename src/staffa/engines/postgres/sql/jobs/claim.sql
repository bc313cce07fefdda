-- Take up to $2 available jobs of a queue, the most urgent first, and lease them to a producer.
-- $1 text: queue, $2 int: limit, $3 text: node, $4 text: producer uuid.
-- Times beyond what Python can tell (any client may write them) are cut, or null.
-- Locks: the rows it takes; rows that others hold are skipped.
-- Index: staffa_jobs_claim inside, the primary key outside. The outer node must not mention the
-- state: that would send it to the claim index, too. An IN (SELECT ...) or a CTE join in place of
-- the array turns into a sequential scan at large limits. (SELECT $2) hides the limit from the planner:
-- after a bulk insert without statistics it expects a handful of jobs in the queue, and where the limit
-- covers these, it reads and sorts all jobs of the queue instead of following the index.
UPDATE :"prefix".oban_jobs AS job
   SET state = 'executing',
       attempt = job.attempt + 1,
       attempted_at = timezone('UTC', clock_timestamp()),
       attempted_by = ARRAY[$3::text, $4::text]
 WHERE job.id = ANY (ARRAY(
           SELECT candidate.id
             FROM :"prefix".oban_jobs AS candidate
            WHERE candidate.state = 'available'
              AND candidate.queue = $1::text
              AND candidate.attempt < candidate.max_attempts
            ORDER BY candidate.priority, candidate.scheduled_at, candidate.id
            LIMIT (SELECT $2::int)
              FOR UPDATE SKIP LOCKED
       ))
RETURNING job.id, job.worker, job.args::text AS args, job.meta::text AS meta, job.tags,
          job.priority, job.attempt, job.max_attempts,
          CASE WHEN job.attempt > 1 THEN to_jsonb(job.errors)::text END AS errors,
          least(greatest(job.inserted_at, timestamp '0001-01-02'), timestamp '9999-12-30')
              AT TIME ZONE 'UTC' AS inserted_at,
          least(greatest(job.scheduled_at, timestamp '0001-01-02'), timestamp '9999-12-30')
              AT TIME ZONE 'UTC' AS scheduled_at,
          job.attempted_at AT TIME ZONE 'UTC' AS attempted_at;
