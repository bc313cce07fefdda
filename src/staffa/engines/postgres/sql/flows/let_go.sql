-- Let a step go that was held; how many of its edges are open is returned.
-- $1 bigint: the step.
-- Locks: the row; the roots are locked before. Index: the primary key.
UPDATE :"prefix".staffa_steps
   SET held = false
 WHERE job_id = $1::bigint
   AND held
RETURNING open;
