-- Cancel jobs that wait for something that has ended in a way that cancels them; each gets an error that says so.
-- $1 bigint[]: the jobs, $2 text[]: the errors.
-- (SELECT $1) is there for the reason that jobs/ack.sql gives.
-- Locks: the rows: the transaction has inserted them itself. Index: the primary key.
UPDATE :"prefix".oban_jobs AS job
   SET state = 'cancelled',
       cancelled_at = clock.now,
       errors = job.errors || jsonb_build_object(
           'attempt', job.attempt,
           'at', to_char(clock.now, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
           'error', given.error)
  FROM unnest((SELECT $1::bigint[]), (SELECT $2::text[])) AS given (id, error)
 CROSS JOIN (SELECT timezone('UTC', clock_timestamp()) AS now) AS clock
 WHERE job.id = given.id
   AND job.state::text = 'suspended'
RETURNING job.id;
