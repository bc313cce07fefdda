-- Note which job the tick that was just taken has made.
-- $1 text: instance, $2 text: name, $3 bigint: job.
-- Locks: the row of the entry, which take.sql holds already. Index: the primary key.
UPDATE :"prefix".staffa_crons
   SET last_job_id = $3::bigint,
       last_run = last_tick
 WHERE instance = $1::text
   AND name = $2::text
RETURNING name;
