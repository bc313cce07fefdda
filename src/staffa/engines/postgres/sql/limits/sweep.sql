-- Look at a page of the waiting jobs of a partitioned queue: which have no key, or one of another
-- configuration. Those are jobs of other clients, and jobs that are older than the partition.
-- $1 text: queue, $2 int, $3 text, $4 bigint: the priority, time and id to go on after, null at the
-- beginning, $5 int: how many to look at, $6 text: the digest that keys begin with.
-- Locks: none. Index: staffa_jobs_claim.
WITH page AS MATERIALIZED (
    SELECT job.id, job.priority, job.scheduled_at,
           coalesce(starts_with(job.meta ->> 'partition_key', $6::text), false) AS keyed
      FROM :"prefix".oban_jobs AS job
     WHERE job.state = 'available'
       AND job.queue = $1::text
       AND (job.priority, job.scheduled_at, job.id)
           > (coalesce($2::int, -1), coalesce($3::text, '-infinity')::timestamp, coalesce($4::bigint, 0))
     ORDER BY job.priority, job.scheduled_at, job.id
     LIMIT (SELECT $5::int)
)
SELECT (SELECT count(*) FROM page)::int AS seen,
       ARRAY(SELECT page.id FROM page WHERE NOT page.keyed ORDER BY page.id) AS ids,
       last.priority::int AS priority, last.scheduled_at::text AS after, last.id
  FROM (SELECT) AS one
  LEFT JOIN (
           SELECT page.priority, page.scheduled_at, page.id
             FROM page
            ORDER BY page.priority DESC, page.scheduled_at DESC, page.id DESC
            LIMIT 1
       ) AS last ON true;
