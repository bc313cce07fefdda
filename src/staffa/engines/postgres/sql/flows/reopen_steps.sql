-- Count the edges of steps that were opened. They are added to what there is, not counted anew: who ends a job of
-- another root that a step waits for, too, lowers its count meanwhile.
-- $1 bigint[]: the steps, each as often as edges of it were opened.
-- Locks: the steps. Index: the primary key.
UPDATE :"prefix".staffa_steps AS step
   SET open = step.open + given.count
  FROM (SELECT opened.id, count(*) AS count
          FROM unnest((SELECT $1::bigint[])) AS opened (id)
         GROUP BY opened.id) AS given
 WHERE step.job_id = given.id;
