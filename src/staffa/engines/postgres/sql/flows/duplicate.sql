-- Read a name that two steps of a workflow have, be they jobs or flows inside of it.
-- $1 text[]: the workflows.
-- Locks: none. Index: staffa_jobs_workflow and staffa_flows_parent.
SELECT step.flow, step.name
  FROM (
           SELECT left(job.meta ->> 'workflow_id', 127) AS flow, job.meta ->> 'name' AS name
             FROM :"prefix".oban_jobs AS job
            WHERE left(job.meta ->> 'workflow_id', 127) COLLATE "C" = ANY ((SELECT $1::text[])::text[])
              AND job.meta ->> 'workflow_id' IS NOT NULL
              AND job.meta ->> 'name' IS NOT NULL
           UNION ALL
           SELECT inner_flow.parent AS flow, inner_flow.place AS name
             FROM :"prefix".staffa_flows AS inner_flow
            WHERE inner_flow.parent = ANY ((SELECT $1::text[])::text[])
              AND inner_flow.parent IS NOT NULL
              AND inner_flow.place IS NOT NULL
       ) AS step
 GROUP BY step.flow, step.name
HAVING count(*) > 1
 LIMIT 1;
