-- Let a step go that was held; how many of its edges are open is returned.
-- $1: the step.
-- Index: the primary key.
UPDATE staffa_steps
   SET held = 0
 WHERE job_id = $1
   AND held
RETURNING open;
