-- Read the states of jobs, those of which there are.
-- $1 bigint[]: their ids.
-- Locks: none: the roots of their flows are locked before. Index: the primary key.
SELECT job.id, job.state::text AS state
  FROM :"prefix".oban_jobs AS job
 WHERE job.id = ANY ((SELECT $1::bigint[])::bigint[]);
