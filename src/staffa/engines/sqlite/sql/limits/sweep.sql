-- Look at a page of the waiting jobs of a partitioned queue: which have no key, or one of another
-- configuration.
-- $1: queue, $2, $3, $4: the priority, time and id to go on after, null at the beginning, $5: how many to
-- look at, $6: the digest that keys begin with.
-- Index: staffa_jobs_claim.
SELECT job.id, job.priority, job.scheduled_at AS after,
       substr(coalesce(job.meta ->> '$.partition_key', ''), 1, length($6)) <> $6 AS stale
  FROM oban_jobs AS job
 WHERE job.state = 'available'
   AND job.queue = $1
   AND ($2 IS NULL OR (job.priority, job.scheduled_at, job.id) > ($2, $3, $4))
 ORDER BY job.priority, job.scheduled_at, job.id
 LIMIT $5;
