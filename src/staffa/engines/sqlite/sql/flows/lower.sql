-- Note how many edges of steps have been closed.
-- $1: a JSON array of arrays: a job, how many of its edges.
-- Index: the primary key.
UPDATE staffa_steps
   SET open = staffa_steps.open - (given.value ->> '$[1]')
  FROM json_each($1) AS given
 WHERE staffa_steps.job_id = given.value ->> '$[0]';
