-- Read which jobs of a workflow have names.
-- $1 text: the workflow, $2 text[]: the names, or null for all.
-- Locks: none. Index: staffa_jobs_workflow.
SELECT job.id, job.meta ->> 'name' AS name
  FROM :"prefix".oban_jobs AS job
 WHERE left(job.meta ->> 'workflow_id', 127) COLLATE "C" = $1::text
   AND job.meta ->> 'workflow_id' IS NOT NULL
   AND job.meta ->> 'name' IS NOT NULL
   AND ($2::text[] IS NULL OR job.meta ->> 'name' = ANY ($2::text[]))
 ORDER BY job.id;
