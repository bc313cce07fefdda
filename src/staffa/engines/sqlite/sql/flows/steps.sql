-- Read which jobs of a workflow have names.
-- $1: the workflow, $2: a JSON array of names, or null for all.
-- Index: staffa_jobs_workflow.
SELECT job.id, job.meta ->> '$.name' AS name
  FROM oban_jobs AS job
 WHERE job.meta ->> '$.workflow_id' = $1
   AND job.meta ->> '$.workflow_id' IS NOT NULL
   AND job.meta ->> '$.name' IS NOT NULL
   AND ($2 IS NULL OR job.meta ->> '$.name' IN (SELECT given.value FROM json_each($2) AS given))
 ORDER BY job.id;
