-- Claim from a queue that has a global limit alone, without partitions: all in one statement, so that no
-- lock outlasts it and nobody waits for a reply of ours. A row comes back at least, with how many jobs
-- more might have run, unless the claim must be made step by step: another one has come between, the
-- limits are others, or it is time to count running jobs without a key.
-- $1 text: queue, $2 int: how many jobs, $3 text: node, $4 text: producer uuid, $5 text: the limits, a JSON
-- object, $6 int: how many may run, $7 text: on which node, or null for all.
-- The statement has one snapshot, which may be older than the lock that it gets. So it claims only if the
-- row that it has locked is the one that the snapshot shows: every claim writes the row, so nobody has
-- claimed since, and no more jobs run than the snapshot counts.
-- LIMIT must never be null, which is no limit at all.
-- Running jobs are read in the order of their index: by statistics of a table that was emptied, the
-- planner might read those of all queues.
-- Locks: the queue's row of staffa_limits, then the rows it takes; what others hold is skipped.
-- Index: as jobs/claim.sql, which tells why it is written so; staffa_jobs_limited.
WITH seen AS MATERIALIZED (
    SELECT known.used_at
      FROM :"prefix".staffa_limits AS known
     WHERE known.queue = $1::text
), held AS (
    UPDATE :"prefix".staffa_limits AS known
       SET used_at = greatest(timezone('UTC', clock_timestamp()), known.used_at + interval '1 microsecond')
     WHERE known.queue = $1::text
       AND known.used_at = (SELECT seen.used_at FROM seen)
       AND known.options = $5::text::jsonb
       AND (known.sweep ->> 'strays_at')::float8 > date_part('epoch', clock_timestamp())
    RETURNING known.queue
), free AS MATERIALIZED (
    SELECT $6::int - used.running::int AS slots
      FROM held
     CROSS JOIN (
               SELECT count(*) FILTER (WHERE busy.chunk IS NULL) + count(DISTINCT busy.chunk) AS running
                 FROM (SELECT job.meta ->> 'staffa_chunk' AS chunk
                         FROM :"prefix".oban_jobs AS job
                        WHERE job.state = 'executing'
                          AND job.meta ->> 'partition_key' IS NOT NULL
                          AND job.queue = $1::text
                          AND ($7::text IS NULL OR job.attempted_by[1] = $7::text)
                        ORDER BY left(job.meta ->> 'partition_key', 300) COLLATE "C") AS busy
           ) AS used
), claimed AS (
    UPDATE :"prefix".oban_jobs AS job
       SET state = 'executing',
           attempt = job.attempt + 1,
           attempted_at = (SELECT timezone('UTC', clock_timestamp())),
           attempted_by = (SELECT ARRAY[$3::text, $4::text]),
           meta = CASE WHEN job.meta = '{}' THEN '{"partition_key": ""}'
                       WHEN jsonb_typeof(job.meta) = 'object'
                       THEN job.meta - 'staffa_chunk' || '{"partition_key": ""}'
                       ELSE '{"partition_key": ""}' END
     WHERE job.id = ANY (ARRAY(
               SELECT candidate.id
                 FROM :"prefix".oban_jobs AS candidate
                WHERE candidate.state = 'available'
                  AND candidate.queue = $1::text
                  AND (candidate.attempt < candidate.max_attempts)::int <> 0
                ORDER BY candidate.priority, candidate.scheduled_at, candidate.id
                LIMIT coalesce((SELECT greatest(least($2::int, free.slots), 0) FROM free), 0)
                  FOR UPDATE SKIP LOCKED
           ))
    RETURNING job.id, job.worker, job.args::text AS args, job.meta::text AS meta,
              CASE WHEN job.tags <> '{}' THEN job.tags END AS tags,
              job.priority, job.attempt, job.max_attempts,
              CASE WHEN job.attempt > 1 THEN to_jsonb(job.errors)::text END AS errors,
              date_part('epoch', job.inserted_at) AS inserted_at,
              date_part('epoch', job.scheduled_at) AS scheduled_at,
              date_part('epoch', job.attempted_at) AS attempted_at
)
SELECT free.slots, claimed.*
  FROM free
  LEFT JOIN claimed ON true;
