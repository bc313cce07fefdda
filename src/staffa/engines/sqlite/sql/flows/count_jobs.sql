-- Count the jobs of workflows and batches, and read the counts that their rows have.
-- $1: a JSON array of flows; chains are left out.
-- The jobs of each flow are asked for apart: with statistics SQLite would read all jobs into a filter.
-- Index: staffa_jobs_workflow, staffa_jobs_batch, staffa_flows_parent, the primary key.
WITH flow AS MATERIALIZED (
    SELECT flow.*,
           CASE flow.kind WHEN 'workflow' THEN (
               SELECT json_array(count(*), sum(job.state = 'suspended'), sum(job.state = 'completed'),
                                 sum(job.state = 'cancelled'), sum(job.state = 'discarded'),
                                 sum(job.attempt > 1
                                     OR job.state IN ('completed', 'cancelled', 'discarded')
                                     OR (job.attempt = 1 AND job.state <> 'executing')))
                 FROM oban_jobs AS job
                WHERE job.meta ->> '$.workflow_id' = +flow.id
                  AND job.meta ->> '$.workflow_id' IS NOT NULL
           ) ELSE (
               SELECT json_array(count(*), sum(job.state = 'suspended'), sum(job.state = 'completed'),
                                 sum(job.state = 'cancelled'), sum(job.state = 'discarded'),
                                 sum(job.attempt > 1
                                     OR job.state IN ('completed', 'cancelled', 'discarded')
                                     OR (job.attempt = 1 AND job.state <> 'executing')))
                 FROM oban_jobs AS job
                WHERE job.meta ->> '$.batch_id' = +flow.id
                  AND job.meta ->> '$.batch_id' IS NOT NULL
                  AND json_type(job.meta, '$.callback') IS NULL
           ) END AS found
      FROM json_each($1) AS given
     CROSS JOIN staffa_flows AS flow
     WHERE flow.id = given.value
       AND flow.kind <> 'chain'
)
SELECT flow.id, flow.root, flow.total, flow.suspended, flow.completed, flow.cancelled, flow.discarded,
       flow.deleted, flow.attempted, flow.inner_open,
       flow.found ->> '$[0]' AS found_total, coalesce(flow.found ->> '$[1]', 0) AS found_suspended,
       coalesce(flow.found ->> '$[2]', 0) AS found_completed,
       coalesce(flow.found ->> '$[3]', 0) AS found_cancelled,
       coalesce(flow.found ->> '$[4]', 0) AS found_discarded,
       coalesce(flow.found ->> '$[5]', 0) AS found_attempted,
       (SELECT count(*) FROM staffa_flows AS part
         WHERE part.parent = flow.id AND part.finished_at IS NULL) AS found_inner_open
  FROM flow;
