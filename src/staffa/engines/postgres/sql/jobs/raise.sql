-- Give jobs that still wait as they were read new priorities, and note what their own ones are.
-- $1 bigint[]: ids, $2 text[]: since when each was due, $3 int[]: the priority that was read, $4 int[]:
-- its own priority, $5 int[]: the new one.
-- Locks: the rows, in the order of their ids; what others hold is skipped, and found again later.
-- Index: the primary key; state::text and (SELECT $1) are there for the reasons that ack.sql gives.
WITH risen AS MATERIALIZED (
    SELECT job.id, given.own, given.priority
      FROM unnest((SELECT $1::bigint[]), (SELECT $2::text[]), (SELECT $3::int[]),
                  (SELECT $4::int[]), (SELECT $5::int[]))
               AS given (id, scheduled_at, seen, own, priority)
      JOIN :"prefix".oban_jobs AS job
        ON job.id = given.id
       AND job.state::text = 'available'
       AND job.priority = given.seen
       AND job.scheduled_at = given.scheduled_at::timestamp
     ORDER BY job.id
       FOR UPDATE OF job SKIP LOCKED
)
UPDATE :"prefix".oban_jobs AS job
   SET priority = risen.priority,
       meta = CASE WHEN jsonb_typeof(job.meta) = 'object' THEN job.meta ELSE '{}' END
           || jsonb_build_object('staffa_aged', jsonb_build_object('from', risen.own, 'to', risen.priority))
  FROM risen
 WHERE job.id = risen.id
RETURNING job.id;
