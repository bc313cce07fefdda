-- Read a name that two steps of a workflow have, be they jobs or flows inside of it.
-- $1: a JSON array of the workflows.
-- Index: staffa_jobs_workflow and staffa_flows_parent.
SELECT named.flow, named.name
  FROM (
           SELECT given.value AS flow, job.meta ->> '$.name' AS name
             FROM json_each($1) AS given
            CROSS JOIN oban_jobs AS job
            WHERE job.meta ->> '$.workflow_id' = given.value
              AND job.meta ->> '$.workflow_id' IS NOT NULL
            UNION ALL
           SELECT given.value AS flow, inner_flow.place AS name
             FROM json_each($1) AS given
            CROSS JOIN staffa_flows AS inner_flow
            WHERE inner_flow.parent = given.value
              AND inner_flow.parent IS NOT NULL
       ) AS named
 WHERE named.name IS NOT NULL
 GROUP BY named.flow, named.name
HAVING count(*) > 1
 LIMIT 1;
