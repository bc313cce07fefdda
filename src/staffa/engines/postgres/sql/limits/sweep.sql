-- Give keys to waiting jobs of a partitioned queue that have none, or one of another configuration: those
-- of other clients and those that are older than the partition. It looks at a page of the queue.
-- $1 text: queue, $2 int, $3 timestamp, $4 bigint: the priority, time and id to go on after, null at the
-- beginning, $5 int: how many to look at, $6 text[]: fields, $7 text: the digest that keys begin with.
-- Locks: the rows that it changes; what others hold is skipped. Index: staffa_jobs_claim, the primary key.
WITH seen AS MATERIALIZED (
    SELECT job.id, job.priority, job.scheduled_at,
           coalesce(starts_with(job.meta ->> 'partition_key', $7::text), false) AS keyed
      FROM :"prefix".oban_jobs AS job
     WHERE job.state = 'available'
       AND job.queue = $1::text
       AND ($2::int IS NULL
            OR (job.priority, job.scheduled_at, job.id) > ($2::int, $3::timestamp, $4::bigint))
     ORDER BY job.priority, job.scheduled_at, job.id
     LIMIT (SELECT $5::int)
), changed AS (
    UPDATE :"prefix".oban_jobs AS job
       SET meta = CASE WHEN jsonb_typeof(job.meta) = 'object' THEN job.meta ELSE '{}' END
           || jsonb_build_object('partition_key', :"prefix".staffa_partition_key(
                  $6::text[], job.worker, job.args, job.meta))
     WHERE job.id = ANY (ARRAY(
               SELECT stale.id
                 FROM :"prefix".oban_jobs AS stale
                WHERE stale.id = ANY (ARRAY(SELECT seen.id FROM seen WHERE NOT seen.keyed))
                  AND stale.state::text = 'available'
                ORDER BY stale.id
                  FOR UPDATE SKIP LOCKED
           ))
    RETURNING job.id
)
SELECT (SELECT count(*) FROM seen)::int AS seen, (SELECT count(*) FROM changed)::int AS changed,
       last.priority::int AS priority, last.scheduled_at::text AS after, last.id
  FROM (SELECT) AS one
  LEFT JOIN (
           SELECT seen.priority, seen.scheduled_at, seen.id
             FROM seen
            ORDER BY seen.priority DESC, seen.scheduled_at DESC, seen.id DESC
            LIMIT 1
       ) AS last ON true;
