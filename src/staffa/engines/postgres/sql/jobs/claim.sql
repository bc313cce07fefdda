-- Take up to $2 available jobs of a queue, the most urgent first, and lease them to a producer.
-- $1 text: queue, $2 int: limit, $3 text: node, $4 text: producer uuid.
-- Times are told as seconds since 1970: a client takes much longer to read timestamps. All rows get one
-- attempted_at, for their outcomes to name it once. What is empty is null, which costs nothing to read.
-- Locks: the rows it takes; rows that others hold are skipped.
-- Index: staffa_jobs_claim inside, the primary key outside. The outer node must not mention the
-- state: that would send it to the claim index, too. An IN (SELECT ...) or a CTE join in place of
-- the array turns into a sequential scan at large limits. After a bulk insert without statistics the
-- planner expects a handful of jobs in the queue, and where it believes that all of them are wanted, it
-- reads and sorts all jobs of the queue instead of following the index. So (SELECT $2) hides the limit,
-- of which it then expects to be a tenth of those jobs; and ::int <> 0 the comparison, of which it
-- expects that a third of them pass, so that one is left of three.
UPDATE :"prefix".oban_jobs AS job
   SET state = 'executing',
       attempt = job.attempt + 1,
       attempted_at = (SELECT timezone('UTC', clock_timestamp())),
       attempted_by = (SELECT ARRAY[$3::text, $4::text])
 WHERE job.id = ANY (ARRAY(
           SELECT candidate.id
             FROM :"prefix".oban_jobs AS candidate
            WHERE candidate.state = 'available'
              AND candidate.queue = $1::text
              AND (candidate.attempt < candidate.max_attempts)::int <> 0
            ORDER BY candidate.priority, candidate.scheduled_at, candidate.id
            LIMIT (SELECT $2::int)
              FOR UPDATE SKIP LOCKED
       ))
RETURNING job.id, job.worker, job.args::text AS args,
          CASE WHEN job.meta <> '{}' THEN job.meta::text END AS meta,
          CASE WHEN job.tags <> '{}' THEN job.tags END AS tags,
          job.priority, job.attempt, job.max_attempts,
          CASE WHEN job.attempt > 1 THEN to_jsonb(job.errors)::text END AS errors,
          date_part('epoch', job.inserted_at) AS inserted_at,
          date_part('epoch', job.scheduled_at) AS scheduled_at,
          date_part('epoch', job.attempted_at) AS attempted_at;
