-- Read which roots have no jobs any more, nor any flow that goes on.
-- $1: a JSON array of roots.
-- +member.id has no type: an index of an expression has none either.
-- Index: the primary keys, staffa_flows_root, staffa_jobs_workflow, staffa_jobs_batch.
WITH member AS (
    SELECT flow.id AS root, flow.id, flow.finished_at, flow.tail
      FROM json_each($1) AS given
     CROSS JOIN staffa_flows AS flow
     WHERE flow.id = given.value
     UNION ALL
    SELECT flow.root, flow.id, flow.finished_at, flow.tail
      FROM json_each($1) AS given
     CROSS JOIN staffa_flows AS flow
     WHERE flow.root = given.value
       AND flow.root <> flow.id
)
SELECT member.root AS id
  FROM member
 GROUP BY member.root
HAVING NOT max(
           member.finished_at IS NULL
           OR EXISTS (SELECT 1 FROM oban_jobs AS job WHERE job.id = member.tail)
           OR EXISTS (SELECT 1 FROM oban_jobs AS job
                       WHERE job.meta ->> '$.workflow_id' = +member.id
                         AND job.meta ->> '$.workflow_id' IS NOT NULL)
           OR EXISTS (SELECT 1 FROM oban_jobs AS job
                       WHERE job.meta ->> '$.batch_id' = +member.id
                         AND job.meta ->> '$.batch_id' IS NOT NULL));
