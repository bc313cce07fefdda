-- Read which jobs of a workflow have names.
-- $1 text: the workflow, $2 text[]: the names, or null for all.
-- Locks: none. Index: the primary keys; OFFSET 0 has them asked for each job.
SELECT job.id, job.name
  FROM :"prefix".staffa_members AS member
 CROSS JOIN LATERAL (
           SELECT step.id, step.meta ->> 'name' AS name
             FROM :"prefix".oban_jobs AS step
            WHERE step.id = member.job_id
              AND step.meta ->> 'workflow_id' = member.flow
              AND step.meta ->> 'name' IS NOT NULL
              AND ($2::text[] IS NULL OR step.meta ->> 'name' = ANY ($2::text[]))
           OFFSET 0
       ) AS job
 WHERE member.flow = $1::text
 ORDER BY job.id;
