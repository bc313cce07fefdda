-- Walk the available jobs of a queue and priority from the one that has been due for longest, a page at
-- a time. Nothing is locked, or a claim would pass over them: raise.sql raises only what has not changed.
-- What rose before tells its own priority in meta.staffa_aged; that counts as long as the priority is
-- the one that it rose to: whoever has changed it since has set a new one.
-- $1 text: queue, $2 int: priority, $3 float8: only jobs that have been due for so many seconds or
-- more, $4 text and $5 bigint: the time and the id where the last page ended, $6 int: limit.
-- Locks: none.
-- Index: staffa_jobs_claim, in its order. (SELECT $6) is there for the reason that claim.sql gives.
SELECT job.id, job.worker, job.scheduled_at::text AS due_since,
       CASE WHEN job.meta #>> '{staffa_aged,from}' ~ '^[0-9]{1,4}$'
             AND job.meta #>> '{staffa_aged,to}' = job.priority::text
            THEN greatest((job.meta #>> '{staffa_aged,from}')::int, job.priority)
            ELSE job.priority END AS own_priority,
       extract(epoch FROM timezone('UTC', now())
           - greatest(job.scheduled_at, timestamp '0001-01-02'))::float8 AS waited
  FROM :"prefix".oban_jobs AS job
 WHERE job.state = 'available'
   AND job.queue = $1::text
   AND job.priority = $2::int
   AND job.scheduled_at <= timezone('UTC', now()) - make_interval(secs => $3::float8)
   AND (job.scheduled_at, job.id) > ($4::text::timestamp, $5::bigint)
 ORDER BY job.scheduled_at, job.id
 LIMIT (SELECT $6::int);
