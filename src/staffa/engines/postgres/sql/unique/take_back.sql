-- Take back jobs that this transaction has written, which nobody else has seen.
-- $1 bigint[]: their ids.
-- Locks: only the rows that it deletes. Index: the primary key; ARRAY hides from the planner
-- how many there are, for the reason that jobs/ack.sql gives.
DELETE FROM :"prefix".oban_jobs AS job
 WHERE job.id = ANY (ARRAY(SELECT unnest($1::bigint[])));
