-- Count the attempts that have ended lately, by queue and the state that they led to. The last second
-- is left out: what ended in it may not be committed yet.
-- $1 float8: seconds, $2 int: at most so many jobs that wait for their next attempt are looked at,
-- those that are due first.
-- Locks: none. Index: staffa_jobs_finished, staffa_jobs_stage. When an attempt failed is told by its
-- error alone; only those of the last hour are opened, as they may be large. The states are gone through
-- one by one: a list of all that the index has is no condition on it, and it would be read as a whole.
SELECT ended.queue, known.state::text AS state, ended.count
  FROM unnest(ARRAY['completed', 'cancelled', 'discarded']::text[]::
              :"prefix".oban_job_state[]) AS known (state)
 CROSS JOIN LATERAL (
           SELECT job.queue, count(*) AS count
             FROM :"prefix".oban_jobs AS job
            WHERE job.state IN ('completed', 'cancelled', 'discarded')
              AND job.state = known.state
              AND coalesce(greatest(job.completed_at, job.cancelled_at, job.discarded_at), job.scheduled_at)
                  > timezone('UTC', now()) - make_interval(secs => $1::float8 + 1)
              AND coalesce(greatest(job.completed_at, job.cancelled_at, job.discarded_at), job.scheduled_at)
                  <= timezone('UTC', now()) - interval '1 second'
            GROUP BY job.queue
       ) AS ended
 UNION ALL
SELECT failed.queue, 'retryable' AS state, count(*) AS count
  FROM (SELECT later.queue,
               CASE WHEN later.state = 'retryable'
                     AND later.attempted_at > timezone('UTC', now()) - interval '1 hour'
                    THEN to_jsonb(later.errors) -> -1 ->> 'at' END AS at
          FROM (SELECT job.queue, job.state, job.attempted_at, job.errors
                  FROM :"prefix".oban_jobs AS job
                 WHERE job.state IN ('scheduled', 'retryable')
                 ORDER BY job.scheduled_at, job.id
                 LIMIT (SELECT $2::int)) AS later) AS failed
 WHERE failed.at > to_char(timezone('UTC', now()) - make_interval(secs => $1::float8 + 1),
                           'YYYY-MM-DD"T"HH24:MI:SS.US')
   AND failed.at <= to_char(timezone('UTC', now()) - interval '1 second',
                            'YYYY-MM-DD"T"HH24:MI:SS.US')
 GROUP BY failed.queue;
