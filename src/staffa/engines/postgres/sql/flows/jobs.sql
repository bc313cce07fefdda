-- Read jobs of a flow, in the order of their ids.
-- $1 text: the flow, $2 bigint: only ids above this one, $3 int: how many, $4 bool: whether callbacks of a batch
-- are read, too.
-- Times beyond what Python can tell (any client may write them) are cut, or null.
-- Locks: none. Index: the primary keys of members, up to the limit, and of jobs.
WITH member AS MATERIALIZED (
    SELECT listed.job_id AS id
      FROM :"prefix".staffa_members AS listed
     CROSS JOIN LATERAL (
               SELECT job.id
                 FROM :"prefix".oban_jobs AS job
                WHERE job.id = listed.job_id
                  AND ($4::bool OR job.meta ->> 'batch_id' IS DISTINCT FROM listed.flow OR NOT job.meta ? 'callback')
               OFFSET 0
           ) AS job
     WHERE listed.flow = $1::text
       AND listed.job_id > $2::bigint
     ORDER BY listed.job_id
     LIMIT $3::int
)
SELECT job.id, job.state::text AS state, job.queue, job.worker, job.args::text AS args, job.meta::text AS meta, job.tags,
       to_jsonb(job.errors)::text AS errors, job.attempt, job.max_attempts, job.priority, job.attempted_by,
       least(greatest(job.inserted_at, timestamp '0001-01-02'), timestamp '9999-12-30')
              AT TIME ZONE 'UTC' AS inserted_at,
       least(greatest(job.scheduled_at, timestamp '0001-01-02'), timestamp '9999-12-30')
              AT TIME ZONE 'UTC' AS scheduled_at,
       CASE WHEN job.attempted_at BETWEEN timestamp '0001-01-02' AND timestamp '9999-12-30'
            THEN job.attempted_at AT TIME ZONE 'UTC' END AS attempted_at,
       CASE WHEN job.completed_at BETWEEN timestamp '0001-01-02' AND timestamp '9999-12-30'
            THEN job.completed_at AT TIME ZONE 'UTC' END AS completed_at,
       CASE WHEN job.cancelled_at BETWEEN timestamp '0001-01-02' AND timestamp '9999-12-30'
            THEN job.cancelled_at AT TIME ZONE 'UTC' END AS cancelled_at,
       CASE WHEN job.discarded_at BETWEEN timestamp '0001-01-02' AND timestamp '9999-12-30'
            THEN job.discarded_at AT TIME ZONE 'UTC' END AS discarded_at
  FROM :"prefix".oban_jobs AS job
 WHERE job.id = ANY (ARRAY(SELECT member.id FROM member))
 ORDER BY job.id
 LIMIT $3::int;
