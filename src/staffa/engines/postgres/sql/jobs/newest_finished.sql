-- Walk the finished jobs of a state from the one that ended last, a page at a time. Nothing is
-- locked: prune.sql deletes only what has not changed since, which the version shows.
-- $1 text: state, $2 float8: only jobs that ended so many seconds ago or more, $3 text and $4 bigint: the
-- time and the id where the last page ended, $5 int: limit.
-- Locks: none.
-- Index: staffa_jobs_finished, in its order, backwards. The list of states is there because a parameter
-- alone does not show the planner that the index has all rows asked for; the time is its expression.
-- (SELECT $5) is there for the reason that claim.sql gives: where the planner expects few rows, it
-- would rather collect and sort all of them.
SELECT job.id, job.queue, job.worker, job.xmin::text AS version, ended.at::text AS ended_at,
       extract(epoch FROM timezone('UTC', now())
           - least(greatest(ended.at, timestamp '0001-01-02'), timestamp '9999-12-30'))::float8
           AS age
  FROM :"prefix".oban_jobs AS job
 CROSS JOIN LATERAL (
           SELECT coalesce(greatest(job.completed_at, job.cancelled_at, job.discarded_at),
                           job.scheduled_at) AS at
       ) AS ended
 WHERE job.state IN ('completed', 'cancelled', 'discarded')
   AND job.state = $1::text:::"prefix".oban_job_state
   AND ended.at <= timezone('UTC', now()) - make_interval(secs => $2::float8)
   AND (ended.at, job.id) < ($3::text::timestamp, $4::bigint)
 ORDER BY ended.at DESC, job.id DESC
 LIMIT (SELECT $5::int);
