-- Claim from the partitions of a queue that has a global limit of each of them alone: all in one statement,
-- so that no lock outlasts it and nobody waits for a reply of ours. It takes turns as walk.sql and take.sql
-- do step by step. A row comes back at least, unless that is what must be done: another claim has come
-- between, jobs without a key wait or are to be counted, or partitions lack room for all that is wanted.
-- $1 text: queue, $2 int: how many jobs, $3 text: node, $4 text: producer uuid, $5 timestamptz: when the
-- last claim was made, as far as the caller knows, $6 text[]: fields, $7 text, $8 text: between which
-- texts keys lie, $9 int: how many jobs of a partition may run, $10 text: on which node, or null for all,
-- $11 text: what sweep is to be, a JSON object, $12 int: how many jobs to look at for their keys,
-- $13 int, $14 text, $15 bigint: the priority, time and id to look on after, null at the beginning.
-- The statement has one snapshot, which may be older than the lock that it gets. So it claims only if the
-- row that it has locked is of the time $5, in the snapshot, too: every claim writes the row, so nobody
-- has claimed since, and no more jobs run than the snapshot counts.
-- Who gets how many: as many turns are given to all as the jobs last, which is the greatest of the levels
-- to which they fill all partitions but the k smallest; what is left then gives one more to the first.
-- LIMIT $2 is for the planner, as $13 of take.sql. A LIMIT must never be null, which is no limit at all.
-- Running jobs are read in the order of their index: by statistics of a table that was emptied, the
-- planner might read those of all queues.
-- Locks: the queue's row of staffa_limits, then the rows it takes, or might have taken; what others hold
-- is skipped. Index: as sweep.sql, walk.sql and take.sql; the primary key of staffa_limits.
WITH RECURSIVE seen AS MATERIALIZED (
    SELECT known.cursors
      FROM :"prefix".staffa_limits AS known
     WHERE known.queue = $1::text
       AND known.used_at = timezone('UTC', $5::timestamptz)
       AND (known.sweep ->> 'strays_at')::float8 > date_part('epoch', clock_timestamp())
), page AS MATERIALIZED (
    SELECT job.id, job.priority, job.scheduled_at,
           coalesce(starts_with(job.meta ->> 'partition_key', $7::text), false) AS keyed
      FROM :"prefix".oban_jobs AS job
     WHERE job.state = 'available'
       AND job.queue = $1::text
       AND (job.priority, job.scheduled_at, job.id)
           > (coalesce($13::int, -1), coalesce($14::text, '-infinity')::timestamp, coalesce($15::bigint, 0))
     ORDER BY job.priority, job.scheduled_at, job.id
     LIMIT (SELECT CASE WHEN EXISTS (SELECT FROM seen) THEN $12::int ELSE 0 END)
), level AS MATERIALIZED (
    SELECT first.priority, coalesce(seen.cursors ->> first.priority::text, $7::text) COLLATE "C" AS start
      FROM seen
     CROSS JOIN LATERAL (
               SELECT job.priority::int AS priority
                 FROM :"prefix".oban_jobs AS job
                WHERE job.state = 'available'
                  AND job.meta ->> 'partition_key' IS NOT NULL
                  AND job.queue = $1::text
                  AND left(job.meta ->> 'partition_key', 300) COLLATE "C" > $7::text
                  AND left(job.meta ->> 'partition_key', 300) COLLATE "C" < $8::text
                  AND job.attempt < job.max_attempts
                ORDER BY job.priority
                LIMIT 1
           ) AS first
     WHERE NOT EXISTS (SELECT FROM page WHERE NOT page.keyed)
), ring (place, key, wrapped, room, found) AS (
    SELECT 0, level.start, false, 0, 0
      FROM level
     UNION ALL
    SELECT ring.place + 1, next.key, next.wrapped, used.room, ring.found + (used.room > 0)::int
      FROM ring
     CROSS JOIN level
     CROSS JOIN LATERAL (
               (SELECT left(job.meta ->> 'partition_key', 300) COLLATE "C" AS key, ring.wrapped
                  FROM :"prefix".oban_jobs AS job
                 WHERE job.state = 'available'
                   AND job.meta ->> 'partition_key' IS NOT NULL
                   AND job.queue = $1::text
                   AND job.priority = level.priority
                   AND left(job.meta ->> 'partition_key', 300) COLLATE "C" > ring.key
                   AND left(job.meta ->> 'partition_key', 300) COLLATE "C"
                       <= CASE WHEN ring.wrapped THEN level.start ELSE $8::text COLLATE "C" END
                   AND job.attempt < job.max_attempts
                 ORDER BY left(job.meta ->> 'partition_key', 300) COLLATE "C", job.scheduled_at, job.id
                 LIMIT 1)
                UNION ALL
               (SELECT left(job.meta ->> 'partition_key', 300) COLLATE "C", true
                  FROM :"prefix".oban_jobs AS job
                 WHERE NOT ring.wrapped
                   AND job.state = 'available'
                   AND job.meta ->> 'partition_key' IS NOT NULL
                   AND job.queue = $1::text
                   AND job.priority = level.priority
                   AND left(job.meta ->> 'partition_key', 300) COLLATE "C" > $7::text
                   AND left(job.meta ->> 'partition_key', 300) COLLATE "C" <= level.start
                   AND job.attempt < job.max_attempts
                 ORDER BY left(job.meta ->> 'partition_key', 300) COLLATE "C", job.scheduled_at, job.id
                 LIMIT 1)
                LIMIT 1
           ) AS next
     CROSS JOIN LATERAL (
               SELECT least(greatest($9::int - (
                          SELECT count(*)
                            FROM (SELECT DISTINCT held.chunk
                                    FROM (SELECT coalesce(job.meta ->> 'staffa_chunk', job.id::text) AS chunk
                                            FROM :"prefix".oban_jobs AS job
                                           WHERE job.state = 'executing'
                                             AND job.meta ->> 'partition_key' IS NOT NULL
                                             AND job.queue = $1::text
                                             AND left(job.meta ->> 'partition_key', 300) COLLATE "C"
                                                 BETWEEN next.key AND next.key
                                             AND ($10::text IS NULL OR job.attempted_by[1] = $10::text)
                                           ORDER BY left(job.meta ->> 'partition_key', 300) COLLATE "C"
                                         ) AS held
                                   LIMIT $9::int) AS busy
                      ), 0), $2::int)::int AS room
               OFFSET 0
           ) AS used
     WHERE ring.found < $2::int
), part AS MATERIALIZED (
    SELECT ring.place, ring.key, ring.room
      FROM ring
     WHERE ring.place > 0
       AND ring.room > 0
), turns AS MATERIALIZED (
    SELECT max(($2::int - ordered.before) / ordered.after) AS count, sum(ordered.room) AS room
      FROM (SELECT part.room,
                   sum(part.room) OVER (ORDER BY part.room, part.place) - part.room AS before,
                   count(*) OVER () - row_number() OVER (ORDER BY part.room, part.place) + 1 AS after
              FROM part) AS ordered
), shared AS MATERIALIZED (
    SELECT part.place, part.key, part.room,
           least(part.room, turns.count) AS base,
           count(*) FILTER (WHERE part.room > turns.count) OVER (ORDER BY part.place) AS open_before,
           $2::int - sum(least(part.room, turns.count)) OVER () AS rest
      FROM part
     CROSS JOIN turns
     WHERE turns.room >= $2::int
), given AS MATERIALIZED (
    SELECT shared.place, shared.key,
           (shared.base + (shared.room > shared.base AND shared.open_before <= shared.rest)::int)::int AS quota
      FROM shared
), held AS (
    UPDATE :"prefix".staffa_limits AS known
       SET used_at = greatest(timezone('UTC', clock_timestamp()), known.used_at + interval '1 microsecond'),
           cursors = known.cursors || jsonb_build_object(last.priority::text, last.key),
           sweep = $11::text::jsonb
      FROM (SELECT level.priority, given.key
              FROM given
             CROSS JOIN level
             ORDER BY given.quota DESC, given.place DESC
             LIMIT 1) AS last
     WHERE known.queue = $1::text
       AND known.used_at = timezone('UTC', $5::timestamptz)
    RETURNING known.used_at, known.cursors
), candidate AS MATERIALIZED (
    SELECT next.id
      FROM held
     CROSS JOIN level
     CROSS JOIN (SELECT left(md5(array_to_string($6::text[], ',')), 8) || ':[' AS prefix,
                        string_to_array(($6::text[])[1], '.') AS path
                 OFFSET 0) AS own
     CROSS JOIN given
     CROSS JOIN LATERAL (
               SELECT near.*
                 FROM (SELECT job.id,
                              (cardinality($6::text[]) = 1
                               AND length(job.meta ->> 'partition_key') < 200
                               AND job.meta ->> 'partition_key' = own.prefix
                                   || coalesce(CASE own.path[1] WHEN 'args' THEN job.args #> own.path[2:]
                                                                WHEN 'meta' THEN job.meta #> own.path[2:]
                                                                ELSE to_jsonb(job.worker) END, 'null')::text
                                   || ']')
                              OR :"prefix".staffa_partition_key(
                                     $6::text[], job.worker, job.args, job.meta) = given.key AS right_key
                         FROM :"prefix".oban_jobs AS job
                        WHERE job.state = 'available'
                          AND job.meta ->> 'partition_key' IS NOT NULL
                          AND job.queue = $1::text
                          AND job.priority = level.priority
                          AND left(job.meta ->> 'partition_key', 300) COLLATE "C" BETWEEN given.key AND given.key
                          AND job.attempt < job.max_attempts
                        ORDER BY left(job.meta ->> 'partition_key', 300) COLLATE "C",
                              job.scheduled_at, job.id
                        LIMIT given.quota
                          FOR UPDATE SKIP LOCKED) AS near
                WHERE near.right_key
                LIMIT $2::int
           ) AS next
), claimed AS (
    UPDATE :"prefix".oban_jobs AS job
       SET state = 'executing',
           attempt = job.attempt + 1,
           attempted_at = (SELECT timezone('UTC', clock_timestamp())),
           attempted_by = (SELECT ARRAY[$3::text, $4::text]),
           meta = CASE WHEN job.meta ? 'staffa_chunk' THEN job.meta - 'staffa_chunk' ELSE job.meta END
     WHERE job.id = ANY (ARRAY(SELECT candidate.id FROM candidate))
    RETURNING job.id, job.worker, job.args::text AS args, job.meta::text AS meta,
              CASE WHEN job.tags <> '{}' THEN job.tags END AS tags,
              job.priority, job.attempt, job.max_attempts,
              CASE WHEN job.attempt > 1 THEN to_jsonb(job.errors)::text END AS errors,
              date_part('epoch', job.inserted_at) AS inserted_at,
              date_part('epoch', job.scheduled_at) AS scheduled_at,
              date_part('epoch', job.attempted_at) AS attempted_at,
              left(job.meta ->> 'partition_key', 300) AS key
)
SELECT held.used_at AT TIME ZONE 'UTC' AS used_at, held.cursors::text AS cursors, looked.seen,
       last.priority::int AS page_priority, last.scheduled_at::text AS page_after, last.id AS page_id,
       claimed.*
  FROM held
 CROSS JOIN (SELECT count(*)::int AS seen FROM page) AS looked
  LEFT JOIN (
           SELECT page.priority, page.scheduled_at, page.id
             FROM page
            ORDER BY page.priority DESC, page.scheduled_at DESC, page.id DESC
            LIMIT 1
       ) AS last ON true
  LEFT JOIN claimed ON true;
