-- Lease the next jobs of partitions, so many of each, as far as their tokens last.
-- $1 text: queue, $2 int: priority, $3 text[]: keys, $4 int[]: how many jobs, $5 int[]: tokens, or null,
-- $6 int: tokens of all together, or null, $7 timestamptz: the time, $8 text: node, $9 text: producer uuid,
-- $10 text[]: fields, $11 int: the weight of a job that has none, $12 int: the most, $13 int: the largest
-- number of jobs of one key, $14 text[]: names of workers, $15 bigint[]: ids. The planner knows the number,
-- while it guesses a tenth of a partition from that of each key, and would then compile the statement,
-- which takes longer than to run it.
-- The key is compared as a range and ordered by, or the planner might, without statistics, follow
-- staffa_jobs_claim past all other partitions: with equality, that index has the order, too.
-- Jobs of the workers $14 are left but for $15, the first ones of chunks that may be claimed.
-- Whether a key is a job's own is told by the short form of the one field that most partitions have, for a
-- tenth of what the function costs, which decides where that is not the answer.
-- A job whose key is not the one of its columns, for somebody has changed these, is put where it belongs
-- instead. All are claimed at one time, under which their tokens are counted, too.
-- Locks: the rows it takes, or might have taken; what others hold is skipped.
-- Index: staffa_jobs_ring inside, the primary key outside; jobs/claim.sql tells why it is an array.
WITH asked AS MATERIALIZED (
    SELECT given.key COLLATE "C" AS key, given.quota, given.tokens, given.place
      FROM unnest($3::text[], $4::int[], $5::int[])
               WITH ORDINALITY AS given (key, quota, tokens, place)
), candidate AS MATERIALIZED (
    SELECT asked.place, asked.tokens, next.id, next.scheduled_at, next.weight,
           next.right_key
      FROM (SELECT left(md5(array_to_string($10::text[], ',')), 8) || ':[' AS prefix,
                   string_to_array(($10::text[])[1], '.') AS path
            OFFSET 0) AS own
     CROSS JOIN asked
     CROSS JOIN LATERAL (
               SELECT near.*
                 FROM (SELECT job.id, job.scheduled_at,
                              CASE jsonb_typeof(job.meta -> 'staffa_weight') WHEN 'number'
                                   THEN least(greatest((job.meta ->> 'staffa_weight')::numeric, 1),
                                              $12::int)
                                   ELSE $11::int END::int AS weight,
                              (cardinality($10::text[]) = 1
                               AND length(job.meta ->> 'partition_key') < 200
                               AND job.meta ->> 'partition_key' = own.prefix
                                   || coalesce(CASE own.path[1] WHEN 'args' THEN job.args #> own.path[2:]
                                                                WHEN 'meta' THEN job.meta #> own.path[2:]
                                                                ELSE to_jsonb(job.worker) END, 'null')::text
                                   || ']')
                              OR :"prefix".staffa_partition_key(
                                     $10::text[], job.worker, job.args, job.meta) = asked.key AS right_key
                         FROM :"prefix".oban_jobs AS job
                        WHERE job.state = 'available'
                          AND job.meta ->> 'partition_key' IS NOT NULL
                          AND job.queue = $1::text
                          AND job.priority = $2::int
                          AND left(job.meta ->> 'partition_key', 300) COLLATE "C" BETWEEN asked.key AND asked.key
                          AND job.attempt < job.max_attempts
                          AND (job.worker <> ALL ($14::text[]) OR job.id = ANY ($15::bigint[]))
                        ORDER BY left(job.meta ->> 'partition_key', 300) COLLATE "C",
                              job.scheduled_at, job.id
                        LIMIT $13::int
                          FOR UPDATE SKIP LOCKED) AS near
                LIMIT asked.quota
           ) AS next
), turned AS (
    SELECT candidate.*,
           row_number() OVER (PARTITION BY candidate.place
                              ORDER BY candidate.scheduled_at, candidate.id) AS turn
      FROM candidate
     WHERE candidate.right_key
), weighed AS MATERIALIZED (
    SELECT turned.id, turned.tokens,
           sum(turned.weight) OVER (PARTITION BY turned.place ORDER BY turned.turn) AS spent,
           sum(turned.weight) OVER (ORDER BY turned.turn, turned.place) AS total
      FROM turned
), chosen AS MATERIALIZED (
    SELECT weighed.id
      FROM weighed
     WHERE (weighed.tokens IS NULL OR weighed.spent <= weighed.tokens)
       AND ($6::int IS NULL OR weighed.total <= $6::int)
), moved AS (
    UPDATE :"prefix".oban_jobs AS job
       SET meta = job.meta || jsonb_build_object('partition_key', :"prefix".staffa_partition_key(
               $10::text[], job.worker, job.args, job.meta))
     WHERE job.id = ANY (ARRAY(SELECT candidate.id FROM candidate WHERE NOT candidate.right_key))
    RETURNING job.id
), claimed AS (
    UPDATE :"prefix".oban_jobs AS job
       SET state = 'executing',
           attempt = job.attempt + 1,
           attempted_at = timezone('UTC', $7::timestamptz),
           attempted_by = ARRAY[$8::text, $9::text],
           meta = CASE WHEN job.meta ? 'staffa_chunk' THEN job.meta - 'staffa_chunk' ELSE job.meta END
     WHERE job.id = ANY (ARRAY(SELECT chosen.id FROM chosen))
    RETURNING job.*
)
SELECT claimed.id, claimed.worker, claimed.args::text AS args, claimed.meta::text AS meta, claimed.tags,
       claimed.priority, claimed.attempt, claimed.max_attempts,
       CASE WHEN claimed.attempt > 1 THEN to_jsonb(claimed.errors)::text END AS errors,
       date_part('epoch', claimed.inserted_at) AS inserted_at,
       date_part('epoch', claimed.scheduled_at) AS scheduled_at,
       date_part('epoch', claimed.attempted_at) AS attempted_at,
       claimed.meta ->> 'partition_key' AS key,
       CASE jsonb_typeof(claimed.meta -> 'staffa_weight') WHEN 'number'
            THEN least(greatest((claimed.meta ->> 'staffa_weight')::numeric, 1), $12::int)
            ELSE $11::int END::int AS weight
  FROM claimed
 UNION ALL
SELECT moved.id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
  FROM moved;
