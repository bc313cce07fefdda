-- Read jobs of a flow, in the order of their ids.
-- $1 text: the flow, $2 bigint: only ids above this one, $3 int: how many, $4 bool: whether callbacks of a batch
-- are read, too.
-- Times beyond what Python can tell (any client may write them) are cut, or null.
-- Locks: none. Index: staffa_jobs_workflow, staffa_jobs_batch, each up to the limit; the primary key.
WITH member AS MATERIALIZED (
    (SELECT job.id
       FROM :"prefix".oban_jobs AS job
      WHERE left(job.meta ->> 'workflow_id', 127) COLLATE "C" = $1::text
        AND job.meta ->> 'workflow_id' IS NOT NULL
        AND job.id > $2::bigint
      ORDER BY job.id
      LIMIT $3::int)
     UNION
    (SELECT job.id
       FROM :"prefix".oban_jobs AS job
      WHERE left(job.meta ->> 'batch_id', 127) COLLATE "C" = $1::text
        AND job.meta ->> 'batch_id' IS NOT NULL
        AND job.id > $2::bigint
        AND ($4::bool OR NOT job.meta ? 'callback')
      ORDER BY job.id
      LIMIT $3::int)
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
