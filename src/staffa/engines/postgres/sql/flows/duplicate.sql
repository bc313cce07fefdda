-- Read a name that two steps of a workflow have, be they jobs or flows inside of it.
-- $1 text[]: the workflows.
-- Locks: none. Index: the primary keys of members and of jobs, staffa_flows_parent; OFFSET 0 has them asked for
-- each flow and job.
SELECT step.flow, step.name
  FROM (
           SELECT member.flow, job.name
             FROM :"prefix".staffa_members AS member
            CROSS JOIN LATERAL (
                      SELECT named.meta ->> 'name' AS name
                        FROM :"prefix".oban_jobs AS named
                       WHERE named.id = member.job_id
                         AND named.meta ->> 'workflow_id' = member.flow
                         AND named.meta ->> 'name' IS NOT NULL
                      OFFSET 0
                  ) AS job
            WHERE member.flow = ANY ((SELECT $1::text[])::text[])
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
