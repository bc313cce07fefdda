-- Read the steps of roots.
-- $1 text[]: the roots.
-- Locks: none: the roots are locked before. Index: staffa_steps_root.
SELECT step.job_id AS id
  FROM :"prefix".staffa_steps AS step
 WHERE step.root = ANY ((SELECT $1::text[])::text[])
 ORDER BY step.job_id;
