-- Read jobs of a flow, in the order of their ids.
-- $1: the flow, $2: only ids above this one, $3: how many, $4: whether callbacks of a batch are read, too.
-- Index: staffa_jobs_workflow, staffa_jobs_batch, each up to the limit; the primary key.
WITH member AS MATERIALIZED (
    SELECT found.id
      FROM (SELECT job.id
              FROM oban_jobs AS job
             WHERE job.meta ->> '$.workflow_id' = $1
               AND job.meta ->> '$.workflow_id' IS NOT NULL
               AND job.id > $2
             ORDER BY job.id
             LIMIT $3) AS found
     UNION
    SELECT found.id
      FROM (SELECT job.id
              FROM oban_jobs AS job
             WHERE job.meta ->> '$.batch_id' = $1
               AND job.meta ->> '$.batch_id' IS NOT NULL
               AND job.id > $2
               AND ($4 OR json_type(job.meta, '$.callback') IS NULL)
             ORDER BY job.id
             LIMIT $3) AS found
)
SELECT job.id, job.state, job.queue, job.worker, job.args, job.meta, job.tags, job.errors, job.attempt,
       job.max_attempts, job.priority, job.attempted_by, job.inserted_at, job.scheduled_at,
       job.attempted_at, job.completed_at, job.cancelled_at, job.discarded_at
  FROM member
 CROSS JOIN oban_jobs AS job
 WHERE job.id = member.id
 ORDER BY job.id
 LIMIT $3;
