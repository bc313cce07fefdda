-- Read which flows jobs belong to; nobody else writes meanwhile, so there is nothing to lock.
-- $1: a JSON array of jobs.
-- Index: the primary keys.
SELECT job.id, json_group_array(flow.id) AS flows, 1 AS locked
  FROM json_each($1) AS given
 CROSS JOIN oban_jobs AS job
 CROSS JOIN staffa_flows AS flow
 WHERE job.id = given.value
   AND flow.id IN (job.meta ->> '$.workflow_id',
                   CASE WHEN json_type(job.meta, '$.callback') IS NULL
                        THEN job.meta ->> '$.batch_id' END,
                   job.meta ->> '$.chain_id')
 GROUP BY job.id;
