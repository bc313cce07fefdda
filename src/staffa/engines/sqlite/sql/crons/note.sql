-- Note which job the tick that was just taken has made.
-- $1: instance, $2: name, $3: job.
-- Index: the primary key.
UPDATE staffa_crons
   SET last_job_id = $3,
       last_run = last_tick
 WHERE instance = $1
   AND name = $2
RETURNING name;
