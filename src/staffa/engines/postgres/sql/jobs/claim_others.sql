-- Do as claim.sql does, but leave the jobs of some workers: those that run in chunks.
-- $1 text: queue, $2 int: limit, $3 text: node, $4 text: producer uuid, $5 text[]: names of workers.
-- Locks: the rows it takes; rows that others hold are skipped.
-- Index: staffa_jobs_claim inside, the primary key outside; claim.sql tells what the planner is kept from.
UPDATE :"prefix".oban_jobs AS job
   SET state = 'executing',
       attempt = job.attempt + 1,
       attempted_at = (SELECT timezone('UTC', clock_timestamp())),
       attempted_by = ARRAY[$3::text, $4::text]
 WHERE job.id = ANY (ARRAY(
           SELECT candidate.id
             FROM :"prefix".oban_jobs AS candidate
            WHERE candidate.state = 'available'
              AND candidate.queue = $1::text
              AND (candidate.attempt < candidate.max_attempts
                   AND candidate.worker <> ALL ($5::text[]))::int <> 0
            ORDER BY candidate.priority, candidate.scheduled_at, candidate.id
            LIMIT (SELECT $2::int)
              FOR UPDATE SKIP LOCKED
       ))
RETURNING job.id, job.worker, job.args::text AS args, job.meta::text AS meta, job.tags,
          job.priority, job.attempt, job.max_attempts,
          CASE WHEN job.attempt > 1 THEN to_jsonb(job.errors)::text END AS errors,
          date_part('epoch', job.inserted_at) AS inserted_at,
          date_part('epoch', job.scheduled_at) AS scheduled_at,
          date_part('epoch', job.attempted_at) AS attempted_at;
