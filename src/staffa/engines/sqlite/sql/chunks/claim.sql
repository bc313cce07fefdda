-- Lease the jobs of chunks to a producer, each chunk that still is full or due, all or none of those that
-- are left of it.
-- $1: a JSON array of id, the number of the chunk, its size and its time-out in seconds; $2: queue,
-- $3: node, $4: producer uuid.
-- Index: the primary key.
WITH clock AS MATERIALIZED (
    SELECT staffa_now() AS now
), member AS MATERIALIZED (
    SELECT job.id, job.scheduled_at, given.value ->> '$[1]' AS chunk, given.value ->> '$[2]' AS size,
           given.value ->> '$[3]' AS timeout
      FROM json_each($1) AS given
     CROSS JOIN oban_jobs AS job
     WHERE job.id = given.value ->> '$[0]'
       AND +job.state = 'available'
       AND +job.queue = $2
       AND job.attempt < job.max_attempts
), formed AS MATERIALIZED (
    SELECT member.chunk
      FROM member
     GROUP BY member.chunk, member.size, member.timeout
    HAVING count(*) >= member.size
        OR staffa_seconds(min(member.scheduled_at), (SELECT clock.now FROM clock)) >= member.timeout
)
UPDATE oban_jobs
   SET state = 'executing',
       attempt = attempt + 1,
       attempted_at = (SELECT clock.now FROM clock),
       attempted_by = json_array($3, $4)
 WHERE id IN (
           SELECT member.id
             FROM formed
             JOIN member ON member.chunk = formed.chunk
       )
RETURNING id, worker, args, meta, tags, priority, attempt, max_attempts,
          CASE WHEN attempt > 1 THEN errors END AS errors, inserted_at, scheduled_at, attempted_at;
