-- Do as claim.sql does, but leave the jobs of some workers: those that run in chunks.
-- $1: queue, $2: limit, $3: node, $4: producer uuid, $5: names of workers, a JSON array.
-- Index: staffa_jobs_claim inside, the primary key outside.
WITH clock AS MATERIALIZED (
    SELECT staffa_now() AS now
)
UPDATE oban_jobs
   SET state = 'executing',
       attempt = attempt + 1,
       attempted_at = (SELECT clock.now FROM clock),
       attempted_by = json_array($3, $4)
 WHERE id IN (
           SELECT candidate.id
             FROM oban_jobs AS candidate
            WHERE candidate.state = 'available'
              AND candidate.queue = $1
              AND candidate.attempt < candidate.max_attempts
              AND candidate.worker NOT IN (SELECT given.value FROM json_each($5) AS given)
            ORDER BY candidate.priority, candidate.scheduled_at, candidate.id
            LIMIT $2
       )
RETURNING id, worker, args, meta, tags, priority, attempt, max_attempts,
          CASE WHEN attempt > 1 THEN errors END AS errors, inserted_at, scheduled_at, attempted_at;
