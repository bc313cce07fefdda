-- Lease the jobs of chunks to a producer, each chunk that still is full or due, all or none of those that
-- are left of it.
-- $1 bigint[]: ids, $2 int[]: the number of the chunk, $3 int[]: its size, $4 float8[]: its time-out in
-- seconds, $5 text: queue, $6 text: node, $7 text: producer uuid.
-- Who holds the first job of a chunk may have the others: so of two that want the same, one gets it.
-- (SELECT $1) and state::text are there for the reasons that jobs/ack.sql gives.
-- Locks: the rows, in the order of their ids, after the first of each chunk; what others hold is skipped.
-- Index: the primary key.
WITH given AS MATERIALIZED (
    SELECT told.id, told.chunk, told.size, told.timeout,
           row_number() OVER (PARTITION BY told.chunk ORDER BY told.place) AS turn
      FROM unnest((SELECT $1::bigint[]), (SELECT $2::int[]), (SELECT $3::int[]), (SELECT $4::float8[]))
               WITH ORDINALITY AS told (id, chunk, size, timeout, place)
), head AS MATERIALIZED (
    SELECT given.chunk
      FROM given
      JOIN :"prefix".oban_jobs AS job
        ON job.id = given.id
       AND job.state::text = 'available'
       AND job.queue = $5::text
     WHERE given.turn = 1
     ORDER BY job.id
       FOR UPDATE OF job SKIP LOCKED
), member AS MATERIALIZED (
    SELECT job.id, job.scheduled_at, given.chunk, given.size, given.timeout
      FROM head
      JOIN given ON given.chunk = head.chunk
      JOIN :"prefix".oban_jobs AS job
        ON job.id = given.id
       AND job.state::text = 'available'
       AND job.queue = $5::text
       AND job.attempt < job.max_attempts
     ORDER BY job.id
       FOR UPDATE OF job SKIP LOCKED
), formed AS MATERIALIZED (
    SELECT member.chunk
      FROM member
     GROUP BY member.chunk, member.size, member.timeout
    HAVING count(*) >= member.size
        OR extract(epoch FROM timezone('UTC', clock_timestamp()) - min(member.scheduled_at))
           >= member.timeout
)
UPDATE :"prefix".oban_jobs AS job
   SET state = 'executing',
       attempt = job.attempt + 1,
       attempted_at = (SELECT timezone('UTC', clock_timestamp())),
       attempted_by = ARRAY[$6::text, $7::text]
 WHERE job.id = ANY (ARRAY(
           SELECT member.id
             FROM formed
             JOIN member ON member.chunk = formed.chunk
       ))
RETURNING job.id, job.worker, job.args::text AS args, job.meta::text AS meta, job.tags,
          job.priority, job.attempt, job.max_attempts,
          CASE WHEN job.attempt > 1 THEN to_jsonb(job.errors)::text END AS errors,
          date_part('epoch', job.inserted_at) AS inserted_at,
          date_part('epoch', job.scheduled_at) AS scheduled_at,
          date_part('epoch', job.attempted_at) AS attempted_at;
