-- Lease the other jobs of chunks whose first ones a claim under limits has leased in this transaction. All
-- get the key of the first one's partition and are marked with its id, the first one included, so that
-- they count as one.
-- $1 bigint[]: ids, $2 bigint[]: the first one's, $3 text[]: the key of its partition, $4 text: queue,
-- $5 text: node, $6 text: producer uuid, $7 timestamptz: the time of the claim.
-- (SELECT $1) and state::text are there for the reasons that jobs/ack.sql gives.
-- Locks: the rows, in the order of their ids; what others hold is skipped. The first ones are ours.
-- Index: the primary key.
WITH given AS MATERIALIZED (
    SELECT told.id, told.head, told.key
      FROM unnest((SELECT $1::bigint[]), (SELECT $2::bigint[]), (SELECT $3::text[]))
               AS told (id, head, key)
), member AS MATERIALIZED (
    SELECT job.id, given.head, given.key
      FROM given
      JOIN :"prefix".oban_jobs AS job
        ON job.id = given.id
       AND job.state::text = 'available'
       AND job.queue = $4::text
       AND job.attempt < job.max_attempts
     ORDER BY job.id
       FOR UPDATE OF job SKIP LOCKED
), marked AS (
    UPDATE :"prefix".oban_jobs AS job
       SET meta = job.meta || jsonb_build_object('staffa_chunk', job.id)
     WHERE job.id = ANY (ARRAY(SELECT member.head FROM member))
)
UPDATE :"prefix".oban_jobs AS job
   SET state = 'executing',
       attempt = job.attempt + 1,
       attempted_at = timezone('UTC', $7::timestamptz),
       attempted_by = ARRAY[$5::text, $6::text],
       meta = CASE WHEN jsonb_typeof(job.meta) = 'object' THEN job.meta ELSE '{}' END
           || jsonb_build_object('staffa_chunk', member.head, 'partition_key', member.key)
  FROM member
 WHERE job.id = member.id
RETURNING job.id, job.worker, job.args::text AS args, job.meta::text AS meta, job.tags,
          job.priority, job.attempt, job.max_attempts,
          CASE WHEN job.attempt > 1 THEN to_jsonb(job.errors)::text END AS errors,
          date_part('epoch', job.inserted_at) AS inserted_at,
          date_part('epoch', job.scheduled_at) AS scheduled_at,
          date_part('epoch', job.attempted_at) AS attempted_at;
