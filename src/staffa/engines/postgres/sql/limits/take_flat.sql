-- Lease the most urgent jobs of a limited queue that has no partitions, as far as its tokens last.
-- $1 text: queue, $2 int: how many jobs, $3 int: tokens, or null, $4 timestamptz: the time, $5 text: node,
-- $6 text: producer uuid, $7 int: the weight of a job that has none, $8 int: the most, $9 text[]: names of
-- workers, $10 bigint[]: ids.
-- Jobs of the workers $9 are left but for $10, the first ones of chunks that may be claimed.
-- All are claimed at one time, under which their tokens are counted, too.
-- Locks: the rows it takes, or might have taken; what others hold is skipped.
-- Index: staffa_jobs_claim inside, the primary key outside; jobs/claim.sql tells why it is an array, and
-- why the limit and the comparison are hidden.
WITH near AS MATERIALIZED (
    SELECT candidate.id, candidate.priority, candidate.scheduled_at,
           CASE jsonb_typeof(candidate.meta -> 'staffa_weight') WHEN 'number'
                THEN least(greatest((candidate.meta ->> 'staffa_weight')::numeric, 1), $8::int)
                ELSE $7::int END::int AS weight
      FROM :"prefix".oban_jobs AS candidate
     WHERE candidate.state = 'available'
       AND candidate.queue = $1::text
       AND (candidate.attempt < candidate.max_attempts
            AND (candidate.worker <> ALL ($9::text[]) OR candidate.id = ANY ($10::bigint[])))::int <> 0
     ORDER BY candidate.priority, candidate.scheduled_at, candidate.id
     LIMIT (SELECT $2::int)
       FOR UPDATE SKIP LOCKED
), weighed AS (
    SELECT near.id,
           sum(near.weight) OVER (ORDER BY near.priority, near.scheduled_at, near.id) AS spent
      FROM near
)
UPDATE :"prefix".oban_jobs AS job
   SET state = 'executing',
       attempt = job.attempt + 1,
       attempted_at = timezone('UTC', $4::timestamptz),
       attempted_by = ARRAY[$5::text, $6::text],
       meta = CASE WHEN jsonb_typeof(job.meta) = 'object' THEN job.meta - 'staffa_chunk' ELSE '{}' END
           || '{"partition_key": ""}'
 WHERE job.id = ANY (ARRAY(
           SELECT weighed.id
             FROM weighed
            WHERE $3::int IS NULL OR weighed.spent <= $3::int
       ))
RETURNING job.id, job.worker, job.args::text AS args, job.meta::text AS meta, job.tags,
          job.priority, job.attempt, job.max_attempts,
          CASE WHEN job.attempt > 1 THEN to_jsonb(job.errors)::text END AS errors,
          date_part('epoch', job.inserted_at) AS inserted_at,
          date_part('epoch', job.scheduled_at) AS scheduled_at,
          date_part('epoch', job.attempted_at) AS attempted_at,
          job.meta ->> 'partition_key' AS key,
          CASE jsonb_typeof(job.meta -> 'staffa_weight') WHEN 'number'
               THEN least(greatest((job.meta ->> 'staffa_weight')::numeric, 1), $8::int)
               ELSE $7::int END::int AS weight;
