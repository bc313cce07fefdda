-- Count the jobs of workflows and batches, and read the counts that their rows have.
-- $1: a JSON array of flows; chains are left out.
-- Index: staffa_jobs_workflow, staffa_jobs_batch, staffa_flows_parent, the primary key.
WITH flow AS MATERIALIZED (
    SELECT flow.*
      FROM json_each($1) AS given
     CROSS JOIN staffa_flows AS flow
     WHERE flow.id = given.value
       AND flow.kind <> 'chain'
), job AS (
    SELECT flow.id AS flow, job.state, job.attempt
      FROM flow
     CROSS JOIN oban_jobs AS job
     WHERE flow.kind = 'workflow'
       AND job.meta ->> '$.workflow_id' = flow.id
       AND job.meta ->> '$.workflow_id' IS NOT NULL
     UNION ALL
    SELECT flow.id, job.state, job.attempt
      FROM flow
     CROSS JOIN oban_jobs AS job
     WHERE flow.kind = 'batch'
       AND job.meta ->> '$.batch_id' = flow.id
       AND job.meta ->> '$.batch_id' IS NOT NULL
       AND json_type(job.meta, '$.callback') IS NULL
), found AS MATERIALIZED (
    SELECT job.flow, count(*) AS total, sum(job.state = 'suspended') AS suspended,
           sum(job.state = 'completed') AS completed, sum(job.state = 'cancelled') AS cancelled,
           sum(job.state = 'discarded') AS discarded,
           sum(job.attempt > 1 OR job.state IN ('completed', 'cancelled', 'discarded')
               OR (job.attempt = 1 AND job.state <> 'executing')) AS attempted
      FROM job
     GROUP BY job.flow
)
SELECT flow.id, flow.root, flow.total, flow.suspended, flow.completed, flow.cancelled, flow.discarded,
       flow.deleted, flow.attempted, flow.inner_open,
       coalesce(found.total, 0) AS found_total, coalesce(found.suspended, 0) AS found_suspended,
       coalesce(found.completed, 0) AS found_completed,
       coalesce(found.cancelled, 0) AS found_cancelled,
       coalesce(found.discarded, 0) AS found_discarded,
       coalesce(found.attempted, 0) AS found_attempted,
       (SELECT count(*) FROM staffa_flows AS part
         WHERE part.parent = flow.id AND part.finished_at IS NULL) AS found_inner_open
  FROM flow
  LEFT JOIN found ON found.flow = flow.id;
