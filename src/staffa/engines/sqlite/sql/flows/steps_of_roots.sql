-- Read the steps of roots.
-- $1: a JSON array of roots.
-- Index: staffa_steps_root.
SELECT step.job_id AS id
  FROM json_each($1) AS given
 CROSS JOIN staffa_steps AS step
 WHERE step.root = given.value
 ORDER BY step.job_id;
