-- Count the edges of steps that were opened.
-- $1: a JSON array of the steps, each as often as edges of it were opened.
-- Index: the primary key.
UPDATE staffa_steps
   SET open = staffa_steps.open + given.count
  FROM (SELECT opened.value AS id, count(*) AS count
          FROM json_each($1) AS opened
         GROUP BY opened.value) AS given
 WHERE staffa_steps.job_id = given.id;
