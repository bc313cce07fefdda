-- Read what would have to wait until given jobs have ended, however indirectly: which jobs and flows wait for
-- which. A flow waits for its jobs and for the flows inside of it.
-- $1: a JSON array of jobs.
-- It goes from them to what waits for them, as mostly nothing does; what they wait for themselves may be a
-- chain of any length.
-- What waits for a node is asked for twice: see PostgreSQL's.
-- Index: staffa_edges_needs_job, staffa_edges_needs_flow, the primary keys.
WITH RECURSIVE node (job, flow) AS (
    SELECT given.value, NULL
      FROM json_each($1) AS given
     UNION
    SELECT edge.job_id, NULL
      FROM node
     CROSS JOIN staffa_edges AS edge
     WHERE edge.needs_job = node.job AND edge.ended IS NULL
     UNION
    SELECT edge.job_id, NULL
      FROM node
     CROSS JOIN staffa_edges AS edge
     WHERE edge.needs_flow = node.flow AND edge.ended IS NULL
     UNION
    SELECT NULL, named.value
      FROM node
     CROSS JOIN oban_jobs AS job
     CROSS JOIN json_each(json_array(
               job.meta ->> '$.workflow_id',
               CASE WHEN job.meta -> '$.callback' IS NULL THEN job.meta ->> '$.batch_id' END
           )) AS named
     WHERE job.id = node.job AND named.value IS NOT NULL
     UNION
    SELECT NULL, flow.parent
      FROM node
     CROSS JOIN staffa_flows AS flow
     WHERE flow.id = node.flow AND flow.parent IS NOT NULL
)
SELECT edge.job_id AS waiting_job, NULL AS waiting_flow, node.job AS needed_job, NULL AS needed_flow
  FROM node
 CROSS JOIN staffa_edges AS edge
 WHERE edge.needs_job = node.job AND edge.ended IS NULL
 UNION ALL
SELECT edge.job_id, NULL, NULL, node.flow
  FROM node
 CROSS JOIN staffa_edges AS edge
 WHERE edge.needs_flow = node.flow AND edge.ended IS NULL
 UNION ALL
SELECT NULL, named.value, node.job, NULL
  FROM node
 CROSS JOIN oban_jobs AS job
 CROSS JOIN json_each(json_array(
           job.meta ->> '$.workflow_id',
           CASE WHEN job.meta -> '$.callback' IS NULL THEN job.meta ->> '$.batch_id' END
       )) AS named
 WHERE job.id = node.job AND named.value IS NOT NULL
 UNION ALL
SELECT NULL, flow.parent, NULL, node.flow
  FROM node
 CROSS JOIN staffa_flows AS flow
 WHERE flow.id = node.flow AND flow.parent IS NOT NULL;
